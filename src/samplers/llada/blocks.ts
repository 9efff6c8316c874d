/**
 * LLaDA's sampler (Nie et al., 2025): a response of MASKs behind the prompt, filled block by block; each step settles
 * the most confident candidates of the block, or random ones.
 *
 * Random numbers have the site (text, step, position) of the stream `sample`, steps from 1: number 0 for the
 * candidate, 1 for random remasking.
 */
import { uniforms, type Stream } from "../../diffusion/philox.js"
import type { ChoiceRule } from "../choice.js"
import { mostConfident } from "../confidence.js"
import type { BlockStep, MaskedForward, TokenPass } from "../forward.js"
import { blockPlans } from "./transfer.js"

export interface LladaSettings {
  /** Tokens of the response, block and steps. */
  readonly length: number
  readonly block: number
  readonly steps: number
  /** low_confidence: the most probable candidates stay; random: any. */
  readonly remasking: "low_confidence" | "random"
  readonly choice: Omit<ChoiceRule, "banned">
  /** Guidance scale; 0 for none, without a second pass. */
  readonly guidance: number
  /** excluded: PAD and MASK are never candidates. as-published: they may be. */
  readonly specials: "excluded" | "as-published"
}

export interface LladaJob {
  readonly forward: MaskedForward
  readonly source: Stream
  readonly maskId: number
  /** Ids other than MASK that are excluded, such as PAD where it is not the end of a text. */
  readonly banned: readonly number[]
  readonly stopping?: () => boolean
}

export interface LladaText {
  readonly index: number
  readonly row: Int32Array
  readonly forwards: number
}

/** Candidates of one step at the masks of a row, and how sure they are. */
export interface Candidates {
  readonly tokens: ArrayLike<number>
  readonly confidences: ArrayLike<number>
}

/** The row with the `count` surest candidates settled; masks beyond the block do not compete. */
export const settle = (
  row: Int32Array,
  masks: readonly number[],
  { tokens, confidences }: Candidates,
  count: number,
): Int32Array => {
  const next = row.slice()
  for (const k of mostConfident(confidences, count)) next[masks[k]!] = tokens[k]!
  return next
}

const ruleOf = ({ choice, specials }: LladaSettings, { maskId, banned }: LladaJob): ChoiceRule => ({
  ...choice,
  banned: specials === "excluded" ? [maskId, ...banned] : [],
})

/** Both numbers of each position of a block in one step. */
const blockDraws = (source: Stream, index: number, step: number, from: number, block: number) => {
  const both = Array.from({ length: block }, (_, i) => uniforms(source, [index, step, from + i], 2))
  return [both.map((u) => u[0]!), both.map((u) => u[1]!)] as const
}

/** Whole numbers in the order of the values, the first of equals largest. */
const ranksOf = (values: readonly number[]): Int32Array => {
  const ranks = new Int32Array(values.length)
  const order = Array.from(values.keys()).sort((a, b) => values[b]! - values[a]! || a - b)
  order.forEach((k, i) => (ranks[k] = values.length - i))
  return ranks
}

/** Steps made at once at most, so that a request to stop is heard. */
const MOST_STEPS = 64

const candidatesOf = async (
  pass: TokenPass,
  r: number,
  index: number,
  step: number,
  masks: readonly number[],
  settings: LladaSettings,
  job: LladaJob,
): Promise<Candidates> => {
  const draws = masks.map((position) => uniforms(job.source, [index, step, position], 2))
  const at = masks.map((position, k) => ({ row: r, position, uniform: draws[k]![0]! }))
  const { tokens, probabilities } = await pass.draw(at, ruleOf(settings, job))
  return { tokens, confidences: settings.remasking === "random" ? draws.map((u) => u[1]!) : probabilities }
}

/** @param prompts of the texts, by index; every prompt of a batch has the same length */
export const lladaTexts = async (
  prompts: readonly { readonly index: number; readonly tokens: ArrayLike<number> }[],
  settings: LladaSettings,
  job: LladaJob,
): Promise<readonly LladaText[]> => {
  const { length, guidance } = settings
  let rows: readonly Int32Array[] = prompts.map(({ tokens }) => {
    const row = new Int32Array(tokens.length + length).fill(job.maskId)
    row.set(Array.from(tokens))
    return row
  })
  const start = prompts[0]?.tokens.length ?? 0
  if (prompts.some(({ tokens }) => tokens.length !== start))
    throw new RangeError(
      "prompts of one batch have the same length; sample those of each length on their own.",
    )
  const steps = blockPlans(start, settings)
    .flatMap(({ from, to, counts }) => Array.from(counts, (count) => ({ from, to, count })))
    .map((each, i) => ({ ...each, step: i + 1 }))
    // Steps beyond the masks settle nothing, and their pass would not be looked at.
    .filter(({ count }) => count > 0)
  const atOnce = guidance === 0 ? job.forward.steps?.(rows.length, start + length, settings.block) : undefined
  if (atOnce !== undefined) {
    const rule = { maskId: job.maskId, choice: ruleOf(settings, job), remasking: settings.remasking }
    for (let i = 0; i < steps.length; i += MOST_STEPS) {
      if (job.stopping?.() === true) return []
      const asked = steps.slice(i, i + MOST_STEPS).map(({ from, count, step }): BlockStep => {
        const draws = prompts.map(({ index }) => blockDraws(job.source, index, step, from, settings.block))
        return {
          from,
          count,
          ...(settings.choice.temperature > 0 ? { uniforms: draws.map(([candidate]) => candidate) } : {}),
          ...(settings.remasking === "random" ? { ranks: draws.map(([, place]) => ranksOf(place)) } : {}),
        }
      })
      rows = await atOnce(rows, asked, rule)
    }
    return prompts.map(({ index }, r) => ({ index, row: rows[r]!, forwards: steps.length }))
  }
  let forwards = 0
  for (const { from, to, count, step } of steps) {
    if (job.stopping?.() === true) return []
    const unconditional = rows.map((row) => row.slice().fill(job.maskId, 0, start))
    const pass = await job.forward.forward(
      rows,
      guidance === 0 ? undefined : { scale: guidance, unconditional },
    )
    forwards += guidance === 0 ? 1 : 2
    rows = await Promise.all(
      rows.map(async (row, r) => {
        const masks = Array.from({ length: to - from }, (_, i) => from + i).filter(
          (j) => row[j] === job.maskId,
        )
        const candidates = await candidatesOf(pass, r, prompts[r]!.index, step, masks, settings, job)
        return settle(row, masks, candidates, count)
      }),
    )
  }
  return prompts.map(({ index }, r) => ({ index, row: rows[r]!, forwards }))
}
