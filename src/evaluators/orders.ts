/**
 * Evidence of chain-rule code lengths: each token's cross-entropy given those revealed before it.
 *
 * Orders that do not depend on predictions need no sequence of passes: every (window, order, token) is a row of its
 * own, so all are scored in full batches. The bidirectional network's activations change with every token revealed,
 * so nothing of a prefix can be kept between rows.
 */
import { stream } from "../diffusion/philox.js"
import {
  maskedRow,
  maskableOf,
  randomOrder,
  scoreRows,
  sigmaOfMasked,
  windowRow,
  type MaskedOptions,
} from "../inference/masking.js"
import type { Scorer, ScoreRow } from "../inference/scorer.js"
import type { ScoredWindows } from "../inference/windows.js"
import type { StoredTensor } from "../files/safetensors.js"

export interface OrderEvidence {
  readonly windows: ScoredWindows
  /** [windows, length] when the token was revealed, from 0; -1 for tokens that are never masked */
  readonly rank: Int32Array
  /** [windows, length] cross-entropy of each token when it was revealed, nats; 0 where the rank is -1 */
  readonly nats: Float64Array
  /**
   * [windows, length] where the network chooses the order: how far the highest log-probability led the best of the
   * other masked positions when the token was revealed, nats; infinite for the last, 0 where the rank is -1. A lead of at
   * most `TIE_NATS` is a tie.
   */
  readonly margin?: Float64Array
  readonly forwards: number
}

export interface PathEvidence {
  readonly windows: ScoredWindows
  /** Orders drawn per window. */
  readonly paths: number
  /** [windows, paths] code length along each order, nats */
  readonly nats: Float64Array
  readonly forwards: number
}

/** Rows of one window along an order: row r reveals order[r] with order[r..] masked. */
const orderRows = function* (
  tokens: Int32Array,
  order: readonly number[],
  { schedule, rule }: MaskedOptions,
): Generator<ScoreRow> {
  const row = tokens.slice()
  for (const position of order) row[position] = rule.maskId
  for (const [r, position] of order.entries()) {
    const sigma = sigmaOfMasked(schedule, order.length - r, order.length)
    yield {
      ...maskedRow(row, [], [position], sigma, rule),
      targets: Int32Array.of(tokens[position]!),
    }
    row[position] = tokens[position]!
  }
}

export type FixedOrder = "left-to-right" | "right-to-left" | "random"

export interface OrderOptions extends MaskedOptions {
  readonly order: FixedOrder
  /** Seed of random orders. */
  readonly seed: number
}

export const measureOrder = async (
  scorer: Scorer,
  windows: ScoredWindows,
  options: OrderOptions,
): Promise<OrderEvidence> => {
  const { rule, order, seed } = options
  const source = stream(seed, "eval-mask")
  const { count, length } = windows
  const orders = maskableOf(windows, rule).map((positions, w) =>
    order === "random"
      ? randomOrder(positions, source, [w, 0])
      : order === "right-to-left"
        ? positions.toReversed()
        : positions,
  )
  const rank = new Int32Array(count * length).fill(-1)
  const nats = new Float64Array(count * length)
  const at = Int32Array.from(orders.flatMap((each, w) => each.map((p) => w * length + p)))
  orders.forEach((each, w) => each.forEach((p, r) => (rank[w * length + p] = r)))
  const before = scorer.forwards()
  const rows = function* (): Generator<ScoreRow> {
    for (let w = 0; w < count; w++) yield* orderRows(windowRow(windows, w), orders[w]!, options)
  }
  const take = (index: number, values: Float32Array): void => {
    nats[at[index]!] = values[0]!
  }
  await scoreRows(scorer, rows(), take, options.onProgress)
  return { windows, rank, nats, forwards: scorer.forwards() - before }
}

export interface PathOptions extends MaskedOptions {
  readonly paths: number
  readonly seed: number
}

/** Orders drawn independently of the text, one code length each; the first is that of the chain rule's random order. */
export const measurePaths = async (
  scorer: Scorer,
  windows: ScoredWindows,
  options: PathOptions,
): Promise<PathEvidence> => {
  const { rule, paths, seed } = options
  const source = stream(seed, "eval-mask")
  const { count } = windows
  const positions = maskableOf(windows, rule)
  const nats = new Float64Array(count * paths)
  const before = scorer.forwards()
  // The path of each row in flight, in the order in which rows are made.
  const pending: number[] = []
  const rows = function* (): Generator<ScoreRow> {
    for (let w = 0; w < count; w++) {
      for (let j = 0; j < paths; j++) {
        for (const row of orderRows(
          windowRow(windows, w),
          randomOrder(positions[w]!, source, [w, j]),
          options,
        )) {
          pending.push(w * paths + j)
          yield row
        }
      }
    }
  }
  let taken = 0
  const take = (_: number, values: Float32Array): void => {
    nats[pending[taken++]!]! += values[0]!
    if (taken === pending.length) {
      pending.length = 0
      taken = 0
    }
  }
  await scoreRows(scorer, rows(), take, options.onProgress)
  return { windows, paths, nats, forwards: scorer.forwards() - before }
}

/** The tensors of a chain-rule measurement. */
export const orderTensors = ({
  windows: { count, length },
  rank,
  nats,
  margin,
}: OrderEvidence): Record<string, StoredTensor> => {
  const shape = [count, length]
  return {
    rank: { dtype: "I32", shape, data: rank },
    nats: { dtype: "F64", shape, data: nats },
    ...(margin === undefined ? {} : { margin: { dtype: "F64", shape, data: margin } }),
  }
}
