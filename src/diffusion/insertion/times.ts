/** Times of the rows of one micro-batch, as the published trainers draw them. */

/** The published range ends 1e-6 before 1, where the hazards are infinite. */
export const PUBLISHED_SHRINK = 1e-6

/**
 * Stratified within the micro-batch, not shuffled: t_i = (i + u_i)(1 - 1e-6) / B (brianlck/FlexMDM, xlm-core).
 *
 * @param uniforms [B] in [0, 1)
 */
export const stratifiedTimes = (uniforms: ArrayLike<number>, shrink = PUBLISHED_SHRINK): Float64Array =>
  Float64Array.from(uniforms, (u, i) => ((i + u) * (1 - shrink)) / uniforms.length)

/** Independent on [0, 1): the masked baseline of brianlck/FlexMDM. */
export const independentTimes = (uniforms: ArrayLike<number>): Float64Array => Float64Array.from(uniforms)

/** The 8B trainer keeps t away from 0, though it is t = 1 where the weight of a row is largest. */
const awayFromZero = (t: number): number => 0.999 * t + 0.001

/**
 * The 8B trainer: t0 = (i + rank B + u_i) / (B world) where `lowDiscrepancy`, else u_i; then 0.999 t0 + 0.001.
 *
 * @param uniforms [B] of this process
 */
export const times8b = (
  uniforms: ArrayLike<number>,
  {
    lowDiscrepancy,
    rank = 0,
    world = 1,
  }: {
    readonly lowDiscrepancy: boolean
    readonly rank?: number
    readonly world?: number
  },
): Float64Array => {
  const rows = uniforms.length
  return Float64Array.from(uniforms, (u, i) =>
    awayFromZero(lowDiscrepancy ? (i + rank * rows + u) / (rows * world) : u),
  )
}

/** The 8B evaluation: equally spaced from 0 to 1 over the examples, then as in training; the last has t = 1. */
export const evaluationTimes8b = (examples: number): Float64Array =>
  Float64Array.from({ length: examples }, (_, i) => awayFromZero(examples === 1 ? 0 : i / (examples - 1)))
