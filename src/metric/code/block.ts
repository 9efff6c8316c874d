/**
 * The block bound: autoregressive over blocks of s tokens, any-order within each.
 *
 *   p(x) = prod over blocks of p(x_B | x_<B),   -ln p(x_B | x_<B) <= E_{k ~ U{1..s}} (s/k) CE(S_k | x_<B, B \ S_k)
 *
 * with everything right of the block masked or outside the window. s = 1 is the exact left-to-right code length,
 * s = L the any-order bound. A block's length counts its maskable tokens.
 */
import { anyOrder, type AnyOrderBits } from "./any-order.js"

export interface BlockInput {
  readonly windows: number
  /** Blocks per window; the last may be shorter than the others, or hold no maskable token. */
  readonly blocks: number
  /** Mask sets drawn per block. */
  readonly draws: number
  /** [windows, blocks] maskable tokens */
  readonly maskable: ArrayLike<number>
  /** [windows, blocks, draws] size of the mask set */
  readonly masked: ArrayLike<number>
  /** [windows, blocks, draws] sum of the masked tokens' cross-entropies, nats */
  readonly nats: ArrayLike<number>
}

/** Maskable tokens per block of a window of which some are free: [ceil(length / size)] */
export const blockLengths = (free: ArrayLike<boolean | number>, size: number): Int32Array => {
  const lengths = new Int32Array(Math.ceil(free.length / size))
  for (let i = 0; i < free.length; i++) if (!free[i]) lengths[Math.floor(i / size)]!++
  return lengths
}

/** @throws RangeError when the evidence's sizes do not fit together */
export const blockBound = (input: BlockInput): AnyOrderBits => {
  const { windows, blocks, draws, maskable, masked, nats } = input
  const flat = anyOrder({ windows: windows * blocks, draws, maskable, masked, nats })
  const perWindowBits = new Float64Array(windows)
  flat.perWindowBits.forEach((bits, b) => (perWindowBits[Math.floor(b / blocks)]! += bits))
  return { ...flat, perWindowBits }
}
