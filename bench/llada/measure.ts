/** LLaDA: our tuning step and sampler against the published ones in ordinary PyTorch, in turns. */
import { rm } from "node:fs/promises"
import type { LladaModel } from "../../src/families/llada/schema.js"
import { startOurs, startReference } from "../contender.js"
import { engineName, torchName, Turns, type Failure, type Seconds, type StepTimes } from "../turns.js"
import { lladaExperiment, lladaPrompts, writeLladaJob, type LladaShape } from "./job.js"

export interface LladaMeasured {
  readonly shape: LladaShape
  readonly threads: number
  /** Relative difference of the losses of the first batch: executor against PyTorch eager. */
  readonly losses: readonly { readonly id: string; readonly difference: number }[]
  readonly steps: readonly StepTimes[]
  readonly sampling: {
    readonly texts: number
    readonly response: number
    readonly block: number
    /** Seconds of all texts together. */
    readonly times: readonly StepTimes[]
    /** Share of the generated tokens that are those of the published sampler. */
    readonly agreement: readonly { readonly id: string; readonly share: number }[]
  }
  readonly failures: readonly Failure[]
}

export interface LladaPlan {
  readonly rounds: number
  readonly stepsPerRound: number
  readonly threads: number
  readonly modes: readonly ("eager" | "compile")[]
  readonly engines: readonly ("onnxruntime" | "tensorflow")[]
  readonly texts: number
}

interface Sampled extends Seconds {
  readonly texts: readonly (readonly number[])[]
}

const shareOf = (
  texts: readonly (readonly number[])[],
  base: readonly (readonly number[])[],
  given: number,
) => {
  const pairs = texts.flatMap((text, r) => text.slice(given).map((id, j) => id === base[r]![given + j]))
  return pairs.filter(Boolean).length / pairs.length
}

export const measureLlada = async (
  shape: LladaShape,
  plan: LladaPlan,
  log: (line: string) => void,
): Promise<LladaMeasured> => {
  const say = (line: string): void => log(`LLaDA ${shape.name}: ${line}`)
  const experiment = await lladaExperiment(shape)
  const { data, training } = experiment
  const { maskId, padId } = data.tokenizer
  const job = await writeLladaJob(shape)
  const turns = new Turns(say, { parameters: job.parameters, threads: plan.threads })
  const sampled = new Map<string, Seconds[]>()
  const texts = new Map<string, Sampled["texts"]>()
  const given = shape.length / 4
  const response = shape.length - given
  const block = response / 3
  try {
    for (const mode of plan.modes)
      await turns.add(startReference(torchName(mode), plan.threads, "llada_torch.py"), {
        model: experiment.model as LladaModel,
        length: shape.length,
        optimizer: training.optimizer,
        clip: training.clipNorm,
        mode,
        feeds: job.feeds,
        mask: maskId,
      })
    for (const engine of plan.engines)
      await turns.add(startOurs(engineName(engine), "bench/llada/ours.ts"), { shape, engine })
    await turns.train(plan.rounds, plan.stepsPerRound)
    const request = {
      prompts: lladaPrompts(shape, plan.texts).map(({ tokens }) => tokens),
      response,
      block,
      banned: [maskId, padId],
    }
    // A first run compiles, and is not counted.
    say(`${plan.rounds} rounds of sampling ${plan.texts} texts`)
    for (let round = -1; round < plan.rounds; round++)
      for (const contender of turns.standing.filter(({ id }) => id !== torchName("compile")))
        await turns.ask<Sampled>(contender, "sample", request, ({ wall, cpu, texts: own }) => {
          texts.set(contender.id, own)
          if (round >= 0) sampled.set(contender.id, [...(sampled.get(contender.id) ?? []), { wall, cpu }])
        })
    const baseTexts = texts.get(torchName("eager"))
    const ours = plan.engines.map(engineName)
    return {
      shape,
      threads: plan.threads,
      losses: turns.differences(ours),
      steps: turns.steps,
      sampling: {
        texts: plan.texts,
        response,
        block,
        times: [...sampled].map(([id, rounds]) => ({ id, rounds })),
        agreement: ours.flatMap((id) => {
          const own = texts.get(id)
          return own === undefined || baseTexts === undefined
            ? []
            : [{ id, share: shareOf(own, baseTexts, given) }]
        }),
      },
      failures: turns.failures,
    }
  } finally {
    await turns.close()
    await rm(job.folder, { recursive: true, force: true })
  }
}
