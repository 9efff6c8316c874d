/**
 * Sampling in steps of fixed size: tau-leaping, Euler and confidence.
 *
 * Random numbers have the site (text, step, position) of the stream `sample`, steps from 1: number 0 decides whether a
 * MASK is revealed, 1 which token it becomes, 2 and on how many masks are inserted before the position. Position
 * `canvas + 1` holds the number of reveals of a confidence step. So text k depends on k and the seed alone.
 */
import { fireChance, insertShare, stepSize, stepTime } from "../../diffusion/insertion/leap.js"
import type { FireRule, InsertRule, StepGrid } from "../../diffusion/insertion/leap.js"
import { hazardAt, type JointSchedule } from "../../diffusion/insertion/schedule.js"
import { uniforms, type Stream } from "../../diffusion/philox.js"
import { poissonCount, poissonUniforms } from "../../diffusion/poisson.js"
import { ARGMAX, type ChoiceRule } from "../choice.js"
import { mostConfident, windowOf, type Confidence, type SlidingWindow } from "../confidence.js"
import type { FlexForward, FlexPass, Ranking } from "../forward.js"
import type { OverflowPolicy } from "./insert.js"
import { eligibleMasks, isOpenSlot, lengthOf, startingRow, type RowRule, type StartingText } from "./row.js"
import { applyEvents, type CountedLength, type StepEvents } from "./step.js"

export type Unmasking =
  | { readonly kind: "leap"; readonly fire: Exclude<FireRule, "rate" | "no-hazard"> }
  | {
      readonly kind: "confidence"
      readonly by: Confidence
      /** false: the published omission of the small models, K ~ Poisson(M dt), which leaves 63 % to the last step. */
      readonly hazard: boolean
      readonly ranking: Ranking["of"]
      readonly window?: SlidingWindow
      /** argmax as published for F and 8B, or drawn by the token rule. */
      readonly tokens: "argmax" | "draw"
    }

export interface LeapSettings {
  readonly steps: number
  readonly grid: StepGrid
  readonly unmasking: Unmasking
  readonly insertion: InsertRule
  readonly overflow: OverflowPolicy
  readonly counted?: CountedLength
  /** Tokens of the last step: argmax as published, whatever the token rule, or drawn by it. */
  readonly last: "argmax" | "draw"
  readonly choice: Omit<ChoiceRule, "banned">
  /** excluded: PAD and MASK are never drawn. as-published: they may be, and a PAD breaks its row. */
  readonly specials: "excluded" | "as-published"
}

export interface FlexModel {
  readonly schedules: JointSchedule
  readonly padId: number
  readonly maskId: number
  readonly canvas: number
  /** Ids that are given and never predicted, such as a boundary; with PAD and MASK they are not drawn. */
  readonly given?: readonly number[]
  /** Slots end before the EOS anchor, which is a text's suffix. */
  readonly anchored: boolean
}

export interface FlexText {
  readonly index: number
  /** [canvas] */
  readonly row: Int32Array
  /** Masks that were still there when the last step began. */
  readonly revealedLast: number
  /** Steps in which more was to be inserted than fits. */
  readonly overflows: number
  /** Forward passes of the network for this text (NFE). */
  readonly forwards: number
}

/** News of one text, for those who watch. */
export interface FlexNews {
  readonly index: number
  readonly step: number
  readonly t: number
  readonly row: Int32Array
  /** Positions in the row before insertion. */
  readonly revealed: readonly number[]
  readonly inserted: number
}

export interface FlexJob {
  readonly forward: FlexForward
  readonly model: FlexModel
  readonly source: Stream
  readonly onNews?: (news: readonly FlexNews[]) => Promise<void> | void
  /** Asked between passes; texts that are not complete are then left out. */
  readonly stopping?: () => boolean
}

export const rowRuleOf = (
  { padId, maskId, anchored }: FlexModel,
  { prefix, suffix }: StartingText,
): RowRule => ({ padId, maskId, anchored, prefix: prefix.length, suffix: suffix.length })

interface Draft {
  readonly index: number
  readonly rule: RowRule
  row: Int32Array
  revealedLast: number
  overflows: number
  forwards: number
}

const at = (source: Stream, text: number, step: number, position: number, i: number): number =>
  uniforms(source, [text, step, position], 1, i)[0]!

interface StepPlan {
  readonly t: number
  readonly dt: number
  readonly step: number
  readonly settings: LeapSettings
  readonly job: FlexJob
  readonly banned: readonly number[]
}

type Revealed = Pick<StepEvents, "positions" | "tokens">

const drawAt = async (
  pass: FlexPass,
  row: number,
  draft: Draft,
  positions: readonly number[],
  { job, step, settings, banned }: StepPlan,
  how: "argmax" | "draw",
): Promise<Revealed> => {
  if (positions.length === 0) return { positions, tokens: [] }
  const places = positions.map((position) => ({
    row,
    position,
    uniform: how === "argmax" ? 0 : at(job.source, draft.index, step, position, 1),
  }))
  const rule = how === "argmax" ? { ...ARGMAX, banned } : { ...settings.choice, banned }
  return { positions, tokens: (await pass.draw(places, rule)).tokens }
}

/** Where MASK may be drawn it is no event: the rate of a position is h (1 - f(MASK)). */
const eventShares = async (
  pass: FlexPass,
  row: number,
  masks: readonly number[],
  { settings, job }: StepPlan,
): Promise<Float64Array> => {
  if (settings.specials === "excluded" || masks.length === 0) return new Float64Array(masks.length).fill(1)
  const places = masks.map((position) => ({ row, position }))
  return (await pass.probability(places, job.model.maskId)).map((p) => 1 - p)
}

const leapReveals = async (
  pass: FlexPass,
  row: number,
  draft: Draft,
  plan: StepPlan,
  fire: FireRule,
): Promise<Revealed> => {
  const { job, t, dt, step, banned } = plan
  const masks = eligibleMasks(draft.row, draft.rule)
  const shares = await eventShares(pass, row, masks, plan)
  const fired = masks.filter(
    (position, k) =>
      at(job.source, draft.index, step, position, 0) <
      fireChance(fire, job.model.schedules.unmasking, t, dt * shares[k]!),
  )
  // An event is never MASK, whatever the special tokens may do.
  const noMask = banned.length > 0 ? banned : [job.model.maskId]
  return drawAt(pass, row, draft, fired, { ...plan, banned: noMask }, "draw")
}

const confidentReveals = async (
  pass: FlexPass,
  row: number,
  draft: Draft,
  plan: StepPlan,
  unmasking: Extract<Unmasking, { readonly kind: "confidence" }>,
): Promise<Revealed> => {
  const { job, t, dt, step, banned } = plan
  const masks = eligibleMasks(draft.row, draft.rule)
  const hazard = hazardAt(job.model.schedules.unmasking, t)
  const mean = masks.length * (unmasking.hazard ? hazard : 1) * dt
  const count = poissonCount(mean, (i) => at(job.source, draft.index, step, job.model.canvas + 1, i))
  if (count === 0) return { positions: [], tokens: [] }
  const window = windowOf(masks, count, unmasking.window)
  const sure =
    unmasking.by === "position" || window.length <= count
      ? Float64Array.from(window, (position) => -position)
      : await pass.confidence(
          window.map((position) => ({ row, position })),
          unmasking.by,
          unmasking.ranking === "rates" ? { of: "rates", hazard } : { of: "logits" },
          banned,
        )
  const chosen = mostConfident(sure, count).map((k) => window[k]!)
  return drawAt(pass, row, draft, chosen, plan, unmasking.tokens)
}

/** Masks asked for in each slot. */
const insertions = (
  gaps: ArrayLike<number>,
  draft: Draft,
  { job, t, dt, step, settings }: StepPlan,
): Int32Array => {
  const n = lengthOf(draft.row, draft.rule.padId)
  const share = insertShare(settings.insertion, job.model.schedules.insertion, t, dt)
  return Int32Array.from({ length: Math.min(gaps.length, n + 1) }, (_, slot) => {
    if (!isOpenSlot(draft.rule, slot, n)) return 0
    const mean = gaps[slot]! * share
    const first = 2
    if (settings.insertion === "bernoulli")
      return at(job.source, draft.index, step, slot, first) < Math.min(1, mean) ? 1 : 0
    const draws = uniforms(job.source, [draft.index, step, slot], poissonUniforms(mean), first)
    return poissonCount(mean, (i) => draws[i]!)
  })
}

/** Texts of the given indices; those that share a batch share nothing else. */
export const leapTexts = async (
  texts: readonly (StartingText & { readonly index: number })[],
  settings: LeapSettings,
  job: FlexJob,
): Promise<readonly FlexText[]> => {
  const { model } = job
  const { steps, grid, unmasking } = settings
  const dt = stepSize(grid, steps)
  const banned = settings.specials === "excluded" ? [model.padId, model.maskId, ...(model.given ?? [])] : []
  const drafts = texts.map((text): Draft => ({
    index: text.index,
    rule: rowRuleOf(model, text),
    row: startingRow(text, model.canvas, model.padId),
    revealedLast: 0,
    overflows: 0,
    forwards: 0,
  }))
  for (let i = 0; i < steps; i++) {
    if (job.stopping?.() === true) return []
    const last = i === steps - 1
    const plan: StepPlan = { t: stepTime(grid, steps, i), dt, step: i + 1, settings, job, banned }
    const pass = await job.forward.forward(
      drafts.map(({ row, rule }) => ({ tokens: row.slice(0, lengthOf(row, rule.padId)), t: plan.t })),
    )
    const news = await Promise.all(
      drafts.map(async (draft, r): Promise<FlexNews> => {
        draft.forwards++
        let events: StepEvents
        if (last) {
          const masks = eligibleMasks(draft.row, draft.rule)
          draft.revealedLast = masks.length
          events = await drawAt(pass, r, draft, masks, plan, settings.last)
        } else {
          const reveals =
            unmasking.kind === "leap"
              ? await leapReveals(pass, r, draft, plan, unmasking.fire)
              : await confidentReveals(pass, r, draft, plan, unmasking)
          events = { ...reveals, insertions: insertions(pass.gaps[r]!, draft, plan) }
        }
        const next = applyEvents(draft.row, events, draft.rule, settings.overflow, settings.counted)
        draft.row = next.row
        if (next.overflowed) draft.overflows++
        const { index, row } = draft
        return { index, step: i + 1, t: plan.t, row, revealed: events.positions, inserted: next.inserted }
      }),
    )
    await job.onNews?.(news)
  }
  return drafts.map(({ index, row, revealedLast, overflows, forwards }) => ({
    index,
    row,
    revealedLast,
    overflows,
    forwards,
  }))
}
