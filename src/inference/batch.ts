/** How many rows go through a network together. Holds no tensor: plans count by it. */

/** Positions in one pass when the batch is not stated: enough to fill the matrix kernels, little enough to stay in cache. */
const POSITIONS_PER_PASS = 2048

/** Sequences of `length` in one pass when nothing is said. */
export const defaultBatch = (length: number): number => Math.max(2, Math.floor(POSITIONS_PER_PASS / length))
