/** A cell of a sweep as a spec of its own: the plain experiment with the cell's values, which `repro run` runs alone. */
import { patchBetween } from "./merge-patch.js"
import { decodeSpec, type LoadedSpec, type Profile } from "./spec-file.js"
import { applyCell, cellsOf, type SweepCell } from "./sweep.js"

export interface CellSpec {
  readonly cell: SweepCell
  /** Text of a whole spec file; its profile of the same name is the cell. */
  readonly text: string
  readonly spec: LoadedSpec
}

type Document = Readonly<Record<string, unknown>>

/**
 * Every cell of a spec file's sweep in one profile; empty without a sweep.
 *
 * A cell's published configuration is the published sweep's cell of the same values where that sweep has it, so that
 * a swept value is no difference from what was published.
 *
 * @throws SpecError when the file is not valid
 */
export const cellSpecs = (text: string, file: string, profile: Profile): readonly CellSpec[] => {
  const whole = decodeSpec(text, file, profile)
  if (whole.sweep === undefined) return []
  const published = decodeSpec(text, file, "paper")
  const known = new Map(
    (published.sweep === undefined ? [] : cellsOf(published.sweep)).map((cell) => [cell.name, cell]),
  )
  return cellsOf(whole.sweep).map((cell) => {
    const paper = published.document as Document
    const own = profile === "paper" ? cell : known.get(cell.name)
    const base = own === undefined ? paper : (applyCell(paper, own) as Document)
    const profiles =
      profile === "paper" ? {} : { [profile]: patchBetween(base, applyCell(whole.document, cell)) }
    const cellText = `${JSON.stringify({ schemaVersion: 1, ...base, profiles }, null, 2)}\n`
    return { cell, text: cellText, spec: decodeSpec(cellText, file, profile) }
  })
}
