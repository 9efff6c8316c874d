/** `repro sample`: texts from the weights of a run, or of a checkpoint made elsewhere. */
import * as Option from "effect/Option"
import { requireWritable, writeFileAtomic } from "../files/atomic.js"
import { loadTokenizer, requireStatedDigests } from "../data/corpora/corpus.js"
import { cacheDirectory } from "../files/sources.js"
import type { SentencePieceModel } from "../data/tokenizers/sentencepiece.js"
import { requireDigest } from "../data/corpora/stated-digests.js"
import { openExecutor } from "../engine/choose.js"
import type { HostTensors } from "../engine/executor.js"
import type { WeightSource } from "../engine/weights.js"
import { encodePrompt, textOf } from "../samplers/masked/text.js"
import {
  openTexts,
  requireSchedules,
  resolveSampling,
  unaskedStart,
  type MadeText,
  type Resolved,
  type StartedText,
  type TextsRequest,
} from "../samplers/texts.js"
import { unigramEntropy } from "../metric/samples/unigram-entropy.js"
import { schedulesIn } from "../inference/weights/checkpoint.js"
import { requireFinite } from "../inference/weights/finite.js"
import { networkOf } from "../families/traced.js"
import type { Network } from "../model/network.js"
import { restoredState } from "../run/checkpoint.js"
import { latestCheckpoint } from "../run/directory.js"
import { openDisplay, type Display } from "../run/display.js"
import { RunError } from "../run/errors.js"
import { experimentOf } from "../run/experiment-of.js"
import type { Experiment } from "../spec/experiment.js"
import type { Sampling } from "../spec/sampling.js"
import type { Profile } from "../spec/spec-file.js"
import { evaluationParameters } from "../train/state.js"
import { baseOfRun } from "./based-weights.js"
import { chooseExecutor, type EngineFlags } from "./choose-executor.js"
import { watchInterrupts, type Stop } from "./interrupts.js"
import { shortPath } from "./locate.js"
import { openSpec } from "./open-spec.js"
import { heldWeights, lending } from "./held-weights.js"
import { UsageError, type Outcome } from "./outcome.js"
import { canView, openView, type ViewStream } from "./unmasking-view.js"
import { readFileWeights, readNameMap } from "./given-weights.js"
import { findRun } from "./run-results.js"
import { progress, showWhole, watcher } from "./sample-watch.js"
import { describeSettings, settingsFields, showTexts, stepsOf } from "./sample-text.js"

export interface SampleInput extends EngineFlags {
  readonly run: Option.Option<string>
  readonly checkpoint: Option.Option<string>
  readonly spec: Option.Option<string>
  readonly profile: Profile
  readonly set?: readonly string[]
  readonly names: Option.Option<string>
  readonly count: number
  readonly length: Option.Option<number>
  readonly sampler: Option.Option<NonNullable<Sampling["sampler"]>>
  readonly steps: Option.Option<number>
  readonly block: Option.Option<number>
  readonly temperature: Option.Option<number>
  readonly topP: Option.Option<number>
  readonly rule: Option.Option<NonNullable<Sampling["rule"]>>
  readonly grid: Option.Option<NonNullable<Sampling["grid"]>>
  readonly confidence: Option.Option<NonNullable<Sampling["confidence"]>>
  readonly hazard: Option.Option<NonNullable<Sampling["hazard"]>>
  readonly window: Option.Option<string>
  readonly overflow: Option.Option<NonNullable<Sampling["overflow"]>>
  readonly specials: Option.Option<NonNullable<Sampling["specials"]>>
  readonly nucleus: Option.Option<NonNullable<Sampling["nucleus"]>>
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
  /** Frozen parameters, which the executor reads itself. */
  readonly base: WeightSource | undefined
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
  const file = await run.readCheckpoint(checkpoint)
  requireSchedules(experiment, schedulesIn(file.metadata, checkpoint.path))
  const parameters = {
    ...evaluationParameters(network, experiment.training, restoredState(file)),
  }
  requireFinite(parameters, `run ${id}, step ${checkpoint.step}`)
  return {
    experiment,
    network,
    ...(run.manifest.data === undefined ? {} : { tokenizer: run.manifest.data.tokenizer.sha256 }),
    parameters,
    base: await baseOfRun(run, network),
    about: `run ${id}, step ${checkpoint.step}`,
    origin: { run: id, spec, profile, fingerprint, step: checkpoint.step },
  }
}

const ofFile = async (input: SampleInput, path: string, spec: string): Promise<Weights> => {
  const opened = await openSpec(spec, input.profile, input.set)
  const { experiment, profile } = opened
  const names = await readNameMap(Option.getOrUndefined(input.names))
  const { checkpoint, loaded, base } = await readFileWeights(path, opened, { names, runs: input.runs })
  return {
    experiment,
    network: networkOf(experiment),
    parameters: loaded.parameters,
    base,
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

/** Settings as the flags give them; what is absent is the sampler's own. */
export const samplingOf = (input: SampleInput): Sampling => {
  const given = {
    sampler: Option.getOrUndefined(input.sampler),
    steps: Option.getOrUndefined(input.steps),
    length: Option.getOrUndefined(input.length),
    block: Option.getOrUndefined(input.block),
    temperature: Option.getOrUndefined(input.temperature),
    topP: Option.getOrUndefined(input.topP),
    rule: Option.getOrUndefined(input.rule),
    grid: Option.getOrUndefined(input.grid),
    confidence: Option.getOrUndefined(input.confidence),
    hazard: Option.getOrUndefined(input.hazard),
    window: Option.getOrUndefined(Option.map(input.window, parseWindow)),
    overflow: Option.getOrUndefined(input.overflow),
    specials: Option.getOrUndefined(input.specials),
    nucleus: Option.getOrUndefined(input.nucleus),
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Sampling
}

/** `FACTOR,MOST`, such as 15,32. */
const parseWindow = (text: string): NonNullable<Sampling["window"]> => {
  const [factor, most, ...rest] = text.split(",").map((part) => Number(part.trim() || "?"))
  if (
    rest.length > 0 ||
    !(factor! > 0) ||
    !Number.isFinite(factor) ||
    !Number.isSafeInteger(most) ||
    most! < 1
  )
    throw new UsageError(
      `window: expected FACTOR,MOST, a number above 0 and a whole number, such as 15,32; found "${text}".`,
    )
  return { factor: factor!, most: most! }
}

/** What is given of every text: the prompt as training rows have it, and what closes a row that grows. */
const startOf = (
  input: SampleInput,
  { data, ...rest }: Experiment,
  tokenizer: SentencePieceModel,
): Omit<StartedText, "index"> => {
  const prompt = encodePrompt(tokenizer, input.prompt, "--prompt")
  const suffix = encodePrompt(tokenizer, input.suffix, "--suffix")
  const { separatorId } = data.tokenizer
  const separated =
    prompt.length > 0 &&
    data.batching.kind === "documents" &&
    separatorId !== undefined &&
    data.batching.separator !== "dropped"
  return {
    prefix: separated ? [...prompt, separatorId] : prompt,
    suffix: [...suffix, ...unaskedStart({ ...rest, data }).suffix],
  }
}

interface Generated {
  readonly texts: readonly MadeText[]
  readonly seconds: number
}

const generate = async (
  input: SampleInput,
  { experiment, network, parameters, base }: Weights,
  tokenizer: SentencePieceModel,
  request: TextsRequest,
  resolved: Resolved,
  display: Display,
  stop: Stop,
  stream: ViewStream,
): Promise<Generated> => {
  const { maskId } = experiment.data.tokenizer
  const choice = await chooseExecutor(input, experiment.execution)
  const executor = await openExecutor(choice)
  try {
    display.log(`Engine ${choice.engine} ${executor.version}, ${choice.options.precision}: ${choice.reason}.`)
    const held = await heldWeights({ experiment, executor, choice }, base)
    const watched = input.watch && canView(stream, process.env)
    if (input.watch && !watched)
      display.log("The texts are not shown while they are made: standard error is not a terminal.")
    const view = watched
      ? openView({
          stream,
          env: process.env,
          model: { pieces: tokenizer.pieces, maskId },
          steps: stepsOf(resolved),
        })
      : undefined
    try {
      const follow =
        view === undefined ? progress(request, resolved, display) : watcher(view, request, resolved)
      const texts = await openTexts({
        ...request,
        executor: lending(executor, held),
        network,
        parameters,
        batch: watched ? 1 : experiment.execution?.evaluationBatch,
        onNews: follow,
        stopping: stop.requested,
      })
      try {
        const began = performance.now()
        const made: MadeText[] = []
        if (view === undefined) made.push(...(await texts.make(request.texts)))
        else
          for (const start of request.texts) {
            const own = await texts.make([start])
            made.push(...own)
            for (const text of own) await showWhole(view, text, start, request)
          }
        return { texts: made, seconds: (performance.now() - began - (view?.waited() ?? 0)) / 1000 }
      } finally {
        await texts.dispose()
      }
    } finally {
      view?.close()
      display.end()
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
  const place = { cacheDir: cacheDirectory() }
  const tokenizer = await loadTokenizer(experiment.data, place)
  requireDigest(experiment.data.tokenizer.model, weights.about, weights.tokenizer, tokenizer.digest)
  await requireStatedDigests(experiment.data, place)
  const start = startOf(input, experiment, tokenizer)
  const request: TextsRequest = {
    experiment,
    sampling: samplingOf(input),
    seed: input.seed,
    texts: Array.from({ length: Math.max(0, input.count) }, (_, index) => ({ index, ...start })),
    cache: input.cache === "on",
  }
  const resolved = resolveSampling(request) // before an executor starts
  const out = Option.getOrUndefined(input.out)
  if (out !== undefined) await requireWritable(out)
  const stop = watchInterrupts(display)
  try {
    const { texts, seconds } = await generate(
      input,
      weights,
      tokenizer,
      request,
      resolved,
      display,
      stop,
      stream,
    )
    const entropy = unigramEntropy(texts.map(({ generated }) => generated))
    const tokens = texts.reduce((n, { generated }) => n + generated.length, 0)
    const summary = {
      ...weights.origin,
      ...settingsFields(request, resolved),
      prefix: input.prompt,
      suffix: input.suffix,
      finished: texts.length === input.count,
      tokens,
      forwards: texts.reduce((n, { forwards }) => n + forwards, 0),
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
      text: textOf(tokenizer, each.tokens, experiment.data.tokenizer.boundaryId),
      tokens: [...each.tokens],
      forwards: each.forwards,
      ...each.growth,
    }))
    if (out !== undefined) {
      const lines = [{ type: "sampling", ...summary }, ...samples.map((each) => ({ type: "text", ...each }))]
      await writeFileAtomic(out, lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
    }
    return {
      text: showTexts(samples, describeSettings(request, resolved, weights.about, { ...summary, entropy })),
      verbatim: true,
      json: { ...summary, texts: samples },
      ...(out === undefined ? {} : { notes: [`Written to ${shortPath(out)}.`] }),
      ...(summary.finished ? {} : { exitCode: 3 as const }),
    }
  } finally {
    stop.release()
    display.end()
  }
}
