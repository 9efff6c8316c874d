/**
 * What is as wide as the vocabulary: tokens and confidences, chosen inside programs from the features of the positions
 * that are asked for. Ids and single numbers come back.
 */
import type { HostTensor, HostTensors } from "../../engine/executor.js"
import { banTokens, confidence, drawTokens, largestTokens, tokenLogProbs } from "../../model/choose-tokens.js"
import { get, type Tensors } from "../../model/layers.js"
import * as tf from "../../model/tf.js"
import type { ChoiceRule } from "../choice.js"
import type { Confidence } from "../confidence.js"
import type { Ranking } from "../forward.js"
import type { SampledNetwork } from "./network.js"
import type { Feed, ProgramSource, Programs } from "./programs.js"
import { runTogether } from "./together.js"

/** Features of one position; where it is guided, those without the prompt, and the scale. */
export interface Features {
  readonly given: Float32Array
  readonly without?: Float32Array
  readonly scale?: number
}

export type Question =
  | { readonly kind: "draw"; readonly rule: ChoiceRule }
  | {
      readonly kind: "confidence"
      readonly by: Exclude<Confidence, "position">
      readonly ranking: Ranking
      readonly banned: readonly number[]
    }
  | { readonly kind: "probability"; readonly id: number }

export interface Asked extends Features {
  /** Of a draw. */
  readonly uniform: number
}

export interface Answer {
  readonly token: number
  /** Of the token drawn, the confidence, or the probability asked for. */
  readonly value: number
}

/** Elements of one matrix of logits at most. */
const ELEMENTS = 2 ** 24
const CAPACITIES = [16, 64, 256, 1024]

const capacityOf = (count: number, classes: number): number => {
  const fitting = CAPACITIES.filter((capacity, i) => i === 0 || capacity * classes <= ELEMENTS)
  return fitting.find((capacity) => capacity >= count) ?? fitting.at(-1)!
}

const column = (name: string, dtype: Feed["dtype"], k: number): Feed => ({ name, dtype, shape: [k] })

const logitsOf = (network: SampledNetwork, all: Tensors, guided: boolean): tf.Tensor => {
  const given = network.logits(all, get(all, "features"))
  if (!guided) return given
  const without = network.logits(all, get(all, "without"))
  const factor = tf.reshape(tf.add(get(all, "scale"), 1), [-1, 1])
  return tf.add(without, tf.mul(factor, tf.sub(given, without)))
}

/** Token and value of each row of logits [k, classes]. */
export const answersOf = (logits: tf.Tensor, all: Tensors, question: Question): Tensors => {
  if (question.kind === "probability") return { value: tf.exp(tokenLogProbs(logits, get(all, "ids"))) }
  const allowed = banTokens(logits, get(all, "banned"))
  if (question.kind === "confidence") {
    if (question.ranking.of === "logits") return { value: confidence(allowed, question.by) }
    const rates = tf.mul(tf.exp(tf.logSoftmax(allowed)), get(all, "hazard"))
    return { value: confidence(rates, question.by) }
  }
  const { temperature, topP, topK, nucleus } = question.rule
  const token =
    temperature === 0
      ? largestTokens(allowed)
      : drawTokens(allowed, get(all, "uniforms"), {
          temperature: get(all, "temperature"),
          topP,
          ...(topK === undefined ? {} : { topK }),
          ...(nucleus === undefined ? {} : { nucleus }),
        })
  return { token, value: tf.exp(tokenLogProbs(allowed, token)) }
}

/** What a draw at k positions is fed beside the banned ids. */
export const drawFeeds = ({ temperature }: ChoiceRule, k: number): readonly Feed[] =>
  temperature > 0 ? [column("uniforms", "f32", k), column("temperature", "f32", 1)] : []

const sourceOf =
  (network: SampledNetwork, question: Question, guided: boolean, k: number): (() => ProgramSource) =>
  () => ({
    feeds: [
      { name: "features", dtype: "f32", shape: [k, network.width] },
      ...(guided
        ? [{ name: "without", dtype: "f32", shape: [k, network.width] } as const, column("scale", "f32", k)]
        : []),
      ...(question.kind === "probability"
        ? [column("ids", "i32", k)]
        : [{ name: "banned", dtype: "bool", shape: [network.classes] } as const]),
      ...(question.kind === "draw" ? drawFeeds(question.rule, k) : []),
      ...(question.kind === "confidence" && question.ranking.of === "rates"
        ? [column("hazard", "f32", 1)]
        : []),
    ],
    outputs: (all) => answersOf(logitsOf(network, all, guided), all, question),
  })

/** What of a draw's rule is in its program. */
export const drawName = ({ temperature, topP, topK, nucleus }: ChoiceRule): string =>
  temperature === 0 ? "largest" : `draw-${topP}-${topK ?? ""}-${nucleus ?? ""}`

/** The program of a question: what is fed is not in its name. */
const programOf = (question: Question): string => {
  switch (question.kind) {
    case "draw":
      return drawName(question.rule)
    case "confidence":
      return `${question.by}-${question.ranking.of}`
    case "probability":
      return "probability"
  }
}

export const bannedOf = (ids: readonly number[], classes: number): HostTensor => {
  const data = new Uint8Array(classes)
  for (const id of ids) if (id < classes) data[id] = 1
  return { shape: [classes], data }
}

export const single = (value: number): HostTensor => ({ shape: [1], data: Float32Array.of(value) })

export const makeHead = (
  network: SampledNetwork,
  programs: Programs,
): ((question: Question, asked: readonly Asked[]) => Promise<readonly Answer[]>) => {
  const { width, classes } = network

  const chunk = async (question: Question, asked: readonly Asked[]): Promise<readonly Answer[]> => {
    const k = capacityOf(asked.length, classes)
    const guided = asked[0]!.without !== undefined
    const matrix = (of: (each: Asked) => Float32Array): HostTensor => {
      const data = new Float32Array(k * width)
      asked.forEach((each, i) => data.set(of(each), i * width))
      return { shape: [k, width], data }
    }
    const list = (of: (each: Asked) => number): HostTensor => {
      const data = new Float32Array(k)
      asked.forEach((each, i) => (data[i] = of(each)))
      return { shape: [k], data }
    }
    const feeds: HostTensors = {
      features: matrix(({ given }) => given),
      ...(guided ? { without: matrix(({ without }) => without!), scale: list(({ scale }) => scale!) } : {}),
      ...(question.kind === "probability"
        ? { ids: { shape: [k], data: new Int32Array(k).fill(question.id) } }
        : {
            banned: bannedOf(question.kind === "draw" ? question.rule.banned : question.banned, classes),
          }),
      ...(question.kind === "draw" && question.rule.temperature > 0
        ? {
            uniforms: list(({ uniform }) => uniform),
            temperature: single(question.rule.temperature),
          }
        : {}),
      ...(question.kind === "confidence" && question.ranking.of === "rates"
        ? { hazard: single(question.ranking.hazard) }
        : {}),
    }
    const key = `${programOf(question)}${guided ? "-guided" : ""}-${k}`
    const { token, value } = await programs.run(key, sourceOf(network, question, guided, k), feeds)
    return asked.map((_, i) => ({ token: token?.data[i] ?? -1, value: value!.data[i]! }))
  }

  const ask = runTogether<Asked, Answer>(async (key, asked) => {
    const question = JSON.parse(key) as Question
    const most = capacityOf(Number.POSITIVE_INFINITY, classes)
    const all: Answer[] = []
    for (let from = 0; from < asked.length; from += most)
      all.push(...(await chunk(question, asked.slice(from, from + most))))
    return all
  })
  return async (question, asked) =>
    question.kind === "probability" && question.id >= classes
      ? asked.map(() => ({ token: -1, value: 0 }))
      : ask(JSON.stringify(question), asked)
}
