/** A cell of a sweep as a spec of its own: the plain experiment with the cell's values, which `repro run` runs alone. */
import { patchBetween } from "./merge-patch.js"
import { decodeSpec, type LoadedSpec } from "./spec-file.js"
import type { StudyMember } from "./study.js"
import { applyCell, cellsOf, pointName, type SweepCell } from "./sweep.js"

/** The text of its spec is a whole spec file whose profile of the same name is the cell. */
export interface CellSpec extends StudyMember {
  readonly cell: SweepCell
}

type Document = Readonly<Record<string, unknown>>

/** A cell begins from what its spec begins from, and is judged by the same. */
const standingOn = (spec: LoadedSpec, { parent, judges }: LoadedSpec): LoadedSpec => ({
  ...spec,
  ...(parent === undefined ? {} : { parent }),
  ...(judges === undefined ? {} : { judges }),
})

/**
 * Every cell of a spec's sweep; empty without a sweep.
 *
 * A cell's published configuration is the published sweep's cell of the same values where that sweep has it, so that
 * a swept value is no difference from what was published.
 */
export const cellSpecs = (whole: LoadedSpec): readonly CellSpec[] => {
  const { text, file, profile } = whole
  if (whole.sweep === undefined) return []
  const published = profile === "paper" ? whole : decodeSpec(text, file, "paper")
  const known = new Map(
    (published.sweep === undefined ? [] : cellsOf(published.sweep)).map((cell) => [cell.name, cell]),
  )
  const { published: origin } = JSON.parse(text) as { readonly published?: unknown }
  return cellsOf(whole.sweep).map((cell) => {
    const paper = published.document as Document
    const own = profile === "paper" ? cell : known.get(cell.name)
    const base = own === undefined ? paper : (applyCell(paper, own) as Document)
    const profiles =
      profile === "paper" ? {} : { [profile]: patchBetween(base, applyCell(whole.document, cell)) }
    const cellText = `${JSON.stringify({ schemaVersion: 1, ...base, profiles, ...(origin === undefined ? {} : { published: origin }) }, null, 2)}\n`
    const spec = decodeSpec(cellText, file, profile)
    return {
      cell,
      name: cell.name,
      point: pointName(cell) || whole.experiment.id,
      seed: cell.seed,
      spec: standingOn(spec, whole),
    }
  })
}
