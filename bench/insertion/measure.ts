/** FlexMDM: our train step and samplers against the published ones in ordinary PyTorch, in turns. */
import { rm } from "node:fs/promises"
import type { FlexmdmModel } from "../../src/families/flexmdm/schema.js"
import { startOurs, startReference, type Contender } from "../contender.js"
import { engineName, torchName, Turns, type Failure, type Seconds, type StepTimes } from "../turns.js"
import { insertionExperiment, writeInsertionJob, type InsertionShape } from "./job.js"

export interface SampleTimes extends StepTimes {
  /** Per text of a whole run of `steps` steps; a published step costs the same wherever it is taken. */
  readonly rounds: readonly Seconds[]
  /** Of that, the passes: without the head for ours, with logits everywhere for the published. */
  readonly passes: readonly Seconds[]
  readonly passesPerText: number
}

export interface InsertionMeasured {
  readonly shape: InsertionShape
  readonly threads: number
  /** Relative difference of the losses of the first batch: executor against PyTorch eager. */
  readonly losses: readonly { readonly id: string; readonly difference: number }[]
  readonly steps: readonly StepTimes[]
  readonly sampling?: {
    readonly texts: number
    readonly steps: number
    readonly counted: number
    readonly meanLength: number
    readonly times: readonly SampleTimes[]
  }
  readonly failures: readonly Failure[]
}

export interface InsertionPlan {
  readonly rounds: number
  readonly stepsPerRound: number
  readonly threads: number
  readonly modes: readonly ("eager" | "compile")[]
  readonly engines: readonly ("onnxruntime" | "tensorflow")[]
  /** Absent: sampling is not measured. */
  readonly sampling?: {
    readonly rounds: number
    readonly texts: number
    readonly steps: number
    /** Published steps that are taken of a run. */
    readonly counted: number
  }
}

interface Sampled extends Seconds {
  readonly body: Seconds
  readonly passes: number
  readonly meanLength?: number
}

export const measureInsertion = async (
  shape: InsertionShape,
  plan: InsertionPlan,
  log: (line: string) => void,
): Promise<InsertionMeasured> => {
  const say = (line: string): void => log(`FlexMDM ${shape.name}: ${line}`)
  const experiment = await insertionExperiment(shape)
  const { data, training } = experiment
  const { tokenizer } = data
  const job = await writeInsertionJob(shape)
  const turns = new Turns(say, { parameters: job.parameters, threads: plan.threads })
  const sampled = new Map<string, { rounds: Seconds[]; passes: Seconds[]; perText: number }>()
  let meanLength = 0
  try {
    for (const mode of plan.modes)
      await turns.add(startReference(torchName(mode), plan.threads, "flexmdm_bench.py"), {
        model: experiment.model as FlexmdmModel,
        length: shape.canvas,
        optimizer: training.optimizer,
        clip: training.clipNorm,
        decay: training.emaDecay,
        mode,
        feeds: job.feeds,
        ids: { mask: tokenizer.maskId, pad: tokenizer.padId, eos: tokenizer.boundaryId },
      })
    for (const engine of plan.engines)
      await turns.add(startOurs(engineName(engine), "bench/insertion/ours.ts"), { shape, engine })
    await turns.train(plan.rounds, plan.stepsPerRound)
    const { sampling } = plan
    if (sampling !== undefined) {
      const published = turns.standing.find(({ id }) => id === torchName("eager"))
      const ours = turns.standing
        .filter(({ id }) => plan.engines.some((engine) => engineName(engine) === id))
        .slice(0, 1)
      const take = async (
        contender: Contender,
        id: string,
        request: object,
        times: number,
      ): Promise<void> => {
        const { texts } = sampling
        const scaled = ({ wall, cpu }: Seconds): Seconds => ({
          wall: (wall * times) / texts,
          cpu: (cpu * times) / texts,
        })
        const asked = { texts, steps: sampling.steps, ...request }
        await turns.ask<Sampled>(contender, "sample", asked, (answer) => {
          const kept = sampled.get(id) ?? { rounds: [], passes: [], perText: 0 }
          kept.rounds.push(scaled(answer))
          kept.passes.push(scaled(answer.body))
          kept.perText = (answer.passes * times) / texts
          sampled.set(id, kept)
          meanLength = answer.meanLength ?? meanLength
        })
      }
      // Programs of every width are compiled by a first run, which is not counted.
      for (const contender of ours) {
        say(`${contender.id}: sampling, a first run`)
        for (const how of ["tau", "events"]) await contender.ask("sample", { how, ...sampling })
      }
      say(`${sampling.rounds} rounds of sampling ${sampling.texts} texts`)
      for (let round = 0; round < sampling.rounds; round++) {
        if (published !== undefined)
          await take(
            published,
            "published sampler",
            { counted: sampling.counted, target: shape.canvas },
            sampling.steps / sampling.counted,
          )
        for (const contender of ours) {
          await take(contender, `${contender.id}, steps as published`, { how: "tau" }, 1)
          await take(contender, `${contender.id}, event-driven`, { how: "events" }, 1)
        }
      }
    }
    return {
      shape,
      threads: plan.threads,
      losses: turns.differences(plan.engines.map(engineName)),
      steps: turns.steps,
      ...(sampling === undefined
        ? {}
        : {
            sampling: {
              texts: sampling.texts,
              steps: sampling.steps,
              counted: sampling.counted,
              meanLength,
              times: [...sampled].map(([id, { rounds, passes, perText }]) => ({
                id,
                rounds,
                passes,
                passesPerText: perText,
              })),
            },
          }),
      failures: turns.failures,
    }
  } finally {
    await turns.close()
    await rm(job.folder, { recursive: true, force: true })
  }
}

/** The old without those of a name that is measured anew, and the new. */
const kept = <T extends { readonly id: string }>(
  old: readonly T[] = [],
  fresh: readonly T[],
): readonly T[] => [...old.filter(({ id }) => fresh.every((each) => each.id !== id)), ...fresh]

/** What was measured of a shape replaces what is stored of it, contender by contender; the rest stays. */
export const mergeMeasured = (
  stored: readonly InsertionMeasured[],
  found: InsertionMeasured,
): readonly InsertionMeasured[] => {
  const before = stored.find(({ shape }) => shape.name === found.shape.name)
  const sampling = found.sampling ?? before?.sampling
  return [
    ...stored.filter((each) => each !== before),
    {
      ...found,
      losses: kept(before?.losses, found.losses),
      steps: kept(before?.steps, found.steps),
      ...(sampling === undefined ? {} : { sampling }),
    },
  ]
}
