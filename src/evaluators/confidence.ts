/**
 * Evidence of the confidence order: at each step the masked position whose most probable token has the highest
 * probability is revealed. A lead of at most TIE_NATS is a tie, and of the positions that are in it the leftmost is
 * revealed: in a wholly masked window every position has the same logits, and an executor's rounding must not choose.
 *
 * The order depends on predictions alone, never on the true token at a masked position, so a receiver with the same
 * network repeats it. Steps of one window follow each other; windows run side by side.
 */
import { maskableOf, sigmaOfMasked, windowRow, type MaskedOptions } from "../inference/masking.js"
import type { OrderEvidence } from "./orders.js"
import type { Predictor } from "../inference/predictor.js"
import type { ScoredWindows } from "../inference/windows.js"

/**
 * Leads in log-probability, nats, up to this one are ties. Executors round log-probabilities of about ten nats to some
 * 1e-6 in fp32, a hundredth of it; a lead so small says nothing about which position is the easier one.
 */
export const TIE_NATS = 1e-4

/**
 * The first row whose largest entry is within a tie of the largest of all, and the lead of the largest over the best of
 * the other rows (infinite for one row).
 */
export const mostConfident = (
  logProbs: Float32Array,
  rows: number,
  vocabSize: number,
): { readonly row: number; readonly margin: number } => {
  const tops = Float64Array.from({ length: rows }, (_, r) => {
    let top = Number.NEGATIVE_INFINITY
    for (let v = r * vocabSize; v < (r + 1) * vocabSize; v++) top = Math.max(top, logProbs[v]!)
    return top
  })
  let [best, second] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const top of tops) {
    if (top > best) [second, best] = [best, top]
    else second = Math.max(second, top)
  }
  return {
    row: Math.max(
      0,
      tops.findIndex((top) => best - top <= TIE_NATS),
    ),
    margin: best - second,
  }
}

export const measureConfidence = async (
  predictor: Predictor,
  windows: ScoredWindows,
  { schedule, rule, onProgress }: MaskedOptions,
): Promise<OrderEvidence> => {
  const { count, length } = windows
  const { batch, vocabSize } = predictor
  const positions = maskableOf(windows, rule)
  const rank = new Int32Array(count * length).fill(-1)
  const nats = new Float64Array(count * length)
  const margin = new Float64Array(count * length)
  const before = predictor.forwards()
  for (let first = 0; first < count; first += batch) {
    const group = positions.slice(first, first + batch).map((columns, i) => {
      const tokens = windowRow(windows, first + i)
      const inputIds = tokens.slice()
      for (const column of columns) inputIds[column] = rule.maskId
      return { w: first + i, tokens, inputIds, masked: [...columns], maskable: columns.length }
    })
    for (let step = 0; ; step++) {
      const open = group.filter(({ masked }) => masked.length > 0)
      if (open.length === 0) break
      const predicted = await predictor.predict(
        open.map(({ inputIds, masked, maskable }) => ({
          inputIds,
          sigma: sigmaOfMasked(schedule, masked.length, maskable),
          columns: masked,
        })),
      )
      open.forEach(({ w, tokens, inputIds, masked }, i) => {
        const { row: chosen, margin: lead } = mostConfident(predicted[i]!, masked.length, vocabSize)
        const column = masked[chosen]!
        const token = tokens[column]!
        rank[w * length + column] = step
        margin[w * length + column] = lead
        nats[w * length + column] = -predicted[i]![chosen * vocabSize + token]!
        inputIds[column] = token
        masked.splice(chosen, 1)
      })
      onProgress?.(predictor.forwards() - before)
    }
  }
  return { windows, rank, nats, margin, forwards: predictor.forwards() - before }
}
