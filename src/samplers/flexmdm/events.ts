/**
 * Event-driven sampling: the time of the next event is drawn, not stepped to, so a text of n tokens takes about 2n
 * passes and there is no discretisation.
 *
 * Between events a state does not change, but its rates do. M masks are revealed at the total rate M h_b(t) whatever the
 * network says, so that time is exact in closed form. Insertions happen at the rate G(x, t) h_a(t), G the sum of the
 * open gaps; for the true posterior G falls while x stays, so a G seen before bounds it. Proposals are made at the rate
 * B h_a(t), and one at t' is accepted with probability G(x, t') / B (thinning). B is the last G times a margin; proposals
 * above it are counted, accepted, and raise the margin.
 *
 * When masks are revealed does not depend on which: any order that looks at the state alone is as exact as a uniform one
 * where tokens are drawn from the true posterior, so an event may take the mask that the network is surest of.
 *
 * Each row has its own clock. Random numbers have the site (text, event, 0) of the stream `sample`, events from 1:
 * reveal time, proposal time, acceptance, which mask or slot, which token.
 */
import { complementAt, complementInverse } from "../../diffusion/insertion/schedule.js"
import { uniforms } from "../../diffusion/philox.js"
import { invertDistribution } from "../../diffusion/categorical.js"
import type { ChoiceRule } from "../choice.js"
import { mostConfident, type Confidence } from "../confidence.js"
import type { FlexPass, TimedState } from "../forward.js"
import { rowRuleOf, type FlexJob, type FlexText } from "./leap.js"
import { eligibleMasks, isOpenSlot, lengthOf, startingRow, type RowRule, type StartingText } from "./row.js"
import { applyEvents, type StepEvents } from "./step.js"

export interface EventSettings {
  readonly choice: Omit<ChoiceRule, "banned">
  /**
   * last: the bound is of the last pass, of the state before the event: one pass an event or rejected proposal.
   * fresh: a pass of the new state after each event: two, and no proposal above the bound where G falls with t.
   */
  readonly bound: "last" | "fresh"
  /** What the last G is multiplied by: an insertion can make longer texts more probable. */
  readonly margin: number
  /** Which mask an event reveals: the one that the network is surest of; any, with equal chances, when absent. */
  readonly confidence?: Confidence
  /** Times after 1 - `end` do not count; masks that are left are then revealed together. */
  readonly end: number
  /** Texts that are sampled at a time, the next one as soon as one is done; all of them when absent. */
  readonly together?: number
}

export const EVENT_DEFAULTS: Omit<EventSettings, "choice"> = { bound: "last", margin: 1.3, end: 1e-9 }

export interface EventText extends FlexText {
  readonly events: number
  readonly proposals: number
  /** Proposals whose rate was above the bound. */
  readonly violations: number
}

interface Clock {
  readonly index: number
  readonly rule: RowRule
  row: Int32Array
  t: number
  /** Undefined until a pass at t has given one. */
  bound: number | undefined
  margin: number
  draw: number
  next: "reveal" | "insert" | "bound" | "finish"
  done: boolean
  events: number
  proposals: number
  violations: number
  overflows: number
  forwards: number
  revealedLast: number
}

/** 1 - F at the next time of a Poisson process of intensity `rate` hazard: complement(t) u^(1 / rate). */
const nextComplement = (complement: number, rate: number, uniform: number): number =>
  rate > 0 ? complement * Math.exp(Math.log1p(-uniform) / rate) : 0

const random = (clock: Clock, { source }: FlexJob): Float64Array =>
  uniforms(source, [clock.index, clock.draw, 0], 5)

/** Moves a clock to its next proposal. */
const propose = (clock: Clock, job: FlexJob, { end }: EventSettings): void => {
  const { insertion, unmasking } = job.model.schedules
  clock.draw++
  const [u1, u2] = random(clock, job) as unknown as readonly [number, number]
  const masks = eligibleMasks(clock.row, clock.rule).length
  const room = clock.row.length - lengthOf(clock.row, clock.rule.padId)
  const time = (schedule: typeof insertion, rate: number, u: number): number => {
    const c = nextComplement(complementAt(schedule, clock.t), rate, u)
    return c <= 0 ? 1 : complementInverse(schedule, c)
  }
  const reveal = time(unmasking, masks, u1)
  const insert = room > 0 ? time(insertion, clock.bound!, u2) : 1
  const t = Math.max(clock.t, Math.min(reveal, insert))
  if (!(t < 1 - end)) {
    clock.t = 1 - end
    clock.next = "finish"
  } else {
    clock.t = t
    clock.next = reveal <= insert ? "reveal" : "insert"
  }
}

/** Sums of equal gaps differ by rounding; that is no violation. */
const ROUNDING = 1e-6

const openGaps = (clock: Clock, gaps: ArrayLike<number>): Float64Array => {
  const n = lengthOf(clock.row, clock.rule.padId)
  return Float64Array.from(gaps, (gap, slot) => (isOpenSlot(clock.rule, slot, n) ? gap : 0))
}

const chosen = (
  pass: FlexPass,
  row: number,
  positions: readonly number[],
  uniform: number,
  rule: ChoiceRule,
): Promise<Pick<StepEvents, "positions" | "tokens">> =>
  pass
    .draw(
      positions.map((position) => ({ row, position, uniform })),
      rule,
    )
    .then(({ tokens }) => ({ positions, tokens }))

/** The mask that an event reveals. */
const revealedMask = async (
  pass: FlexPass,
  row: number,
  masks: readonly number[],
  uniform: number,
  { confidence }: EventSettings,
  banned: readonly number[],
): Promise<number> => {
  if (confidence === undefined) return masks[Math.floor(uniform * masks.length)]!
  if (confidence === "position" || masks.length === 1) return masks[0]!
  const places = masks.map((position) => ({ row, position }))
  const sure = await pass.confidence(places, confidence, { of: "logits" }, banned)
  return masks[mostConfident(sure, 1)[0]!]!
}

/** What happens at a clock's time, from the pass there. */
const happen = async (
  clock: Clock,
  pass: FlexPass,
  r: number,
  settings: EventSettings,
  job: FlexJob,
): Promise<StepEvents | undefined> => {
  const gaps = openGaps(clock, pass.gaps[r]!)
  const total = gaps.reduce((a, b) => a + b, 0)
  const [, , accept, which, token] = random(clock, job)
  const rule = { ...settings.choice, banned: [job.model.padId, job.model.maskId, ...(job.model.given ?? [])] }
  const before = clock.bound
  clock.bound = total * clock.margin
  if (clock.next === "bound") return undefined
  if (clock.next === "finish") {
    // One number for each mask that is left, behind those of the event.
    const masks = eligibleMasks(clock.row, clock.rule)
    clock.revealedLast = masks.length
    clock.done = true
    if (masks.length === 0) return undefined
    const own = uniforms(job.source, [clock.index, clock.draw, 1], masks.length)
    const places = masks.map((position, k) => ({ row: r, position, uniform: own[k]! }))
    return { positions: masks, tokens: (await pass.draw(places, rule)).tokens }
  }
  if (clock.next === "reveal") {
    const masks = eligibleMasks(clock.row, clock.rule)
    return chosen(pass, r, [await revealedMask(pass, r, masks, which!, settings, rule.banned)], token!, rule)
  }
  clock.proposals++
  if (total > before! * (1 + ROUNDING)) {
    clock.violations++
    clock.margin *= total / before!
    clock.bound = total * clock.margin
  }
  if (accept! * before! >= total) return undefined
  const insertions = new Int32Array(gaps.length)
  insertions[invertDistribution(gaps, which!)] = 1
  return { positions: [], tokens: [], insertions }
}

const stateOf = ({ row, rule, t }: Clock): TimedState => ({
  tokens: row.slice(0, lengthOf(row, rule.padId)),
  t,
})

/** Texts of the given indices. Rows that are done leave the batch, and those that wait take their places. */
export const eventTexts = async (
  texts: readonly (StartingText & { readonly index: number })[],
  settings: EventSettings,
  job: FlexJob,
): Promise<readonly EventText[]> => {
  const clocks = texts.map((text): Clock => ({
    index: text.index,
    rule: rowRuleOf(job.model, text),
    row: startingRow(text, job.model.canvas, job.model.padId),
    t: 0,
    bound: undefined,
    margin: settings.margin,
    draw: 0,
    next: "bound",
    done: false,
    events: 0,
    proposals: 0,
    violations: 0,
    overflows: 0,
    forwards: 0,
    revealedLast: 0,
  }))
  for (;;) {
    const open = clocks.filter((clock) => !clock.done).slice(0, settings.together)
    if (open.length === 0 || job.stopping?.() === true) break
    for (const clock of open) {
      if (clock.bound === undefined) clock.next = "bound"
      else propose(clock, job, settings)
      // With nothing left to reveal the last pass has nothing to say.
      if (clock.next === "finish" && eligibleMasks(clock.row, clock.rule).length === 0) clock.done = true
    }
    const asked = open.filter((clock) => !clock.done)
    if (asked.length === 0) continue
    const pass = await job.forward.forward(asked.map(stateOf))
    const news = await Promise.all(
      asked.map(async (clock, r) => {
        clock.forwards++
        const events = await happen(clock, pass, r, settings, job)
        let inserted = 0
        if (events !== undefined) {
          const next = applyEvents(clock.row, events, clock.rule, "cancel")
          clock.row = next.row
          inserted = next.inserted
          if (next.overflowed) clock.overflows++
          clock.events++
          if (settings.bound === "fresh") clock.bound = undefined
        }
        const { index, draw, t, row } = clock
        return { index, step: draw, t, row, revealed: events?.positions ?? [], inserted }
      }),
    )
    await job.onNews?.(news)
  }
  const done = clocks.filter((clock) => clock.done)
  return done.map(({ index, row, events, proposals, violations, overflows, forwards, revealedLast }) => ({
    index,
    row,
    events,
    proposals,
    violations,
    overflows,
    forwards,
    revealedLast,
  }))
}
