/** LLaDA: our tuning step and sampler against the published ones in ordinary PyTorch, in turns. */
import { rm } from "node:fs/promises"
import type { LladaModel } from "../../src/families/llada/schema.js"
import { startOurs, startReference, type Contender } from "../contender.js"
import { torchName, type Seconds, type StepTimes } from "../insertion/measure.js"
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
  readonly failures: readonly { readonly id: string; readonly why: string }[]
}

export interface LladaPlan {
  readonly rounds: number
  readonly stepsPerRound: number
  readonly threads: number
  readonly modes: readonly ("eager" | "compile")[]
  readonly engines: readonly ("onnxruntime" | "tensorflow")[]
  readonly texts: number
}

interface Steps {
  readonly wall: readonly number[]
  readonly cpu: readonly number[]
  readonly loss: number
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

const timesOf = (of: ReadonlyMap<string, readonly Seconds[]>): readonly StepTimes[] =>
  [...of].map(([id, rounds]) => ({ id, rounds }))

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
  const failures: { readonly id: string; readonly why: string }[] = []
  const open: Contender[] = []
  const failed = async (contender: Contender, error: unknown): Promise<void> => {
    const why = error instanceof Error ? error.message : String(error)
    failures.push({ id: contender.id, why })
    say(`${contender.id} failed: ${why}`)
    const at = open.indexOf(contender)
    if (at >= 0) open.splice(at, 1)
    await contender.close()
  }
  const add = async (contender: Contender, request: object): Promise<void> => {
    say(`starting ${contender.id}`)
    open.push(contender)
    await contender
      .ask("init", { ...request, parameters: job.parameters, threads: plan.threads })
      .catch((error: unknown) => failed(contender, error))
  }
  const losses = new Map<string, number>()
  const steps = new Map<string, Seconds[]>()
  const sampled = new Map<string, Seconds[]>()
  const texts = new Map<string, Sampled["texts"]>()
  const given = shape.length / 4
  const response = shape.length - given
  const block = response / 3
  try {
    for (const mode of plan.modes)
      await add(startReference(torchName(mode), plan.threads, "llada_torch.py"), {
        model: experiment.model as LladaModel,
        length: shape.length,
        optimizer: training.optimizer,
        clip: training.clipNorm,
        mode,
        feeds: job.feeds,
        mask: maskId,
      })
    for (const engine of plan.engines)
      await add(startOurs(`${engine} fp32`, "bench/llada/ours.ts"), { shape, engine })
    // The first step compiles, and its loss is of the same parameters and rows on every side.
    for (const contender of open.slice())
      await contender.ask<Steps>("steps", { count: 1 }).then(
        ({ loss }) => void losses.set(contender.id, loss),
        (error: unknown) => failed(contender, error),
      )
    say(`${plan.rounds} rounds of ${plan.stepsPerRound} steps`)
    for (let round = 0; round < plan.rounds; round++)
      for (const contender of open.slice())
        await contender.ask<Steps>("steps", { count: plan.stepsPerRound }).then(
          ({ wall, cpu }) =>
            void steps.set(contender.id, [
              ...(steps.get(contender.id) ?? []),
              ...wall.map((seconds, i) => ({ wall: seconds, cpu: cpu[i]! })),
            ]),
          (error: unknown) => failed(contender, error),
        )
    const request = {
      prompts: lladaPrompts(shape, plan.texts).map(({ tokens }) => tokens),
      response,
      block,
      banned: [maskId, padId],
    }
    const samplers = () => open.filter(({ id }) => id !== torchName("compile"))
    // A first run compiles, and is not counted.
    say(`${plan.rounds} rounds of sampling ${plan.texts} texts`)
    for (let round = -1; round < plan.rounds; round++)
      for (const contender of samplers())
        await contender.ask<Sampled>("sample", request).then(
          ({ wall, cpu, texts: own }) => {
            texts.set(contender.id, own)
            if (round >= 0) sampled.set(contender.id, [...(sampled.get(contender.id) ?? []), { wall, cpu }])
          },
          (error: unknown) => failed(contender, error),
        )
    const eager = torchName("eager")
    const [base, baseTexts] = [losses.get(eager), texts.get(eager)]
    const ours = plan.engines.map((engine) => `${engine} fp32`)
    return {
      shape,
      threads: plan.threads,
      losses: ours.flatMap((id) => {
        const own = losses.get(id)
        return own === undefined || base === undefined ? [] : [{ id, difference: Math.abs(own / base - 1) }]
      }),
      steps: timesOf(steps),
      sampling: {
        texts: plan.texts,
        response,
        block,
        times: timesOf(sampled),
        agreement: ours.flatMap((id) => {
          const own = texts.get(id)
          return own === undefined || baseTexts === undefined
            ? []
            : [{ id, share: shareOf(own, baseTexts, given) }]
        }),
      },
      failures,
    }
  } finally {
    await Promise.all(open.map((contender) => contender.close()))
    await rm(job.folder, { recursive: true, force: true })
  }
}
