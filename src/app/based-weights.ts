/** Weights that stand on others: what a stage trained, with the frozen weights under it. */
import { join } from "node:path"
import type { WeightSource } from "../engine/weights.js"
import { weightsOf, type Checkpoint, type LoadedWeights, type WeightsOptions } from "../inference/weights.js"
import { trainable } from "../model/optimizer-state.js"
import type { Network } from "../model/network.js"
import type { BeganFrom } from "../run/began-from.js"
import { readRun, type RunReader } from "../run/directory.js"
import type { LoadedSpec } from "../spec/spec-file.js"
import { beginningOfRun, findBeginning, requireBase, type Beginning } from "./beginning.js"
import { standingRuns } from "./chain-data.js"
import { experimentState } from "./experiment-state.js"
import { UsageError } from "./outcome.js"
import { presentContent } from "./present-content.js"

/** The frozen parameters in the files that hold them, which the executor reads itself. */
const frozenIn = (network: Network, { source }: Beginning): WeightSource => {
  const frozen = new Set(network.parameters.flatMap((spec) => (spec.frozen === true ? [spec.name] : [])))
  const tensors = source.tensors.filter(({ name }) => frozen.has(name))
  const others = source.tensors
    .filter(({ name }) => !frozen.has(name))
    .map(({ name, stored = name }) => stored)
  return { ...source, tensors, unused: [...(source.unused ?? []), ...others] }
}

/** Frozen parameters of a run; undefined where it trained everything. */
export const baseOfRun = async (run: RunReader, network: Network): Promise<WeightSource | undefined> => {
  if (network.parameters.every(({ frozen }) => frozen !== true)) return undefined
  const beginning = await beginningOfRun(run)
  return beginning && frozenIn(network, beginning)
}

/** A finished run of a spec on the data as they are; undefined where there is none. */
export const finishedRun = async (spec: LoadedSpec, runs: string): Promise<RunReader | undefined> => {
  const content = await presentContent(spec.experiment.data)
  const state = experimentState(await standingRuns(runs, { spec, content }))
  return state.state === "finished" ? readRun(join(runs, state.run.id)) : undefined
}

export interface BasedWeights {
  readonly loaded: LoadedWeights
  /** What they stand on, and where an executor finds it; absent for a file that holds everything. */
  readonly began?: BeganFrom
  readonly base?: WeightSource
}

/**
 * The parameters of a checkpoint; where it holds what was trained alone, on the base that the spec begins from.
 *
 * @throws DataError where the file says that it stands on another base
 * @throws UsageError where the run that the spec begins from is not there
 */
export const basedWeights = async (
  checkpoint: Checkpoint,
  spec: LoadedSpec,
  network: Network,
  options: WeightsOptions & { readonly file: string; readonly runs: string },
): Promise<BasedWeights> => {
  const { file, runs, ...rest } = options
  const frozen = network.parameters.filter((each) => each.frozen === true)
  const held = (name: string): boolean =>
    [...checkpoint.tensors.keys()].some((stored) => stored === name || stored.endsWith(`.${name}`))
  if (frozen.length === 0 || frozen.some(({ name }) => held(name)))
    return { loaded: weightsOf(checkpoint, network, file, rest) }
  const { parent } = spec
  const run = parent === undefined ? undefined : await finishedRun(parent, runs)
  if (parent !== undefined && run === undefined)
    throw new UsageError(
      `${file} holds what was trained alone, and there is no finished run of ${parent.experiment.id}, profile ${parent.profile}, in ${runs} to put it on: make it with repro run ${parent.experiment.id} --profile ${parent.profile}.`,
    )
  const beginning = await findBeginning(spec.experiment, run)
  if (beginning === undefined) return { loaded: weightsOf(checkpoint, network, file, rest) }
  requireBase(checkpoint.metadata ?? {}, beginning.base, file)
  const trained = { ...network, parameters: trainable(network.parameters) }
  const loaded = weightsOf(checkpoint, trained, file, rest)
  return { loaded, began: beginning.began, base: frozenIn(network, beginning) }
}
