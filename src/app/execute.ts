/**
 * Runs an experiment: data, training, evaluations, results. Every part can be interrupted and taken up again:
 * training from the last checkpoint, evaluation from the evidence that is there.
 */
import { createHash } from "node:crypto"
import { totalmem } from "node:os"
import { readTokens, type LoadedCorpus } from "../data/corpora/corpus.js"
import { requireUnchanged } from "../data/corpora/identity.js"
import { openRotation } from "../data/rows/rotation.js"
import { modelTokenizer } from "../data/tokenizers/tokenizer.js"
import type { Choice } from "../engine/choose.js"
import type { Executor, HostTensors } from "../engine/executor.js"
import type { Weights } from "../engine/weights.js"
import { evaluate, requireMeasurable } from "../evaluators/evaluate.js"
import { evaluatorPart } from "../evaluators/index.js"
import { requireFinite } from "../inference/weights/finite.js"
import { networkOf } from "../families/traced.js"
import type { Network } from "../model/network.js"
import { explainMemory } from "../plan/fit.js"
import type { Experiment } from "../spec/experiment.js"
import { evaluationParameters } from "../train/state.js"
import { train, totalSteps } from "../train/loop.js"
import { restoredState, storedState } from "../run/checkpoint.js"
import { accountSlice } from "../run/conservation.js"
import { latestCheckpoint, type Run } from "../run/directory.js"
import type { Display } from "../run/display.js"
import { openItems } from "../run/kept-items.js"
import { openPasses, stoppable, StoppedError } from "../run/passes.js"
import { requireBase, type Beginning } from "./beginning.js"
import { begunValues, heldParameters, lending } from "./held-weights.js"

export interface ExecuteOptions {
  readonly run: Run
  readonly experiment: Experiment
  readonly corpus: LoadedCorpus
  readonly executor: Executor
  readonly choice: Choice
  readonly display: Display
  /** True once the user asked to stop; training then ends after the step in progress. */
  readonly stopping: () => boolean
  /** What the weights begin as; absent where they are drawn. */
  readonly beginning?: Beginning | undefined
  readonly now?: () => number
}

export interface ExecuteOutcome {
  readonly finished: boolean
  readonly step: number
  readonly totalSteps: number
}

/** Every step up to this one is recorded: the first steps tell rounding from a fault. */
const RECORDED_FIRST = 64

/** Steps between two later recorded events. */
const eventEvery = (total: number): number => Math.max(1, Math.round(total / 200))

/** Mean over the last steps, so that a person sees a trend and not one batch. */
const movingMean = (size: number): ((value: number) => number) => {
  const values: number[] = []
  return (value) => {
    values.push(value)
    if (values.length > size) values.shift()
    return values.reduce((a, b) => a + b, 0) / values.length
  }
}

const trainPhase = async (
  options: ExecuteOptions,
  weights: Weights | undefined,
): Promise<{
  readonly step: number
  readonly total: number
  readonly state: HostTensors
  readonly stopped: boolean
}> => {
  const { run, experiment, corpus, executor, display, stopping, beginning } = options
  const now = options.now ?? (() => performance.now())
  const { batching, tokenizer } = experiment.data
  const rotation = await openRotation({
    shards: corpus.train,
    shardsInMemory: batching.shardsInMemory,
    rotation: batching.rotation,
    vocabSize: tokenizer.vocabSize,
    verify: (path) => requireUnchanged(corpus, [path]),
  })
  try {
    const total = totalSteps(experiment, rotation.groups)
    const network = networkOf(experiment)
    const begun = await begunValues(network, weights)
    if (total === 0) return { step: 0, total, state: begun, stopped: false }
    const { checkpoint } = await latestCheckpoint(run)
    const stored = checkpoint === undefined ? undefined : await run.readCheckpoint(checkpoint)
    if (stored !== undefined) requireBase(stored.metadata, beginning?.base, checkpoint!.path)
    const resume = stored === undefined ? undefined : { step: checkpoint!.step, state: restoredState(stored) }
    if (resume !== undefined && resume.step >= total)
      return { step: resume.step, total, state: resume.state, stopped: false }
    if (resume !== undefined) {
      display.log(`Resuming after step ${resume.step} of ${total}.`)
    }
    // Without a checkpoint every step is taken again, and is to count once.
    if (resume !== undefined || (await run.events()).some(({ type }) => type === "step"))
      await run.append({ type: "resumed", step: resume?.step ?? 0 })
    const first = resume?.step ?? 0
    display.phase("training", total, { from: first })
    const record = eventEvery(total)
    const smooth = movingMean(50)
    const started = now()
    let tokens = 0
    const outcome = await train({
      experiment,
      executor,
      rotation,
      resume,
      weights,
      begun,
      encode: (text) => modelTokenizer(tokenizer.id, corpus.tokenizer).encode(text),
      onNotice: (sentence) => display.warn(sentence),
      onStep: async ({ step, loss, gradNorm, learningRateFactor, group, positions }) => {
        tokens += positions
        const tokensPerSecond = (1000 * tokens) / Math.max(1, now() - started)
        display.update({
          done: step,
          loss: smooth(loss),
          tokensPerSecond,
          detail: `group ${group + 1}/${rotation.groups}`,
        })
        if (step <= RECORDED_FIRST || step % record === 0 || step === total) {
          await run.append({
            type: "step",
            step,
            loss,
            gradNorm,
            learningRate: learningRateFactor * experiment.training.optimizer.learningRate,
            tokensPerSecond,
          })
        }
      },
      onCheckpoint: async (step, state) => {
        await run.writeCheckpoint(step, storedState(state), {
          step: String(step),
          fingerprint: run.manifest.fingerprint,
          ...(beginning?.base === undefined ? {} : { base: beginning.base }),
        })
      },
      shouldStop: stopping,
    })
    display.end()
    return { step: outcome.step, total, state: outcome.state, stopped: outcome.stopped }
  } finally {
    await rotation.close()
  }
}

/** What every evaluation of a run shares. */
export interface EvaluationContext extends Pick<
  ExecuteOptions,
  "run" | "experiment" | "corpus" | "executor" | "choice" | "display"
> {
  readonly network: Network
  readonly parameters: HostTensors
  /** Tokens of the validation split. */
  readonly split: Awaited<ReturnType<typeof readTokens>>
  /** Optimiser steps behind the parameters; null where the checkpoint does not say. */
  readonly step: number | null
  /** Digest of the frozen weights, which the executor may hold alone. */
  readonly base?: string | undefined
  readonly stopping: () => boolean
}

/** What the passes of an evaluation depend on besides their feeds. */
const passesOf = ({ run, executor, choice, parameters, step, base }: EvaluationContext): string => {
  const weights = createHash("sha256")
  for (const [name, { data }] of Object.entries(parameters))
    weights.update(`${name}\n`).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  return JSON.stringify([
    run.manifest.fingerprint,
    step,
    weights.digest("hex"),
    executor.name,
    executor.version,
    choice.options,
    ...(base === undefined ? [] : [base]),
  ])
}

/**
 * Measures one evaluation and writes its evidence; passes that an earlier, stopped call made are used. That the byte table
 * conserves the split is the caller's to see.
 *
 * @returns false when the user asked to stop before its end
 */
export const measureEvaluation = async (
  evaluation: Experiment["evaluations"][number],
  context: EvaluationContext,
): Promise<boolean> => {
  const { run, experiment, corpus, choice, display, network, parameters, split, step, stopping } = context
  const place = { directory: run.directory, evaluation: evaluation.id }
  const samples = evaluatorPart(evaluation).needs === "sampler"
  const passes = samples
    ? undefined
    : await openPasses(context.executor, { ...place, of: passesOf(context), stopping })
  const kept = samples
    ? await openItems({ ...place, of: JSON.stringify([passesOf(context), evaluation]) })
    : undefined
  const found = passes?.found ?? kept!.found
  if (found > 0)
    display.log(
      `Evaluation ${evaluation.id} goes on: ${found} ${samples ? "groups of texts" : "forward passes"} are there already.`,
    )
  try {
    const { tensors, metadata, items } = await evaluate({
      evaluation,
      experiment,
      network,
      parameters,
      executor: passes?.executor ?? stoppable(context.executor, stopping),
      ...(kept === undefined ? {} : { kept }),
      precision: choice.options.precision,
      split,
      corpus,
      step,
      onStart: (sequences) => display.phase(`evaluating ${evaluation.id}`, sequences, { unit: "sequence" }),
      onProgress: (sequences) => display.update({ done: sequences }),
    })
    display.end()
    await run.writeEvidence(evaluation.id, tensors, metadata, items)
    await passes?.done()
    await kept?.done()
    return true
  } catch (error) {
    if (error instanceof StoppedError) return false
    throw error
  }
}

/** Trains and evaluates; what an earlier, interrupted call left is used. */
export const executeRun = async (options: ExecuteOptions): Promise<ExecuteOutcome> => {
  const { corpus, experiment, display, executor, beginning } = options
  await requireMeasurable(experiment)
  // Before hours of training: what the figures per byte will rest on, and whether there will be any.
  for (const note of accountSlice(corpus, await readTokens(corpus.validation), experiment).notes)
    display.warn(note)
  const weights = beginning === undefined ? undefined : await executor.weights(beginning.source)
  try {
    return await executeOn(options, weights)
  } finally {
    await weights?.dispose()
  }
}

const executeOn = async (options: ExecuteOptions, weights: Weights | undefined): Promise<ExecuteOutcome> => {
  const { run, experiment, corpus, executor, choice, display, beginning } = options
  const { step, total, state, stopped } = await trainPhase(options, weights).catch((error: unknown) => {
    const { device } = choice.options
    throw explainMemory(error, experiment, { executor: executor.name, device, machineBytes: totalmem() })
  })
  if (stopped) {
    await run.append({ type: "interrupted", step })
    return { finished: false, step, totalSteps: total }
  }
  const network = networkOf(experiment)
  const parameters = await heldParameters(
    network,
    total === 0 ? state : evaluationParameters(network, experiment.training, state),
    weights,
  )
  requireFinite(parameters, `${run.directory}, step ${step}`)
  const split = await readTokens(corpus.validation)
  await requireUnchanged(corpus, corpus.validation)
  const done = await run.evidence()
  for (const evaluation of experiment.evaluations) {
    if (done.includes(evaluation.id)) continue
    const measured = await measureEvaluation(evaluation, {
      run,
      experiment,
      corpus,
      executor: lending(executor, weights),
      choice,
      display,
      network,
      parameters,
      split,
      step,
      base: beginning?.base,
      stopping: options.stopping,
    })
    if (!measured || options.stopping()) return { finished: false, step, totalSteps: total }
  }
  return { finished: true, step, totalSteps: total }
}
