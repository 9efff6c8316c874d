/**
 * The chain-rule code length along one order: -ln p(x) = sum over t of -ln p(x_{o(t)} | x_{o(1)} .. x_{o(t-1)}).
 *
 * Exact for the model "predict in this order": one forward pass per token, with the positions not yet revealed
 * masked. The order may be fixed (left to right), drawn independently of the text, or chosen from predictions the
 * receiver can repeat; an order chosen with knowledge of the true tokens is no code. With a causal model and the
 * left-to-right order this is the autoregressive code length.
 */

export interface ChainRuleInput {
  /** [windows + 1] start of each window's tokens in `nats`; the last entry is their number */
  readonly offsets: ArrayLike<number>
  /** cross-entropy of every revealed token given what was revealed before it, nats */
  readonly nats: ArrayLike<number>
}

export interface ChainRuleBits {
  readonly bits: number
  readonly tokens: number
  readonly perWindowBits: Float64Array
}

/** @throws RangeError when the offsets do not cover the evidence in order */
export const chainRule = ({ offsets, nats }: ChainRuleInput): ChainRuleBits => {
  const windows = offsets.length - 1
  if (windows < 0 || offsets[0] !== 0 || offsets[windows] !== nats.length)
    throw new RangeError(
      `chain rule: the offsets must start at 0 and end at ${nats.length}, the tokens of the evidence`,
    )
  const perWindowBits = new Float64Array(windows)
  let bits = 0
  for (let w = 0; w < windows; w++) {
    if (offsets[w + 1]! < offsets[w]!) throw new RangeError(`chain rule: window ${w} ends before it starts`)
    let sum = 0
    for (let i = offsets[w]!; i < offsets[w + 1]!; i++) sum += nats[i]!
    perWindowBits[w] = sum / Math.LN2
    bits += perWindowBits[w]!
  }
  return { bits, tokens: nats.length, perWindowBits }
}
