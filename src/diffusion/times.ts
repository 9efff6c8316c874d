/** Times of the sequences of one micro-batch, from uniforms in [0, 1). */

export type TimeSampling = "antithetic-pairs" | "stratified" | "independent"

export interface TimeRange {
  readonly kind: TimeSampling
  readonly timeMin: number
  readonly timeMax: number
}

/** How many uniforms a micro-batch of `rows` sequences needs. */
export const uniformsForTimes = (kind: TimeSampling, rows: number): number =>
  kind === "antithetic-pairs" ? Math.floor(rows / 2) + 1 : kind === "stratified" ? 1 : rows

/**
 * One time per sequence.
 *
 * - antithetic-pairs: floor(B/2) + 1 uniforms, then 1 - u of each, the first B kept, clamped to the range
 *   (parameter-golf PR #1241: B = 8 gives three pairs and two singles).
 * - stratified: (u + i) / B mod 1, scaled linearly into the range (one u for all rows).
 * - independent: B uniforms, clamped to the range.
 *
 * @throws RangeError when there are fewer uniforms than `uniformsForTimes` asks for
 */
export const timesFromUniforms = (
  { kind, timeMin, timeMax }: TimeRange,
  rows: number,
  uniforms: ArrayLike<number>,
): Float64Array => {
  const needed = uniformsForTimes(kind, rows)
  if (uniforms.length < needed)
    throw new RangeError(
      `${kind} times of ${rows} sequences need ${needed} uniforms, found ${uniforms.length}`,
    )
  const clamp = (t: number): number => Math.min(timeMax, Math.max(timeMin, t))
  switch (kind) {
    case "antithetic-pairs":
      return Float64Array.from({ length: rows }, (_, i) =>
        clamp(i < needed ? uniforms[i]! : 1 - uniforms[i - needed]!),
      )
    case "stratified":
      return Float64Array.from({ length: rows }, (_, i) => {
        const u = ((uniforms[0]! + i) / rows) % 1
        return timeMin + (timeMax - timeMin) * u
      })
    case "independent":
      return Float64Array.from({ length: rows }, (_, i) => clamp(uniforms[i]!))
  }
}
