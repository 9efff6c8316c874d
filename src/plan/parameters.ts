/**
 * Parameter counts by group, from the specs that the network is built of.
 *
 * A group counts how many of its parameters are block matrices, which Muon updates; the rest go to AdamW.
 */
import { networkPart } from "../families/index.js"
import { countParameters } from "../model/parameters.js"
import type { Experiment } from "../spec/experiment.js"

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

/** The parameters of an experiment's network. */
export const parameterCount = ({ model, data }: Pick<Experiment, "model" | "data">): ParameterCount => {
  const part = networkPart(model)
  const specs = part.parameters(model, data.tokenizer.vocabSize)
  const matrices = specs.filter(({ group }) => group === "matrix")
  const groups = part.sections.map(([name, members]) => ({
    name,
    count: countParameters(specs.filter((spec) => members.test(spec.name))),
    blockMatrices: countParameters(matrices.filter((spec) => members.test(spec.name))),
  }))
  return {
    total: countParameters(specs),
    blockMatrices: countParameters(matrices),
    groups: groups.filter(({ count }) => count > 0),
  }
}
