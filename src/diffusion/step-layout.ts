/** How a step is best cut for an executor. It changes the order of additions, nothing else. */
export interface StepLayout {
  /** Slices of a micro-batch that are computed side by side; 1: the executor divides each operation itself. */
  readonly slices: number
  /** Whether further programs cost little, so that there may be one for each usual number of masked positions. */
  readonly sizes: "few" | "many"
}

/** One micro-batch, one usual size. */
export const WHOLE: StepLayout = { slices: 1, sizes: "few" }
