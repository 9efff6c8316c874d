/**
 * Samples a set of texts, some at a time.
 *
 * The same seed gives the same random numbers to the same text, however many texts there are, go together, or threads
 * work. Executors, batch sizes and thread counts differ by the rounding of the network's outputs, about 1e-6, so a
 * token may differ only where a random number falls that close to the edge between two.
 */
import type { TokenRule } from "../../diffusion/categorical.js"
import { stream } from "../../diffusion/philox.js"
import type { Executor, HostTensors } from "../../engine/executor.js"
import type { Network } from "../../model/network.js"
import { total } from "../../inference/masking.js"
import { defaultBatch } from "../../inference/batch.js"
import { blocksOf } from "./blocks.js"
import { makeChooser, type Chooser } from "./chooser.js"
import {
  chainPasses,
  fillAncestral,
  fillByConfidence,
  fillCausal,
  type Draft,
  type FillContext,
  type Revealed,
} from "./fill.js"
import { bannedIds, checkSettings, type SampledModel, type SamplingSettings } from "./settings.js"

export interface SampledText {
  /** Index in the set; with the seed it determines the text. */
  readonly index: number
  /** Kept and generated tokens. */
  readonly tokens: Int32Array
  /** Generated tokens alone. */
  readonly generated: Int32Array
  /** Forward passes of the network for this text (NFE). */
  readonly forwards: number
}

/** A text to sample: what is given of it, and the index whose random numbers are its own. */
export interface StartedText {
  readonly index: number
  readonly prefix: readonly number[]
  readonly suffix: readonly number[]
}

export interface SamplingJob {
  /** Of the same model and settings. */
  readonly chooser: Chooser
  readonly model: SampledModel
  readonly settings: SamplingSettings
  /** The texts; `count` of them from index 0, all with the prefix and suffix of the settings, when absent. */
  readonly texts?: readonly StartedText[]
  readonly onRevealed?: (news: readonly Revealed[]) => Promise<void> | void
  /** Asked between forward passes; texts that are not complete are then left out. */
  readonly stopping?: () => boolean
}

const startedTexts = ({ settings, texts }: Pick<SamplingJob, "settings" | "texts">): readonly StartedText[] =>
  texts ??
  Array.from({ length: settings.count }, (_, index) => ({
    index,
    prefix: settings.prefix,
    suffix: settings.suffix,
  }))

/** Texts that go through the network together: neighbours of which as much is given. */
interface Group {
  readonly settings: SamplingSettings
  readonly texts: readonly StartedText[]
}

const groupsOf = (job: Pick<SamplingJob, "settings" | "texts">, batch: number): readonly Group[] => {
  const groups: StartedText[][] = []
  for (const text of startedTexts(job)) {
    const last = groups.at(-1)
    const [first] = last ?? []
    const fits =
      last !== undefined &&
      last.length < batch &&
      first!.prefix.length === text.prefix.length &&
      first!.suffix.length === text.suffix.length
    if (fits) last.push(text)
    else groups.push([text])
  }
  return groups.map((texts) => ({
    settings: { ...job.settings, prefix: texts[0]!.prefix, suffix: texts[0]!.suffix },
    texts,
  }))
}

/** Largest number of positions that one pass predicts. */
const mostColumns = (groups: readonly Group[], model: SampledModel, batch: number): number => {
  let most = 1
  for (const { settings, texts } of groups) {
    const source = stream(settings.seed, "sample")
    for (const block of blocksOf(settings, model)) {
      if (settings.sampler !== "ancestral") {
        most = Math.max(most, (block.to - block.from) * Math.min(batch, texts.length))
        continue
      }
      const sums: number[] = []
      for (const { index } of texts) {
        const passes = chainPasses(source, model.schedule, block, index, !settings.cache)
        passes.forEach(({ positions }, i) => (sums[i] = (sums[i] ?? 0) + positions.length))
      }
      most = Math.max(most, ...sums)
    }
  }
  return most
}

const ruleOf = ({ temperature, topP }: SamplingSettings, model: SampledModel): TokenRule => ({
  temperature,
  topP,
  banned: bannedIds(model),
})

/** A network compiled for these settings; its batch is never larger than the set. */
export const samplingChooser = (
  executor: Executor,
  network: Network,
  parameters: HostTensors,
  {
    model,
    settings,
    texts,
    batch,
  }: Pick<SamplingJob, "model" | "settings" | "texts"> & { readonly batch?: number | undefined },
): Promise<Chooser> => {
  checkSettings(settings, model)
  const length =
    model.kind === "causal"
      ? Math.min(model.window, settings.length)
      : Math.min(settings.length, model.window)
  const job = { settings, ...(texts === undefined ? {} : { texts }) }
  const together = Math.min(texts?.length ?? settings.count, batch ?? defaultBatch(length))
  return makeChooser(executor, network, parameters, {
    length,
    batch: together,
    capacity: model.kind === "causal" ? together : mostColumns(groupsOf(job, together), model, together),
    rule: ruleOf(settings, model),
  })
}

const sampleMasked = async (
  drafts: readonly Draft[],
  model: SampledModel,
  settings: SamplingSettings,
  context: FillContext,
): Promise<void> => {
  const fill = settings.sampler === "ancestral" ? fillAncestral : fillByConfidence
  for (const block of blocksOf(settings, model)) {
    if (context.stopping()) return
    await fill(drafts, block, context)
  }
}

/** @throws SamplingError when the settings do not fit each other or the network */
export const sampleTexts = async (job: SamplingJob): Promise<readonly SampledText[]> => {
  const { chooser, model } = job
  checkSettings(job.settings, model)
  const { length } = job.settings
  const context: FillContext = {
    chooser,
    source: stream(job.settings.seed, "sample"),
    schedule: model.schedule,
    cache: job.settings.cache,
    onRevealed: job.onRevealed ?? (() => undefined),
    stopping: job.stopping ?? (() => false),
  }
  const ends = model.endsAtBoundary ? model.boundaryId : undefined
  const made: SampledText[] = []
  for (const { settings, texts } of groupsOf(job, chooser.batch)) {
    checkSettings(settings, model)
    const [before, after] = [settings.prefix.length, settings.suffix.length]
    const drafts = texts.map(({ index, prefix, suffix }): Draft => {
      const tokens = new Int32Array(length).fill(model.maskId)
      tokens.set(prefix)
      tokens.set(suffix, length - suffix.length)
      return { index, tokens, forwards: 0 }
    })
    if (model.kind === "causal") {
      const window = Math.min(length, model.window)
      const { boundaryId } = model
      await fillCausal(drafts, { from: before, to: length, window, boundaryId, ends }, context)
    } else await sampleMasked(drafts, model, settings, context)
    if (
      context.stopping() &&
      drafts.some(({ tokens }) => tokens.includes(model.maskId) && !tokens.includes(ends ?? -1))
    )
      break
    for (const { index, tokens, forwards } of drafts) {
      const end = ends === undefined ? -1 : tokens.indexOf(ends, before)
      const whole = end < 0 ? tokens : tokens.slice(0, end + 1)
      made.push({
        index,
        tokens: whole,
        generated: whole.slice(before, Math.min(whole.length, length - after)),
        forwards,
      })
    }
  }
  return made
}

/** Forward passes of a set. */
export const forwardsOf = (texts: readonly SampledText[]): number =>
  total(texts.map(({ forwards }) => forwards))
