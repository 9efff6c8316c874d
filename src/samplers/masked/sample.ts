/**
 * Samples a set of texts, some at a time.
 *
 * The same seed gives the same random numbers to the same text, however many texts there are, go together, or threads
 * work. Executors, batch sizes and thread counts differ by the rounding of the network's outputs, about 1e-6, so a
 * token may differ only where a random number falls that close to the edge between two.
 */
import { stream } from "../../diffusion/philox.js"
import type { Executor, HostTensors } from "../../engine/executor.js"
import type { Network } from "../../model/network.js"
import { makePredictor, type Predictor } from "../../inference/predictor.js"
import { total } from "../../inference/masking.js"
import { defaultBatch } from "../../inference/scorer.js"
import { blocksOf } from "./blocks.js"
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

export interface SamplingJob {
  readonly predictor: Predictor
  readonly model: SampledModel
  readonly settings: SamplingSettings
  readonly onRevealed?: (news: readonly Revealed[]) => Promise<void> | void
  /** Asked between forward passes; texts that are not complete are then left out. */
  readonly stopping?: () => boolean
}

const indices = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, i) => from + i)

/** Groups of texts that go through the network together. */
const groupsOf = (count: number, batch: number): readonly (readonly number[])[] =>
  Array.from({ length: Math.ceil(count / batch) }, (_, g) =>
    indices(g * batch, Math.min(count, (g + 1) * batch)),
  )

/** Largest number of positions that one pass predicts. */
const mostColumns = (settings: SamplingSettings, model: SampledModel, batch: number): number => {
  const blocks = blocksOf(settings, model)
  const groups = groupsOf(settings.count, batch)
  if (settings.sampler !== "ancestral") {
    const size = Math.max(...blocks.map(({ from, to }) => to - from))
    return size * Math.min(batch, settings.count)
  }
  const source = stream(settings.seed, "sample")
  let most = 1
  for (const block of blocks) {
    for (const group of groups) {
      const sums: number[] = []
      for (const text of group) {
        const passes = chainPasses(source, model.schedule, block, text, !settings.cache)
        passes.forEach(({ positions }, i) => (sums[i] = (sums[i] ?? 0) + positions.length))
      }
      most = Math.max(most, ...sums)
    }
  }
  return most
}

/** A network compiled for these settings; its batch is never larger than the set. */
export const samplingPredictor = (
  executor: Executor,
  network: Network,
  parameters: HostTensors,
  {
    model,
    settings,
    batch,
  }: Pick<SamplingJob, "model" | "settings"> & { readonly batch?: number | undefined },
): Promise<Predictor> => {
  checkSettings(settings, model)
  const length =
    model.kind === "causal"
      ? Math.min(model.window, settings.length)
      : Math.min(settings.length, model.window)
  const together = Math.min(settings.count, batch ?? defaultBatch(length))
  return makePredictor(executor, network, parameters, {
    length,
    batch: together,
    capacity: model.kind === "causal" ? undefined : mostColumns(settings, model, together),
  })
}

const sampleMasked = async (
  drafts: readonly Draft[],
  { model, settings }: SamplingJob,
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
  const { predictor, model, settings } = job
  checkSettings(settings, model)
  const { count, length, prefix, suffix, temperature, topP } = settings
  const context: FillContext = {
    predictor,
    source: stream(settings.seed, "sample"),
    schedule: model.schedule,
    rule: { temperature, topP, banned: bannedIds(model) },
    cache: settings.cache,
    onRevealed: job.onRevealed ?? (() => undefined),
    stopping: job.stopping ?? (() => false),
  }
  const ends = model.endsAtBoundary ? model.boundaryId : undefined
  const texts: SampledText[] = []
  for (const group of groupsOf(count, predictor.batch)) {
    const drafts = group.map((index): Draft => {
      const tokens = new Int32Array(length).fill(model.maskId)
      tokens.set(prefix)
      tokens.set(suffix, length - suffix.length)
      return { index, tokens, forwards: 0 }
    })
    if (model.kind === "causal") {
      const window = Math.min(length, model.window)
      const { boundaryId } = model
      await fillCausal(drafts, { from: prefix.length, to: length, window, boundaryId, ends }, context)
    } else await sampleMasked(drafts, job, context)
    if (
      context.stopping() &&
      drafts.some(({ tokens }) => tokens.includes(model.maskId) && !tokens.includes(ends ?? -1))
    )
      break
    for (const { index, tokens, forwards } of drafts) {
      const end = ends === undefined ? -1 : tokens.indexOf(ends, prefix.length)
      const whole = end < 0 ? tokens : tokens.slice(0, end + 1)
      texts.push({
        index,
        tokens: whole,
        generated: whole.slice(prefix.length, Math.min(whole.length, length - suffix.length)),
        forwards,
      })
    }
  }
  return texts
}

/** Forward passes of a set. */
export const forwardsOf = (texts: readonly SampledText[]): number =>
  total(texts.map(({ forwards }) => forwards))
