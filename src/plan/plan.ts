/** The plan: an experiment with every derived quantity written out. Making it runs nothing and reads no data. */
import { corpusPart } from "../data/corpora/index.js"
import { networkPart, objectivePart } from "../families/index.js"
import { contractOf, evaluatorPart } from "../evaluators/index.js"
import { handedPath } from "../files/handed-path.js"
import type { Contract } from "../metric/contract/contract.js"
import type { Experiment } from "../spec/experiment.js"
import { windowsIn } from "../spec/windows.js"
import type { LoadedSpec, Profile, ProfileDifference } from "../spec/spec-file.js"
import { ancestorsOf } from "../spec/stages.js"
import {
  evaluationCost,
  forwardFlops,
  memoryEstimate,
  coresAt,
  rateFor,
  secondsAt,
  trainingFlops,
  trainingSteps,
  type EvaluationCost,
  type MemoryEstimate,
  type Rate,
} from "./cost.js"
import { ACCELERATORS, acceleratorEstimate, type AcceleratorEstimate } from "./accelerator.js"
import { plannedFiles, type PlannedFiles } from "./files.js"
import { judgeCosts, type JudgeCost } from "./judges.js"
import { parameterCount, type ParameterCount } from "./parameters.js"

export interface Machine {
  readonly cores: number
  /** Bytes. */
  readonly memory: number
}

export interface PlannedStream {
  readonly name: "init" | "data" | "time" | "mask" | "dropout" | "eval-mask" | "sample"
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
  /** The experiments that it begins from, the first stage first; absent where it draws its weights. */
  readonly chain?: readonly ChainStage[]
  /** What judges its texts, and the experiments that these judges are results of; absent where none does. */
  readonly judges?: readonly PlannedJudge[]
  /** Bytes on each accelerator, where the network says them. */
  readonly accelerator?: AcceleratorEstimate
  /** What stands in the way on this machine, in sentences. */
  readonly warnings: readonly string[]
}

/** A judge with what it costs, in seconds at the rate of its own network. */
export interface PlannedJudge extends JudgeCost {
  readonly seconds: number
  /** The experiment that makes it. */
  readonly made: ChainStage
}

/** One stage of a chain with its cost. */
export interface ChainStage {
  readonly spec: string
  readonly profile: Profile
  readonly fingerprint: string
  readonly steps: number
  readonly positions: number
  /** FLOPs of training and evaluation. */
  readonly flops: number
  /** Seconds on this machine, data preparation apart. */
  readonly seconds: number
}

const stageOf = (spec: LoadedSpec, machine: Machine): ChainStage => {
  const { training, flops, time } = makePlan(spec, machine)
  return {
    spec: spec.experiment.id,
    profile: spec.profile,
    fingerprint: spec.fingerprint,
    steps: training.steps,
    positions: training.positions,
    flops: flops.total,
    seconds: time.total,
  }
}

/** The named random streams of a run; an evaluation has its own seed. */
const streamsOf = ({ model, training, objective, evaluations }: Experiment): readonly PlannedStream[] => {
  const { seed } = training
  const masks = evaluations.filter((evaluation) => "seed" in evaluation)
  return [
    { name: "init", seed, used: "initial parameters" },
    { name: "data", seed, used: "which sequences are drawn" },
    ...objectivePart(objective).streams.map(({ name, used }) => ({ name, seed, used })),
    ...(networkPart(model).dropout?.(model) === undefined
      ? []
      : [{ name: "dropout" as const, seed, used: "which activations are dropped in training" }]),
    ...evaluations.flatMap((evaluation) =>
      (evaluatorPart(evaluation).sampleSeeds?.(evaluation) ?? []).map((own) => ({
        name: "sample" as const,
        seed: own,
        used: `texts of ${evaluation.id}`,
      })),
    ),
    ...masks.map((evaluation) => ({
      name: "eval-mask" as const,
      seed: "seed" in evaluation ? evaluation.seed : seed,
      used: `masks and orders of ${evaluation.id}`,
    })),
    { name: "sample", seed, used: "generation, when asked for" },
  ]
}

/** Whether a byte table can be made of the tokenizer: a tokenizer.json spells its pieces in codes. */
const hasByteTable = ({ corpus, tokenizer }: Experiment["data"]): boolean =>
  tokenizer.model === "corpus"
    ? corpusPart(corpus).codedPieces !== true
    : !tokenizer.model.toLowerCase().endsWith(".json")

/** The contract of each evaluation, as far as it is known before anything runs. */
export const plannedContracts = (experiment: Experiment): readonly PlannedContract[] => {
  const { data, objective, training, evaluations } = experiment
  const corpus = data.corpus
  const part = objectivePart(objective)
  const eps = part.eps(objective)
  const textEnd = part.textEnd?.(objective, data.tokenizer)
  const whole = corpusPart(corpus).validationTokens?.(corpus)
  return evaluations.map((evaluation) => {
    const windows = windowsIn(evaluation)
    const tokens = windows === undefined ? 0 : windows.count * windows.length
    return {
      evaluation: evaluation.id,
      contract: contractOf(evaluation, {
        dataset: corpusPart(corpus).dataset(corpus),
        split: "validation",
        ...(windows === undefined
          ? {}
          : { slice: `the first ${windows.count} windows of ${windows.length} tokens, or all` }),
        ...(whole === undefined || windows === undefined ? {} : { coverage: Math.min(1, tokens / whole) }),
        tokenizer: { id: data.tokenizer.id },
        boundary: part.boundary(objective),
        ...(textEnd === undefined ? {} : { textEnd: "coded" as const }),
        ...(data.tokenizer.separatorId === undefined ? {} : { prompts: true as const }),
        ...(eps === undefined ? {} : { eps }),
        ...(hasByteTable(data)
          ? { denominator: { kind: "byte-table" as const } }
          : { denominator: { kind: "tokens" as const }, unit: "bits/token" as const }),
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
  const trainingPerPosition = trainingFlops(experiment, data.batching.length)
  const perStep = trainingPerPosition * positionsPerStep
  const evaluations = experiment.evaluations.map((evaluation) => evaluationCost(experiment, evaluation))
  const evaluationFlops = evaluations.reduce((sum, { flops }) => sum + flops, 0)
  const device = experiment.execution?.device ?? "cpu"
  const rate = rateFor(experiment, device)
  const cores = device === "gpu" ? 1 : (experiment.execution?.threads ?? machine.cores)
  const trainingSeconds = secondsAt(rate, cores, "training", steps * perStep, steps * positionsPerStep)
  const evaluationSeconds = secondsAt(
    rate,
    cores,
    "evaluation",
    evaluationFlops,
    evaluations.reduce((sum, { tokens, forwardsPerWindow }) => sum + tokens * forwardsPerWindow, 0),
  )
  const judges = judgeCosts(spec).map((cost): PlannedJudge => {
    const judge = spec.judges!.get(cost.fingerprint)!
    const seconds = secondsAt(
      rateFor(judge.experiment, device),
      cores,
      "evaluation",
      cost.flops,
      cost.forwards * cost.window,
    )
    return { ...cost, seconds, made: stageOf(judge, machine) }
  })
  const judgeFlops = judges.reduce((sum, each) => sum + each.flops, 0)
  const judgeSeconds = judges.reduce((sum, { seconds }) => sum + seconds, 0)
  const needed = memoryEstimate(experiment)
  const judging = Math.max(0, ...judges.map(({ memory: bytes }) => bytes))
  // A judge comes when training is over: beside it are the weights that it judges.
  const memory: MemoryEstimate = {
    ...needed,
    ...(judges.length === 0 ? {} : { judge: judging }),
    total: Math.max(needed.total, needed.parameters + needed.program + judging),
  }
  const accelerator = device === "gpu" ? acceleratorEstimate(experiment) : undefined
  return {
    planVersion: 1,
    spec: {
      file: handedPath(spec.file),
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
      trainingPerPosition,
      perStep,
      training: steps * perStep,
      evaluation: evaluationFlops + judgeFlops,
      total: steps * perStep + evaluationFlops + judgeFlops,
    },
    evaluations,
    memory,
    time: {
      rate,
      cores: coresAt(rate, cores),
      training: trainingSeconds,
      evaluation: evaluationSeconds + judgeSeconds,
      total: trainingSeconds + evaluationSeconds + judgeSeconds,
    },
    files: plannedFiles(experiment, spec.judges?.values()),
    streams: streamsOf(experiment),
    contracts: plannedContracts(experiment),
    ...(spec.parent === undefined
      ? {}
      : { chain: ancestorsOf(spec).map((stage) => stageOf(stage, machine)) }),
    ...(judges.length === 0 ? {} : { judges }),
    ...(accelerator === undefined ? {} : { accelerator }),
    warnings:
      device === "cpu" && memory.total > machine.memory
        ? [
            `This machine has ${gib(machine.memory)} of memory; the run needs about ${gib(memory.total)}. Lower training.microBatch and raise training.accumulation in the same measure.`,
          ]
        : accelerator !== undefined && accelerator.fits.length === 0
          ? [
              `No accelerator of ${Math.max(...ACCELERATORS.map(({ bytes }) => bytes)) / 2 ** 30} GiB holds the ${gib(accelerator.total)} of one micro-batch of ${training.microBatch}. Lower training.microBatch and raise training.accumulation in the same measure.`,
            ]
          : [],
  }
}
