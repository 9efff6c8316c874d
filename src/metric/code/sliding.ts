/**
 * Which targets of a stream are scored, with how much left context: chunked and sliding evaluation.
 *
 * A stream of N tokens has N - 1 targets; target i is token i + 1, and its inputs end with token i. Sources:
 * parameter-golf `train_gpt.py` `eval_val` (chunked), SlidingWindowEval (2026-03-19, tail A), its descendants (tail
 * B) and PR #1218 (2026-04-01, tail C).
 */

/** One forward pass: inputs are tokens [start, start + inputs), the scored targets [from, to). */
export interface ScoredWindow {
  readonly start: number
  readonly inputs: number
  readonly from: number
  readonly to: number
}

/**
 * How a sliding evaluation ends.
 *
 * - A keeps every window that has a target; a truncated one scores its last `stride` targets, so the stream's last
 *   targets are scored again and again.
 * - B keeps windows of at least `stride` targets, with the same repetition.
 * - C keeps windows that reach a target not yet scored; each target counts exactly once.
 */
export type Tail = "A" | "B" | "C"

const positive = (name: string, value: number): void => {
  if (!Number.isInteger(value) || value < 1)
    throw new RangeError(`${name} must be a positive whole number, found ${value}`)
}

/**
 * Rows of `length` targets that do not overlap; the first target of each row has no context beyond one token, and
 * targets that do not fill a row are dropped.
 *
 * @param targets N - 1 of a stream of N tokens
 */
export const chunkedWindows = (targets: number, length: number): readonly ScoredWindow[] => {
  positive("length", length)
  return Array.from({ length: Math.floor(targets / length) }, (_, i) => ({
    start: i * length,
    inputs: length,
    from: i * length,
    to: (i + 1) * length,
  }))
}

/** Windows of `length` tokens every `stride` tokens: the first scores all its targets, the others their last. */
export const slidingWindows = (
  targets: number,
  length: number,
  stride: number,
  tail: Tail,
): readonly ScoredWindow[] => {
  positive("length", length)
  positive("stride", stride)
  if (stride > length) throw new RangeError(`a stride of ${stride} skips targets of windows of ${length}`)
  const windows: ScoredWindow[] = []
  for (let start = 0; start < targets; start += stride) {
    const inputs = Math.min(length, targets - start)
    const to = start + inputs
    if (start === 0) {
      windows.push({ start, inputs, from: 0, to })
      continue
    }
    if (tail === "B" && inputs < stride) break
    const from = tail === "C" ? start + length - stride : Math.max(start, to - stride)
    if (from >= to) break
    windows.push({ start, inputs, from, to })
  }
  return windows
}

/** Targets a list of windows scores, repetitions counted each time. */
export const scoredTargets = (windows: readonly ScoredWindow[]): number =>
  windows.reduce((sum, { from, to }) => sum + (to - from), 0)

/**
 * How often tails A and B score the stream's last `stride` targets beyond the first time, when the number of targets
 * is a multiple of the stride.
 */
export const tailRepetitions = (length: number, stride: number): number => Math.ceil(length / stride) - 1

/**
 * Bytes per scored target of a tail that repeats the last targets.
 *
 * @param tailTargets targets in the repeated tail
 * @param tailBytes their bytes
 */
export const repeatedRatio = (
  bytes: number,
  targets: number,
  tailBytes: number,
  tailTargets: number,
  repetitions: number,
): number => (bytes + repetitions * tailBytes) / (targets + repetitions * tailTargets)
