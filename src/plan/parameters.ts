/**
 * Parameter counts as pure arithmetic, group by group, without building a network.
 *
 * A group counts how many of its parameters are block matrices, which Muon updates; the rest go to AdamW.
 */
import type { Experiment } from "../spec/experiment.js"
import type { GptModel, MdlmModel } from "../spec/model.js"

export interface ParameterGroup {
  readonly name: string
  readonly count: number
  /** Of `count`: entries of matrices inside blocks. */
  readonly blockMatrices: number
}

export interface ParameterCount {
  readonly total: number
  readonly blockMatrices: number
  readonly groups: readonly ParameterGroup[]
}

const group = (name: string, matrices: number, rest: number): ParameterGroup => ({
  name,
  count: matrices + rest,
  blockMatrices: matrices,
})

const sumOf = (groups: readonly ParameterGroup[]): ParameterCount => ({
  total: groups.reduce((sum, { count }) => sum + count, 0),
  blockMatrices: groups.reduce((sum, { blockMatrices }) => sum + blockMatrices, 0),
  groups: groups.filter(({ count }) => count > 0),
})

/** Query, key, value and output matrices of one block. */
const attentionMatrices = (width: number, heads: number, kvHeads: number): number =>
  2 * width * width + 2 * width * kvHeads * (width / heads)

/**
 * Without a noise level the same path gets level 0, at the published network's sizes: the parameters are there, so that
 * networks with and without conditioning are of one size.
 */
const LEVEL_ZERO = { frequencies: 64, hidden: 512 } as const

const mdlm = (model: MdlmModel): ParameterCount => {
  const { layers, width, heads, mlpRatio, tableRows } = model
  const mlp = Math.floor(width * mlpRatio)
  const sizes = model.conditioning.kind === "sigma" ? model.conditioning : LEVEL_ZERO
  const { frequencies, hidden } = sizes
  const condition = ("output" in sizes ? sizes.output : undefined) ?? 2 * frequencies
  const vectors = model.modulation === "gated" ? 6 : 4
  return sumOf([
    group("embedding", 0, tableRows * width),
    group("conditioning", 0, (2 * frequencies + 1) * hidden + (hidden + 1) * condition),
    group("attention", layers * attentionMatrices(width, heads, model.kvHeads ?? heads), 0),
    group("mlp", layers * 2 * width * mlp, model.mlpBias === true ? layers * (mlp + width) : 0),
    group("modulation", 0, layers * vectors * width * (condition + 1)),
    group("final modulation", 0, model.modulation === "gated" ? 2 * width * (condition + 1) : 0),
    group("head", 0, tableRows * width + (model.headBias === true ? tableRows : 0)),
  ])
}

const gpt = (model: GptModel, vocabSize: number): ParameterCount => {
  const { layers, width, heads, kvHeads, mlpRatio } = model
  return sumOf([
    group("embedding (tied with the head)", 0, (model.tableRows ?? vocabSize) * width),
    group("attention", layers * attentionMatrices(width, heads, kvHeads), 0),
    group("mlp", layers * 2 * width * width * mlpRatio, 0),
    // Per block: a scale after attention and after the MLP, two residual mixes, one gain for each query head.
    group("scales and gains", 0, layers * (4 * width + heads)),
    group("skip weights", 0, Math.floor(layers / 2) * width),
  ])
}

/** The parameters of an experiment's network. */
export const parameterCount = ({ model, data }: Pick<Experiment, "model" | "data">): ParameterCount =>
  model.kind === "mdlm" ? mdlm(model) : gpt(model, data.tokenizer.vocabSize)
