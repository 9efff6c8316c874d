/** `repro sample`: texts from the weights of a run, or of a checkpoint made elsewhere. */
import * as Option from "effect/Option"
import { writeFileAtomic } from "../files/atomic.js"
import { loadTokenizer, requireStatedDigests } from "../data/corpora/corpus.js"
import { cacheDirectory } from "../files/sources.js"
import type { SentencePieceModel } from "../data/tokenizers/sentencepiece.js"
import { requireDigest } from "../data/corpora/stated-digests.js"
import { openExecutor } from "../engine/choose.js"
import type { HostTensors } from "../engine/executor.js"
import type { Revealed } from "../samplers/masked/fill.js"
import { sampledModel } from "../samplers/masked/model.js"
import { forwardsOf, samplingPredictor, sampleTexts, type SampledText } from "../samplers/masked/sample.js"
import { checkSettings, type SamplerName, type SamplingSettings } from "../samplers/masked/settings.js"
import { encodePrompt, textOf } from "../samplers/masked/text.js"
import { unigramEntropy } from "../samplers/unigram-entropy.js"
import { readCheckpoint, weightsOf } from "../inference/weights.js"
import { requireFinite } from "../inference/weights/finite.js"
import { networkPart } from "../families/index.js"
import { networkOf } from "../families/traced.js"
import type { Network } from "../model/network.js"
import { restoredState } from "../run/checkpoint.js"
import { latestCheckpoint } from "../run/directory.js"
import { openDisplay, type Display } from "../run/display.js"
import { RunError } from "../run/errors.js"
import { experimentOf } from "../run/experiment-of.js"
import type { Experiment } from "../spec/experiment.js"
import type { Profile } from "../spec/spec-file.js"
import { evaluationParameters } from "../train/state.js"
import { chooseExecutor, type EngineFlags } from "./choose-executor.js"
import { watchInterrupts, type Stop } from "./interrupts.js"
import { shortPath } from "./locate.js"
import { openSpec } from "./open-spec.js"
import { UsageError, type Outcome } from "./outcome.js"
import { canView, openView, type View, type ViewStream } from "./unmasking-view.js"
import { readNameMap } from "./given-weights.js"
import { findRun } from "./run-results.js"
import { describeSettings, showTexts } from "./sample-text.js"

export interface SampleInput extends EngineFlags {
  readonly run: Option.Option<string>
  readonly checkpoint: Option.Option<string>
  readonly spec: Option.Option<string>
  readonly profile: Profile
  readonly set?: readonly string[]
  readonly names: Option.Option<string>
  readonly count: number
  readonly length: Option.Option<number>
  readonly sampler: Option.Option<SamplerName>
  readonly steps: Option.Option<number>
  readonly block: Option.Option<number>
  readonly temperature: number
  readonly topP: number
  readonly seed: number
  readonly prompt: string
  readonly suffix: string
  readonly cache: "on" | "off"
  readonly watch: boolean
  readonly out: Option.Option<string>
  readonly runs: string
  readonly json: boolean
}

interface Weights {
  readonly experiment: Experiment
  readonly network: Network
  readonly parameters: HostTensors
  /** SHA-256 of the tokenizer that they were trained with, where it is known. */
  readonly tokenizer?: string
  /** Where they are from, for people and for programs. */
  readonly about: string
  readonly origin: Readonly<Record<string, unknown>>
}

const ofRun = async (root: string, name: string): Promise<Weights> => {
  const run = await findRun(root, name)
  const { id, spec, profile, fingerprint } = run.manifest
  const { checkpoint, unreadable } = await latestCheckpoint(run)
  if (unreadable[0] !== undefined) await run.readCheckpoint(unreadable[0]) // earlier weights never stand in for these
  if (checkpoint === undefined)
    throw new RunError(
      "not-found",
      run.directory,
      "the run has no checkpoint to sample from; train it with repro run, or, where it scored a file, give --checkpoint and --spec.",
    )
  const experiment = experimentOf(run)
  const network = networkOf(experiment)
  const state = restoredState(await run.readCheckpoint(checkpoint))
  const parameters = evaluationParameters(network, experiment.training, state)
  requireFinite(parameters, `run ${id}, step ${checkpoint.step}`)
  return {
    experiment,
    network,
    ...(run.manifest.data === undefined ? {} : { tokenizer: run.manifest.data.tokenizer.sha256 }),
    parameters,
    about: `run ${id}, step ${checkpoint.step}`,
    origin: { run: id, spec, profile, fingerprint, step: checkpoint.step },
  }
}

const ofFile = async (input: SampleInput, path: string, spec: string): Promise<Weights> => {
  const { experiment, profile } = await openSpec(spec, input.profile, input.set)
  const names = await readNameMap(Option.getOrUndefined(input.names))
  const network = networkOf(experiment)
  const checkpoint = await readCheckpoint(path)
  const loaded = weightsOf(checkpoint, network, path, {
    names,
    ema: experiment.training.emaDecay ?? false,
    model: experiment.model,
  })
  return {
    experiment,
    network,
    parameters: loaded.parameters,
    about: [
      `${path} as ${experiment.id}, profile ${profile}, ${loaded.set === "ema" ? "the moving average of the weights" : "raw weights"}`,
      ...loaded.notes,
    ].join(". "),
    origin: {
      checkpoint: path,
      spec: experiment.id,
      profile,
      step: checkpoint.step,
      weights: {
        set: loaded.set,
        under: loaded.under,
        leftOut: loaded.unused,
        buffers: loaded.buffers,
        absent: loaded.absent,
        notes: loaded.notes,
      },
    },
  }
}

const loadWeights = (input: SampleInput): Promise<Weights> => {
  const [run, checkpoint, spec] = [input.run, input.checkpoint, input.spec].map(Option.getOrUndefined)
  if (checkpoint !== undefined && run !== undefined)
    throw new UsageError(`sample: give the run ${run} or --checkpoint ${checkpoint}, not both.`)
  if (checkpoint !== undefined && spec !== undefined) return ofFile(input, checkpoint, spec)
  if (checkpoint !== undefined || spec !== undefined)
    throw new UsageError("sample: --checkpoint and --spec go together: the weights, and what they are of.")
  if (run === undefined)
    throw new UsageError('sample: name a run ("latest" is one), or give --checkpoint FILE --spec SPEC.')
  return ofRun(input.runs, run)
}

const settingsOf = (
  input: SampleInput,
  tokenizer: SentencePieceModel,
  { kind, window }: { readonly kind: "masked" | "causal"; readonly window: number },
): SamplingSettings => {
  const prefix = encodePrompt(tokenizer, input.prompt, "--prompt")
  const suffix = encodePrompt(tokenizer, input.suffix, "--suffix")
  const length = Option.getOrElse(input.length, () => window)
  const sampler = Option.getOrElse(input.sampler, () => (kind === "causal" ? "left-to-right" : "ancestral"))
  const free = Math.max(1, length - prefix.length - suffix.length)
  return {
    sampler,
    count: input.count,
    length,
    steps: sampler === "left-to-right" ? free : Option.getOrElse(input.steps, () => free),
    temperature: input.temperature,
    topP: input.topP,
    block: Option.getOrUndefined(input.block),
    seed: input.seed,
    prefix,
    suffix,
    cache: input.cache === "on",
  }
}

/** Draws the text that is being sampled; with a view there is one at a time. */
const watcher =
  (view: View, settings: SamplingSettings, maskId: number) =>
  async (news: readonly Revealed[]): Promise<void> => {
    for (const { draft, step, positions } of news) {
      const left = draft.tokens.reduce((n, token) => n + (token === maskId ? 1 : 0), 0)
      const kept = (i: number): boolean =>
        i < settings.prefix.length || i >= settings.length - settings.suffix.length
      const status = `text ${draft.index + 1} of ${settings.count}, step ${step} of ${settings.steps}, ${left} masked, ${draft.forwards} forward passes`
      await view.show({ tokens: draft.tokens, kept, status }, positions, left === 0)
    }
  }

interface Generated {
  readonly texts: readonly SampledText[]
  readonly seconds: number
}

const generate = async (
  input: SampleInput,
  { experiment, network, parameters }: Weights,
  tokenizer: SentencePieceModel,
  settings: SamplingSettings,
  display: Display,
  stop: Stop,
  stream: ViewStream,
): Promise<Generated> => {
  const model = sampledModel(experiment)
  const choice = await chooseExecutor(input, experiment.execution)
  const executor = await openExecutor(choice)
  try {
    display.log(`Engine ${choice.engine} ${executor.version}, ${choice.options.precision}: ${choice.reason}.`)
    const watched = input.watch && canView(stream, process.env)
    if (input.watch && !watched)
      display.log("The texts are not shown while they are made: standard error is not a terminal.")
    const batch = watched ? 1 : experiment.execution?.evaluationBatch
    const predictor = await samplingPredictor(executor, network, parameters, { model, settings, batch })
    const view = watched
      ? openView({
          stream,
          env: process.env,
          model: { pieces: tokenizer.pieces, maskId: model.maskId },
          steps: settings.steps,
        })
      : undefined
    const free = settings.length - settings.prefix.length - settings.suffix.length
    if (view === undefined) display.phase("sampling", settings.count * free, { unit: "token" })
    let done = 0
    const follow = (news: readonly Revealed[]): void => {
      for (const { positions } of news) done += positions.length
      display.update({ done })
    }
    try {
      const began = performance.now()
      const texts = await sampleTexts({
        predictor,
        model,
        settings,
        onRevealed: view === undefined ? follow : watcher(view, settings, model.maskId),
        stopping: stop.requested,
      })
      return { texts, seconds: (performance.now() - began - (view?.waited() ?? 0)) / 1000 }
    } finally {
      view?.close()
      display.end()
      await predictor.dispose()
    }
  } finally {
    await executor.dispose()
  }
}

export const sample = async (
  input: SampleInput,
  display: Display = openDisplay(),
  stream: ViewStream = process.stderr,
): Promise<Outcome> => {
  const weights = await loadWeights(input)
  const { experiment } = weights
  if (networkPart(experiment.model).endSlot?.(experiment.model) !== undefined)
    throw new UsageError(
      `sample: ${experiment.id} is of the kind "${experiment.model.kind}", which inserts tokens; this command samples texts of fixed length. Name a run of another network.`,
    )
  const place = { cacheDir: cacheDirectory() }
  const tokenizer = await loadTokenizer(experiment.data, place)
  requireDigest(experiment.data.tokenizer.model, weights.about, weights.tokenizer, tokenizer.digest)
  await requireStatedDigests(experiment.data, place)
  const model = sampledModel(experiment)
  const settings = settingsOf(input, tokenizer, model)
  checkSettings(settings, model) // before an executor starts
  const stop = watchInterrupts(display)
  try {
    const { texts, seconds } = await generate(input, weights, tokenizer, settings, display, stop, stream)
    const entropy = unigramEntropy(texts.map(({ generated }) => generated))
    const tokens = texts.reduce((n, { generated }) => n + generated.length, 0)
    const summary = {
      ...weights.origin,
      ...settings,
      block: settings.block ?? null,
      prefix: input.prompt,
      suffix: input.suffix,
      finished: texts.length === settings.count,
      tokens,
      forwards: forwardsOf(texts),
      seconds,
      tokensPerSecond: tokens / seconds,
      unigramEntropy:
        tokens === 0
          ? null
          : {
              natsPerToken: entropy.perText,
              bitsPerToken: entropy.perText / Math.LN2,
              pooledNatsPerToken: entropy.pooled,
              pooledBitsPerToken: entropy.pooled / Math.LN2,
            },
    }
    const samples = texts.map((each) => ({
      index: each.index,
      text: textOf(tokenizer, each.tokens, model.boundaryId),
      tokens: [...each.tokens],
      forwards: each.forwards,
    }))
    const out = Option.getOrUndefined(input.out)
    if (out !== undefined) {
      const lines = [{ type: "sampling", ...summary }, ...samples.map((each) => ({ type: "text", ...each }))]
      await writeFileAtomic(out, lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
    }
    return {
      text: showTexts(samples, describeSettings(settings, weights.about, { ...summary, entropy })),
      json: { ...summary, texts: samples },
      ...(out === undefined ? {} : { notes: [`Written to ${shortPath(out)}.`] }),
      ...(summary.finished ? {} : { exitCode: 3 as const }),
    }
  } finally {
    stop.release()
    display.end()
  }
}
