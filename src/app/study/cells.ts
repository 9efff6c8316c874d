/** The cells of a sweep that a command line names. */
import { cellSpecs, type CellSpec } from "../../spec/cell-spec.js"
import { nearest } from "../../spec/nearest.js"
import type { LoadedSpec } from "../../spec/spec-file.js"
import { UsageError } from "../outcome.js"

/** @throws UsageError when the spec has no sweep, or no cell is called like that */
export const chooseCells = (whole: LoadedSpec, only: readonly string[]): readonly CellSpec[] => {
  const { file, profile } = whole
  const all = cellSpecs(whole)
  if (all.length === 0)
    throw new UsageError(
      `${file} has no sweep in profile ${profile}: add "sweep", give --seeds 0,1,2 for seeds alone, or run the one experiment with repro run`,
    )
  if (only.length === 0) return all
  const names = all.map(({ cell }) => cell.name)
  const chosen = new Set(
    only.flatMap((wanted) => {
      const parts = wanted.split(",")
      const found = names.filter(
        (name) => name === wanted || parts.every((part) => name.split(",").includes(part)),
      )
      if (found.length > 0) return found
      const near = nearest(wanted, names)
      throw new UsageError(
        `no cell of ${file} is called "${wanted}"${near === undefined ? "." : `; did you mean ${near}?`} Its cells: ${names.join("; ")}.`,
      )
    }),
  )
  return all.filter(({ cell }) => chosen.has(cell.name))
}
