/** The plan: an experiment with every derived quantity written out. Making it runs nothing and reads no data. */
import { corpusPart } from "../data/corpora/index.js"
import { objectivePart } from "../families/index.js"
import { contractOf } from "../evaluators/index.js"
import type { Contract } from "../metric/contract/contract.js"
import type { Experiment } from "../spec/experiment.js"
import type { LoadedSpec, Profile, ProfileDifference } from "../spec/spec-file.js"
import {
  evaluationCost,
  forwardFlops,
  memoryEstimate,
  rateFor,
  trainingSteps,
  type EvaluationCost,
  type MemoryEstimate,
  type Rate,
} from "./cost.js"
import { plannedFiles, type PlannedFiles } from "./files.js"
import { parameterCount, type ParameterCount } from "./parameters.js"

export interface Machine {
  readonly cores: number
  /** Bytes. */
  readonly memory: number
}

export interface PlannedStream {
  readonly name: "init" | "data" | "time" | "mask" | "eval-mask" | "sample"
  readonly seed: number
  readonly used: string
}

export interface PlannedContract {
  readonly evaluation: string
  readonly contract: Contract
}

export interface RunPlan {
  readonly planVersion: 1
  readonly spec: {
    readonly file: string
    readonly id: string
    readonly title: string
    readonly profile: Profile
    readonly fingerprint: string
  }
  /** What this profile changes of the published configuration. */
  readonly differences: readonly ProfileDifference[]
  readonly claims: readonly string[]
  readonly experiment: Experiment
  readonly training: {
    readonly shards: number
    readonly groups: number
    readonly stepsPerGroup: number
    readonly steps: number
    readonly sequencesPerStep: number
    /** Positions of the network, padding included. */
    readonly positionsPerStep: number
    readonly positions: number
    readonly checkpoints: number
  }
  readonly parameters: ParameterCount
  readonly flops: {
    readonly forwardPerPosition: number
    readonly trainingPerPosition: number
    readonly perStep: number
    readonly training: number
    readonly evaluation: number
    readonly total: number
  }
  readonly evaluations: readonly EvaluationCost[]
  /** Bytes, in fp32 on the CPU. */
  readonly memory: MemoryEstimate
  /** Seconds, at the measured rate that comes nearest. Data preparation is not included. */
  readonly time: {
    readonly rate: Rate
    readonly cores: number
    readonly training: number
    readonly evaluation: number
    readonly total: number
  }
  readonly files: PlannedFiles
  readonly streams: readonly PlannedStream[]
  readonly contracts: readonly PlannedContract[]
  /** What stands in the way on this machine, in sentences. */
  readonly warnings: readonly string[]
}

/** The named random streams of a run; an evaluation has its own seed. */
const streamsOf = ({ training, objective, evaluations }: Experiment): readonly PlannedStream[] => {
  const { seed } = training
  const masks = evaluations.filter((evaluation) => "seed" in evaluation)
  return [
    { name: "init", seed, used: "initial parameters" },
    { name: "data", seed, used: "which sequences are drawn" },
    ...objectivePart(objective).streams.map(({ name, used }) => ({ name, seed, used })),
    ...masks.map((evaluation) => ({
      name: "eval-mask" as const,
      seed: "seed" in evaluation ? evaluation.seed : seed,
      used: `masks and orders of ${evaluation.id}`,
    })),
    { name: "sample", seed, used: "generation, when asked for" },
  ]
}

/** The contract of each evaluation, as far as it is known before anything runs. */
export const plannedContracts = (experiment: Experiment): readonly PlannedContract[] => {
  const { data, objective, training, evaluations } = experiment
  const corpus = data.corpus
  const part = objectivePart(objective)
  const eps = part.eps(objective)
  const whole = corpusPart(corpus).validationTokens?.(corpus)
  return evaluations.map((evaluation) => {
    const { count, length } = evaluation.windows
    const tokens = count * length
    return {
      evaluation: evaluation.id,
      contract: contractOf(evaluation, {
        dataset: corpusPart(corpus).dataset(corpus),
        split: "validation",
        slice: `the first ${count} windows of ${length} tokens, or all`,
        ...(whole === undefined ? {} : { coverage: Math.min(1, tokens / whole) }),
        tokenizer: { id: data.tokenizer.id },
        boundary: part.boundary(objective),
        ...(data.tokenizer.separatorId === undefined ? {} : { prompts: true as const }),
        ...(eps === undefined ? {} : { eps }),
        denominator: { kind: "byte-table" },
        selection: "last-checkpoint",
        seeds: [training.seed],
      }),
    }
  })
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`

/** The plan of one profile of a spec on a machine. */
export const makePlan = (spec: LoadedSpec, machine: Machine): RunPlan => {
  const { experiment } = spec
  const { training, data } = experiment
  const { shards, groups, steps } = trainingSteps(experiment)
  const sequencesPerStep = training.microBatch * training.accumulation
  const positionsPerStep = sequencesPerStep * data.batching.length
  const forwardPerPosition = forwardFlops(experiment, data.batching.length)
  const perStep = 3 * forwardPerPosition * positionsPerStep
  const evaluations = experiment.evaluations.map((evaluation) => evaluationCost(experiment, evaluation))
  const evaluationFlops = evaluations.reduce((sum, { flops }) => sum + flops, 0)
  const device = experiment.execution?.device ?? "cpu"
  const rate = rateFor(experiment, device)
  const cores = device === "gpu" ? 1 : (experiment.execution?.threads ?? machine.cores)
  const speed = rate.flopsPerSecond * cores
  const memory = memoryEstimate(experiment)
  return {
    planVersion: 1,
    spec: {
      file: spec.file,
      id: experiment.id,
      title: experiment.title,
      profile: spec.profile,
      fingerprint: spec.fingerprint,
    },
    differences: spec.differences,
    claims: experiment.claims,
    experiment,
    training: {
      shards,
      groups,
      stepsPerGroup: training.stepsPerGroup,
      steps,
      sequencesPerStep,
      positionsPerStep,
      positions: steps * positionsPerStep,
      checkpoints: Math.ceil(steps / training.checkpointEvery),
    },
    parameters: parameterCount(experiment),
    flops: {
      forwardPerPosition,
      trainingPerPosition: 3 * forwardPerPosition,
      perStep,
      training: steps * perStep,
      evaluation: evaluationFlops,
      total: steps * perStep + evaluationFlops,
    },
    evaluations,
    memory,
    time: {
      rate,
      cores,
      training: (steps * perStep) / speed,
      evaluation: evaluationFlops / speed,
      total: (steps * perStep + evaluationFlops) / speed,
    },
    files: plannedFiles(experiment),
    streams: streamsOf(experiment),
    contracts: plannedContracts(experiment),
    warnings:
      device === "cpu" && memory.total > machine.memory
        ? [
            `This machine has ${gib(machine.memory)} of memory; the run needs about ${gib(memory.total)}. Lower training.microBatch and raise training.accumulation in the same measure.`,
          ]
        : [],
  }
}
