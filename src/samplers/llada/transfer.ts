/** How many tokens each step of a block settles. */

/** floor(masks / steps) and one more in the first (masks mod steps) steps; steps beyond the masks settle nothing. */
export const transferCounts = (masks: number, steps: number): Int32Array =>
  Int32Array.from({ length: steps }, (_, i) => Math.floor(masks / steps) + (i < masks % steps ? 1 : 0))

export interface BlockPlan {
  readonly from: number
  readonly to: number
  readonly counts: Int32Array
}

/**
 * Blocks from left to right, each with floor(steps / blocks) steps.
 *
 * @throws RangeError when the blocks do not fit the text, or there are fewer steps than blocks
 */
export const blockPlans = (
  start: number,
  { length, block, steps }: { readonly length: number; readonly block: number; readonly steps: number },
): readonly BlockPlan[] => {
  const blocks = length / block
  if (!Number.isInteger(blocks) || block < 1)
    throw new RangeError(
      `blocks of ${block} tokens do not divide a text of ${length}; give a block that does.`,
    )
  const each = Math.floor(steps / blocks)
  if (each < 1)
    throw new RangeError(
      `${steps} steps are fewer than the ${blocks} blocks of the text; give at least one a block.`,
    )
  return Array.from({ length: blocks }, (_, b) => ({
    from: start + b * block,
    to: start + (b + 1) * block,
    counts: transferCounts(block, each),
  }))
}
