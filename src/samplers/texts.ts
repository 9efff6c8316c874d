/**
 * Texts from any network of an experiment: one way to ask, whether its rows have a fixed length or grow.
 *
 * Text k depends on the seed, on k and on what is given of it, never on how many there are or on what shares its
 * passes, up to how an executor rounds programs of several shapes.
 */
import type { JointSchedule } from "../diffusion/insertion/schedule.js"
import { stream } from "../diffusion/philox.js"
import type { Executor, HostTensors } from "../engine/executor.js"
import { networkPart, objectivePart } from "../families/index.js"
import type { Network } from "../model/network.js"
import type { Experiment } from "../spec/experiment.js"
import { samplerOf, samplingProblem, type RowKind, type Sampling } from "../spec/sampling.js"
import { openBlocks, type BlocksRequest } from "./llada/texts.js"
import { openForward } from "./executor/forward.js"
import { eventTexts, type EventText } from "./flexmdm/events.js"
import { leapTexts, type FlexModel, type FlexNews, type FlexText } from "./flexmdm/leap.js"
import {
  growingSettings,
  requireTrainedSchedule,
  type GrowingSampler,
  type GrowingSettings,
} from "./flexmdm/settings.js"
import type { Revealed } from "./masked/fill.js"
import { sampledModel } from "./masked/model.js"
import { samplingChooser, sampleTexts, type StartedText } from "./masked/sample.js"
import {
  checkSettings,
  SamplingError,
  type SampledModel,
  type SamplerName,
  type SamplingSettings,
} from "./masked/settings.js"

export type { StartedText } from "./masked/sample.js"

/** A sampled text. */
export interface MadeText {
  readonly index: number
  /** Given and generated tokens, without the padding behind them. */
  readonly tokens: Int32Array
  /** Generated tokens alone. */
  readonly generated: Int32Array
  /** Given tokens. */
  readonly given: number
  /** Tokens that there was room for, given ones included. */
  readonly room: number
  /** Forward passes of the network for this text. */
  readonly forwards: number
  /** Of the sampler blocks: whether the network wrote the token that ends a text. */
  readonly ended?: boolean
  /** Of the same: tokens of the response that end a text, and others behind the first of them. */
  readonly ends?: number
  readonly behind?: number
  /** What the sampling of a row that grows went through. */
  readonly growth?: Growth
}

export interface Growth {
  /** Masks that were still there when the last step began. */
  readonly revealedLast: number
  /** Steps or events in which more was to be inserted than fits. */
  readonly overflows: number
  /** Of event-driven sampling: events, proposals, and those of them above the bound. */
  readonly events?: number
  readonly proposals?: number
  readonly violations?: number
}

/** What a network's rows are to a sampler. */
export const rowKindOf = ({ model, objective }: Experiment): RowKind =>
  networkPart(model).endSlot?.(model) !== undefined
    ? "growing"
    : objectivePart(objective).scored === "all"
      ? "causal"
      : "masked"

/**
 * What is given of a text of which nothing is asked: the boundary token that closes it, where rows grow and never lose
 * it.
 */
export const unaskedStart = (experiment: Experiment): Omit<StartedText, "index"> => {
  const { model, objective, data } = experiment
  const endSlot = networkPart(model).endSlot?.(model)
  const closed =
    endSlot === "eos-anchor" ||
    (endSlot !== undefined && objectivePart(objective).boundary(objective) === "free")
  return { prefix: [], suffix: closed ? [data.tokenizer.boundaryId] : [] }
}

/** Ids that training gives and never asks for: what closes a row, and what ends a prompt. */
const givenIds = (experiment: Experiment): readonly number[] => {
  const { separatorId } = experiment.data.tokenizer
  return [
    ...unaskedStart(experiment).suffix,
    ...(experiment.data.batching.kind === "documents" && separatorId !== undefined ? [separatorId] : []),
  ]
}

/** Tokens of the longest text. */
export const roomOf = (experiment: Experiment, sampling: Sampling): number => {
  const { model, data } = experiment
  const { batching } = data
  const endSlot = networkPart(model).endSlot?.(model)
  if (endSlot === undefined) return sampling.length ?? batching.length
  // An anchor that batching does not put into its rows stands behind them.
  return batching.length + (endSlot === "eos-anchor" && batching.end !== "anchor" ? 1 : 0)
}

/** Settings of a sampler, whole. */
export type Resolved =
  | { readonly kind: "fixed"; readonly model: SampledModel; readonly settings: SamplingSettings }
  | { readonly kind: "growing"; readonly model: FlexModel; readonly settings: GrowingSettings }
  | BlocksRequest

export interface TextsRequest {
  readonly experiment: Experiment
  readonly sampling: Sampling
  readonly seed: number
  readonly texts: readonly StartedText[]
  /** false: a forward pass at every step of the ancestral chain, which changes no text. */
  readonly cache?: boolean
}

const refuse = (sampling: Sampling, rows: RowKind): void => {
  const problem = samplingProblem(sampling, rows)
  if (problem !== undefined)
    throw new SamplingError(
      `${problem.field}: expected ${problem.expected}, found ${problem.found}.${problem.hint === undefined ? "" : ` ${problem.hint}`}`,
    )
}

const number = (name: string, value: number, good: boolean, expected: string): void => {
  if (!good) throw new SamplingError(`${name}: expected ${expected}, found ${value}.`)
}

/**
 * The settings that texts are sampled with. Schedules are those of training: there is no way to ask for others.
 *
 * @throws SamplingError naming the setting, what was found and what would do
 */
export const resolveSampling = ({
  experiment,
  sampling,
  seed,
  texts,
  cache = true,
}: TextsRequest): Resolved => {
  const rows = rowKindOf(experiment)
  refuse(sampling, rows)
  const { temperature = 1, topP = 1 } = sampling
  const room = roomOf(experiment, sampling)
  const [first] = texts
  const starts = { prefix: first?.prefix ?? [], suffix: first?.suffix ?? [] }
  const free = Math.max(1, room - starts.prefix.length - starts.suffix.length)
  const sampler = samplerOf(sampling, rows)
  if (sampler === "blocks")
    return {
      kind: "blocks",
      seed,
      room,
      maskId: experiment.data.tokenizer.maskId,
      padId: experiment.data.tokenizer.padId,
      boundaryId: experiment.data.tokenizer.boundaryId,
      steps: sampling.steps,
      block: sampling.block,
      response: sampling.response,
      remasking: sampling.remasking ?? "low_confidence",
      temperature: sampling.temperature ?? 0,
    }
  if (rows !== "growing") {
    const model = sampledModel(experiment)
    const settings: SamplingSettings = {
      ...starts,
      sampler: sampler as SamplerName,
      count: texts.length,
      length: room,
      steps: sampler === "left-to-right" ? free : (sampling.steps ?? free),
      temperature,
      topP,
      block: sampling.block,
      seed,
      cache,
    }
    checkSettings(settings, model)
    return { kind: "fixed", model, settings }
  }
  number("count", texts.length, texts.length >= 1, "at least 1")
  number("seed", seed, Number.isSafeInteger(seed) && seed >= 0, "a whole number of at least 0")
  number(
    "temperature",
    temperature,
    Number.isFinite(temperature) && temperature >= 0,
    "a number of at least 0; 0 takes the most probable token",
  )
  number("top-p", topP, topP > 0 && topP <= 1, "a number above 0 and at most 1; 1 keeps every token")
  for (const { prefix, suffix } of texts)
    if (prefix.length + suffix.length >= room)
      throw new SamplingError(
        `the given text takes ${prefix.length + suffix.length} of the ${room} tokens that a row of this network holds and leaves no room to generate; shorten it.`,
      )
  const { model, objective, data } = experiment
  const schedules = objectivePart(objective).growingRows?.(objective).schedules
  if (schedules === undefined)
    throw new SamplingError(
      `the objective "${objective.kind}" has no schedules of insertion and unmasking; a network whose rows grow cannot be sampled without.`,
    )
  const settings = growingSettings({
    ...sampling,
    sampler: sampler as GrowingSampler,
    steps: sampler === "events" ? undefined : (sampling.steps ?? Math.max(2, free)),
    choice: {
      temperature,
      topP,
      ...(sampling.nucleus === undefined ? {} : { nucleus: sampling.nucleus }),
    },
  })
  return {
    kind: "growing",
    model: {
      schedules,
      padId: data.tokenizer.padId,
      maskId: data.tokenizer.maskId,
      canvas: room,
      given: givenIds(experiment),
      anchored: networkPart(model).endSlot?.(model) === "eos-anchor",
    },
    settings,
  }
}

/** News of texts while they are made. */
export type News = { readonly rows: "fixed"; readonly news: readonly Revealed[] } | GrowingNews
export interface GrowingNews {
  readonly rows: "growing"
  readonly news: readonly FlexNews[]
}

export interface OpenTexts extends TextsRequest {
  readonly executor: Executor
  readonly network: Network
  readonly parameters: HostTensors
  /** Texts that share their passes; as many as fill one when absent. */
  readonly batch?: number | undefined
  readonly onNews?: (news: News) => Promise<void> | void
  /** Asked between passes; texts that are not complete are then left out. */
  readonly stopping?: () => boolean
}

export interface Texts {
  /** Texts that share their passes. */
  readonly together: number
  /** Some of the texts asked for when this was opened. */
  readonly make: (texts: readonly StartedText[]) => Promise<readonly MadeText[]>
  readonly dispose: () => Promise<void>
}

/** Texts whose rows grow that share their passes. */
const TOGETHER = 64

const withoutPadding = (row: Int32Array, padId: number): Int32Array => {
  const last = row.findLastIndex((token) => token !== padId)
  return row.slice(0, last + 1)
}

/** What stands between prefix and suffix. Where masks were put behind an EOS anchor the text ends at the anchor. */
const between = (tokens: Int32Array, { prefix, suffix }: StartedText, anchored: boolean): Int32Array => {
  const end = tokens.length - suffix.length
  if (suffix.every((token, i) => tokens[end + i] === token)) return tokens.slice(prefix.length, end)
  const anchor = anchored ? tokens.indexOf(suffix[0]!, prefix.length) : -1
  return tokens.slice(prefix.length, anchor < 0 ? tokens.length : anchor)
}

const growthOf = (text: FlexText | EventText): Growth => ({
  revealedLast: text.revealedLast,
  overflows: text.overflows,
  ...("events" in text
    ? { events: text.events, proposals: text.proposals, violations: text.violations }
    : {}),
})

const openGrowing = async (
  { executor, network, parameters, seed, texts, batch, onNews, stopping }: OpenTexts,
  { model, settings }: Extract<Resolved, { readonly kind: "growing" }>,
): Promise<Texts> => {
  if (network.sampled === undefined)
    throw new SamplingError("the network's family says nothing of how its rows are sampled.")
  const together = Math.min(texts.length, batch ?? TOGETHER)
  const forward = await openForward(executor, network.sampled, parameters, {
    canvas: model.canvas,
    padId: model.padId,
    batch: together,
  })
  const job = {
    forward,
    model,
    source: stream(seed, "sample"),
    ...(onNews === undefined
      ? {}
      : { onNews: (news: readonly FlexNews[]) => onNews({ rows: "growing", news }) }),
    ...(stopping === undefined ? {} : { stopping }),
  }
  const group = (asked: readonly StartedText[]): Promise<readonly (FlexText | EventText)[]> =>
    settings.kind === "steps"
      ? leapTexts(asked, settings.settings, job)
      : eventTexts(asked, settings.settings, job)
  return {
    together,
    make: async (asked) => {
      const made: MadeText[] = []
      for (let at = 0; at < asked.length; at += together) {
        if (stopping?.() === true) break
        const own = asked.slice(at, at + together)
        for (const text of await group(own)) {
          const start = own.find(({ index }) => index === text.index)!
          const tokens = withoutPadding(text.row, model.padId)
          made.push({
            index: text.index,
            tokens,
            generated: between(tokens, start, model.anchored),
            given: start.prefix.length + start.suffix.length,
            room: model.canvas,
            forwards: text.forwards,
            growth: growthOf(text),
          })
        }
      }
      return made
    },
    dispose: forward.dispose,
  }
}

const openFixed = async (
  { executor, network, parameters, texts, batch, onNews, stopping }: OpenTexts,
  { model, settings }: Extract<Resolved, { readonly kind: "fixed" }>,
): Promise<Texts> => {
  const chooser = await samplingChooser(executor, network, parameters, { model, settings, texts, batch })
  return {
    together: chooser.batch,
    make: async (asked) => {
      const made = await sampleTexts({
        chooser,
        model,
        settings: { ...settings, count: asked.length },
        texts: asked,
        ...(onNews === undefined
          ? {}
          : { onRevealed: (news: readonly Revealed[]) => onNews({ rows: "fixed", news }) }),
        ...(stopping === undefined ? {} : { stopping }),
      })
      return made.map((text): MadeText => {
        const start = asked.find(({ index }) => index === text.index)!
        return {
          ...text,
          given: start.prefix.length + start.suffix.length,
          room: settings.length,
        }
      })
    },
    dispose: chooser.dispose,
  }
}

/**
 * Compiles what the texts need.
 *
 * @throws SamplingError when settings do not fit each other or the network
 */
export const openTexts = (job: OpenTexts): Promise<Texts> => {
  const resolved = resolveSampling(job)
  if (resolved.kind === "blocks") return openBlocks(job, resolved)
  return resolved.kind === "growing" ? openGrowing(job, resolved) : openFixed(job, resolved)
}

/**
 * The schedules that weights say they were trained with are those of the experiment that they are sampled as.
 *
 * @throws SamplingError naming those that differ
 */
export const requireSchedules = ({ objective }: Experiment, trained: JointSchedule | undefined): void => {
  const asked = objectivePart(objective).growingRows?.(objective).schedules
  if (trained !== undefined && asked !== undefined) requireTrainedSchedule(trained, asked)
}
