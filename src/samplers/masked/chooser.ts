/** Tokens at chosen positions of sequences that are partly masked. */
import type { TokenRule } from "../../diffusion/categorical.js"
import { gatherFeeds } from "../../diffusion/batch.js"
import type { Executor, HostTensors } from "../../engine/executor.js"
import { trace, type TraceInput } from "../../engine/trace/trace.js"
import { passFeeds, type PredictRow } from "../../inference/predictor.js"
import { banTokens, drawTokens, largestTokens } from "../../model/choose-tokens.js"
import { get, type Tensors } from "../../model/layers.js"
import type { Network } from "../../model/network.js"
import { parameterInputs } from "../../model/parameter-inputs.js"
import * as tf from "../../model/tf.js"
import { bannedOf } from "../executor/head.js"

/** One sequence, and the positions whose tokens are chosen. */
export interface ChooseRow extends PredictRow {
  /** In [0, 1), one for each of the columns: inverts the cumulative distribution in order of ids. */
  readonly uniforms: ArrayLike<number>
}

/** One of each for every column of a row. */
export interface ChosenTokens {
  readonly tokens: Int32Array
  /** Natural log-probability over all ids, untempered. */
  readonly logProbs: Float32Array
}

export interface Chooser {
  /** Sequences in one pass. */
  readonly batch: number
  /**
   * For at most `batch` rows.
   *
   * @throws RangeError where the network's outputs are no numbers
   */
  readonly choose: (rows: readonly ChooseRow[]) => Promise<readonly ChosenTokens[]>
  /** Passes so far, counted in rows. */
  readonly forwards: () => number
  readonly dispose: () => Promise<void>
}

export interface ChooserOptions {
  /** Tokens of a sequence. */
  readonly length: number
  readonly batch: number
  /** Columns of one pass at most. */
  readonly capacity: number
  readonly rule: TokenRule
}

/** Token and its log-probability, of each row of log-probabilities [k, classes]. */
const chosen = (logProbs: tf.Tensor, all: Tensors, { temperature, topP }: TokenRule): Tensors => {
  const [k, classes] = logProbs.shape as [number, number]
  const allowed = banTokens(logProbs, get(all, "banned"))
  const token =
    temperature === 0
      ? largestTokens(allowed)
      : drawTokens(allowed, get(all, "uniforms"), { temperature, topP })
  const first = tf.mul(tf.range(0, k, 1, "int32"), tf.scalar(classes, "int32"))
  return { token, value: tf.gather(tf.reshape(logProbs, [k * classes]), tf.add(first, token)) }
}

/**
 * A network's pass and the choice in one program: ids and one number each come back, distributions do not. The rule is
 * that of `drawDistribution` in float32, so a token is another than float64 draws only where its uniform number lies
 * within rounding of the edge between two ids.
 */
export const makeChooser = async (
  executor: Executor,
  network: Network,
  parameters: HostTensors,
  { length, batch, capacity, rule }: ChooserOptions,
): Promise<Chooser> => {
  const { vocabSize } = network
  const everywhere = network.scored === "all"
  const inputs: readonly TraceInput[] = [
    ...parameterInputs(network.parameters),
    ...network
      .feeds("logProbs", { rows: batch, length, capacity: everywhere ? batch * length : capacity })
      .map((feed): TraceInput => ({ ...feed, kind: "feed" })),
    ...(everywhere ? [{ name: "at", kind: "feed", dtype: "i32", shape: [capacity] } as const] : []),
    { name: "banned", kind: "feed", dtype: "bool", shape: [vocabSize] },
    ...(rule.temperature > 0
      ? [{ name: "uniforms", kind: "feed", dtype: "f32", shape: [capacity] } as const]
      : []),
  ]
  const graph = trace("choose", inputs, (all) => {
    const logProbs = network.logProbs(all, all)
    return chosen(everywhere ? tf.gather(logProbs, get(all, "at")) : logProbs, all, rule)
  })
  const evaluator = await executor.evaluator(graph, parameters)
  const banned = bannedOf(rule.banned, vocabSize)
  let forwards = 0
  return {
    batch,
    choose: async (rows) => {
      const { feeds, positions } = passFeeds(rows, batch, length)
      const { positions: at, ...slots } = gatherFeeds(positions, capacity, batch * length)
      const uniforms = new Float32Array(capacity)
      uniforms.set(rows.flatMap((row) => Array.from(row.uniforms)))
      const { token, value } = await evaluator.run({
        ...feeds,
        ...(everywhere ? { at: at! } : { positions: at!, ...slots }),
        banned,
        ...(rule.temperature > 0 ? { uniforms: { shape: [capacity], data: uniforms } } : {}),
      })
      forwards += rows.length
      const [tokens, logProbs] = [token!.data as Int32Array, value!.data as Float32Array]
      const bad = logProbs.subarray(0, positions.length).findIndex((x) => !Number.isFinite(x))
      if (bad >= 0)
        throw new RangeError(
          `no token can be drawn: the log-probability of token ${tokens[bad]} is ${logProbs[bad]}`,
        )
      let from = 0
      return rows.map(({ columns }) => {
        const [start, end] = [from, (from += columns.length)]
        return { tokens: tokens.slice(start, end), logProbs: logProbs.slice(start, end) }
      })
    },
    forwards: () => forwards,
    dispose: () => evaluator.dispose(),
  }
}
