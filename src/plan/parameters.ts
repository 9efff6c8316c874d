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

/** Width of the vector that conditions the blocks; 0 without conditioning. */
export const conditioningWidth = (model: MdlmModel): number =>
  model.conditioning.kind === "none" ? 0 : (model.conditioning.output ?? 2 * model.conditioning.frequencies)

const mdlm = (model: MdlmModel): ParameterCount => {
  const { layers, width, heads, mlpRatio, tableRows, conditioning } = model
  const hidden = width * mlpRatio
  const condition = conditioningWidth(model)
  const vectors = model.modulation === "gated" ? 6 : 4
  const conditioned = condition > 0
  return sumOf([
    group("embedding", 0, tableRows * width),
    group(
      "conditioning",
      0,
      conditioning.kind === "none"
        ? 0
        : 2 * conditioning.frequencies * conditioning.hidden +
            conditioning.hidden +
            conditioning.hidden * condition +
            condition,
    ),
    group("attention", layers * attentionMatrices(width, heads, model.kvHeads ?? heads), 0),
    group("mlp", layers * 2 * width * hidden, model.mlpBias === true ? layers * (hidden + width) : 0),
    group("modulation", 0, conditioned ? layers * vectors * width * (condition + 1) : 0),
    group(
      "final modulation",
      0,
      conditioned && model.modulation === "gated" ? 2 * width * (condition + 1) : 0,
    ),
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
