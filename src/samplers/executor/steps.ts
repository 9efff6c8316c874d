/**
 * Steps of LLaDA's sampler as one program, which the executor runs as often as there are steps: the body, the head at
 * the block's positions, the choice, and which of the candidates stay. Rows go out once and come back once.
 */
import type { HostTensor, HostTensors } from "../../engine/executor.js"
import { get, type Tensors } from "../../model/layers.js"
import * as tf from "../../model/tf.js"
import type { BlockRule, BlockStep } from "../forward.js"
import { batchesOf, roomFor } from "./batches.js"
import { answersOf, bannedOf, drawFeeds, drawName, single } from "./head.js"
import type { SampledNetwork } from "./network.js"
import type { Feed, ProgramSource, Programs } from "./programs.js"

/** Logits of one step at most: half a GiB in float32. */
const ELEMENTS = 2 ** 27

interface Shape {
  readonly rows: number
  readonly width: number
  readonly block: number
}

/** bool [rows, block]: the `count` open candidates with the largest scores, the first of equals. scores: f32 [rows, block] */
const surest = (scores: tf.Tensor, open: tf.Tensor, count: tf.Tensor): tf.Tensor => {
  const [rows, block] = scores.shape as [number, number]
  const among = tf.where(open, scores, tf.fill([rows, block], -1))
  const [own, other] = [tf.reshape(among, [rows, block, 1]), tf.reshape(among, [rows, 1, block])]
  const place = tf.range(0, block, 1, "int32")
  const earlier = tf.less(tf.reshape(place, [1, 1, block]), tf.reshape(place, [1, block, 1]))
  const before = tf.logicalOr(tf.greater(other, own), tf.logicalAnd(tf.equal(other, own), earlier))
  const ahead = tf.sum(tf.cast(before, "int32"), 2)
  return tf.logicalAnd(open, tf.less(ahead, count))
}

const stepOf = (
  network: SampledNetwork,
  { rows, width, block }: Shape,
  rule: BlockRule,
  all: Tensors,
): Tensors => {
  const ids = get(all, "inputIds")
  const flat = tf.reshape(ids, [rows * width])
  const at = get(all, "at")
  const logits = network.logits(all, tf.gather(network.body(all, all).features, at))
  const { token, value } = answersOf(logits, all, { kind: "draw", rule: rule.choice })
  const own = tf.gather(flat, at)
  const open = tf.equal(own, tf.scalar(rule.maskId, "int32"))
  const scores = rule.remasking === "random" ? get(all, "ranks") : value!
  const stay = surest(tf.reshape(scores, [rows, block]), tf.reshape(open, [rows, block]), get(all, "count"))
  const next = tf.where(tf.reshape(stay, [rows * block]), token!, own)
  return { rows: tf.reshape(tf.gather(tf.concat([next, flat]), get(all, "back")), [rows, width]) }
}

const sourceOf =
  (network: SampledNetwork, shape: Shape, rule: BlockRule): (() => ProgramSource) =>
  () => {
    const { rows, width, block } = shape
    const feeds: readonly Feed[] = [
      { name: "inputIds", dtype: "i32", shape: [rows, width] },
      ...(network.takes.lengths ? [{ name: "lengths", dtype: "i32", shape: [rows] } as const] : []),
      { name: "at", dtype: "i32", shape: [rows * block] },
      { name: "back", dtype: "i32", shape: [rows * width] },
      { name: "count", dtype: "i32", shape: [1] },
      { name: "banned", dtype: "bool", shape: [network.classes] },
      ...drawFeeds(rule.choice, rows * block),
      ...(rule.remasking === "random"
        ? [{ name: "ranks", dtype: "f32", shape: [rows * block] } as const]
        : []),
    ]
    return { feeds, outputs: (all) => stepOf(network, shape, rule, all) }
  }

/** The block's positions among all of the rows, and where each position of the rows is then found behind them. */
const placesOf = ({ rows, width, block }: Shape, from: number) => {
  const at = Int32Array.from(
    { length: rows * block },
    (_, i) => Math.floor(i / block) * width + from + (i % block),
  )
  const back = Int32Array.from({ length: rows * width }, (_, i) => rows * block + i)
  at.forEach((position, i) => (back[position] = i))
  return { at, back }
}

const stacked = <A extends Float32Array | Int32Array>(
  all: A,
  each: readonly ArrayLike<number>[],
  shape: readonly number[],
): HostTensor => {
  let at = 0
  for (const part of each) {
    all.set(part, at)
    at += part.length
  }
  return { shape: [each.length, ...shape], data: all }
}

const eachOf = (
  shape: Shape,
  rule: BlockRule,
  steps: readonly BlockStep[],
  members: readonly number[],
): HostTensors => {
  const { rows, width, block } = shape
  const places = steps.map(({ from }) => placesOf(shape, from))
  const n = steps.length
  /** One number for each of the block's positions in each row. */
  const numbers = (of: (step: BlockStep) => readonly ArrayLike<number>[]): HostTensor =>
    stacked(
      new Float32Array(n * rows * block),
      steps.map((step) => {
        const out = new Float32Array(rows * block)
        members.forEach((r, i) => out.set(of(step)[r]!, i * block))
        return out
      }),
      [rows * block],
    )
  return {
    at: stacked(
      new Int32Array(n * rows * block),
      places.map(({ at }) => at),
      [rows * block],
    ),
    back: stacked(
      new Int32Array(n * rows * width),
      places.map(({ back }) => back),
      [rows * width],
    ),
    count: stacked(
      new Int32Array(n),
      steps.map(({ count }) => [count]),
      [1],
    ),
    ...(rule.choice.temperature > 0 ? { uniforms: numbers((step) => step.uniforms!) } : {}),
    ...(rule.remasking === "random" ? { ranks: numbers((step) => step.ranks!) } : {}),
  }
}

/**
 * What makes several steps of a sampler at once; undefined where the executor has no use for it, or the network's rows
 * or logits are not of the kind or size that one program takes.
 *
 * @param batch rows in one pass at most
 */
export const makeSteps =
  (
    network: SampledNetwork,
    programs: Programs,
    { padId, batch }: { readonly padId: number; readonly batch: number },
  ) =>
  (count: number, width: number, block: number) => {
    const { takes, classes, endSlot } = network
    const { repeat } = programs
    if (repeat === undefined || takes.time || endSlot !== "none") return undefined
    if (roomFor(Math.min(count, batch), width, batch) * block * classes > ELEMENTS) return undefined
    return async (
      given: readonly Int32Array[],
      steps: readonly BlockStep[],
      rule: BlockRule,
    ): Promise<readonly Int32Array[]> => {
      const out = [...given]
      for (const { rows: members } of batchesOf(
        given.map(({ length }) => length),
        () => width,
        batch,
      )) {
        const shape = { rows: roomFor(members.length, width, batch), width, block }
        const inputIds = new Int32Array(shape.rows * width).fill(padId)
        members.forEach((r, i) => inputIds.set(given[r]!, i * width))
        const feeds: HostTensors = {
          inputIds: { shape: [shape.rows, width], data: inputIds },
          ...(takes.lengths
            ? { lengths: { shape: [shape.rows], data: new Int32Array(shape.rows).fill(width) } }
            : {}),
          banned: bannedOf(rule.choice.banned, classes),
          ...(rule.choice.temperature > 0 ? { temperature: single(rule.choice.temperature) } : {}),
        }
        const key = `steps-${shape.rows}x${width}-${block}-${drawName(rule.choice)}-${rule.remasking}-${rule.maskId}`
        const { rows } = await repeat(key, sourceOf(network, shape, rule), {
          steps: steps.length,
          feeds,
          each: eachOf(shape, rule, steps, members),
          carried: { rows: "inputIds" },
        })
        members.forEach((r, i) => (out[r] = (rows!.data as Int32Array).slice(i * width, (i + 1) * width)))
      }
      return out
    }
  }
