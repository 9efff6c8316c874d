/** Where a sweep stands: which cell of how many, and how long the rest may take. */
import type { Display } from "../../run/display.js"
import { duration } from "../../run/progress.js"
import type { PlannedCell } from "./cells.js"

/** How a cell ended, or why it did not begin. */
export interface CellOutcome {
  readonly name: string
  readonly fingerprint: string
  /** elsewhere: another process is at it. pending: the sweep was stopped before it. */
  readonly state: "finished" | "stopped" | "elsewhere" | "failed" | "pending"
  /** How the run came to be finished. */
  readonly how?: "found" | "resumed" | "made"
  readonly run?: string
  /** Why it is not finished. */
  readonly message?: string
}

export const outcomeOf = (
  { cell, fingerprint }: PlannedCell,
  rest: Omit<CellOutcome, "name" | "fingerprint">,
): CellOutcome => ({ name: cell.name, fingerprint, ...rest })

/** A display whose phases say which cell they are of. */
export const cellDisplay = (display: Display, prefix: string): Display => ({
  ...display,
  phase: (name, total, options) => display.phase(`${prefix} ${name}`, total, options),
})

export interface TimeLeft {
  readonly seconds: number
  /** Whether a cell of this sweep was timed whole; else the plans' training and evaluation alone, without start-up. */
  readonly measured: boolean
}

export interface Estimate {
  /** A cell was computed in this many seconds. */
  readonly took: (cell: PlannedCell, seconds: number) => void
  /** What these cells may take together, on this many workers. */
  readonly left: (cells: readonly PlannedCell[], workers: number) => TimeLeft
}

/** Plans estimate the seconds; what the cells of this sweep really took corrects them. */
export const estimator = (): Estimate => {
  let [planned, real] = [0, 0]
  return {
    took: (cell, seconds) => {
      planned += cell.seconds
      real += seconds
    },
    left: (cells, workers) => {
      const sum = cells.reduce((total, { seconds }) => total + seconds, 0)
      const measured = planned > 0
      const seconds = (sum * (measured ? real / planned : 1)) / Math.max(1, Math.min(workers, cells.length))
      return { seconds, measured }
    },
  }
}

/**
 * `Cell 2 of 15, heads=4,seed=1; about 12 min 30 s for the 14 left.` Before a cell was timed it says that the plans do
 * not count start-up.
 */
export const cellLine = (
  index: number,
  total: number,
  name: string,
  cellsLeft: number,
  { seconds, measured }: TimeLeft,
): string =>
  `Cell ${index + 1} of ${total}, ${name}; about ${duration(seconds)}${measured ? "" : " of training and evaluation, start-up not counted,"} for the ${cellsLeft === 1 ? "one" : cellsLeft} left.`
