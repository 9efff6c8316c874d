/**
 * Fills one block of several texts side by side.
 *
 * Random numbers have the site (text, step, position) of the stream `sample`; step 0 holds when a position is revealed.
 * A text's numbers do not depend on which texts share its forward passes.
 */
import { uniforms, type Stream } from "../../diffusion/philox.js"
import { revealSteps } from "../../diffusion/reveal-steps.js"
import { maskProbability, sigmaOfVisible, type NoiseSchedule } from "../../diffusion/schedule.js"
import { sigmaOfMasked } from "../../inference/masking.js"
import type { Block } from "./blocks.js"
import type { Chooser, ChooseRow } from "./chooser.js"

/** A text that is being sampled. */
export interface Draft {
  /** Index among the texts of the set. */
  readonly index: number
  /** [length], MASK where nothing stands yet. */
  readonly tokens: Int32Array
  /** Forward passes of this text so far. */
  forwards: number
}

/** News of one text: positions that were just revealed. */
export interface Revealed {
  readonly draft: Draft
  /** Step of the text, from 1. */
  readonly step: number
  readonly positions: readonly number[]
}

export interface FillContext {
  /** With the rule of the set. */
  readonly chooser: Chooser
  readonly source: Stream
  readonly schedule: NoiseSchedule
  readonly cache: boolean
  readonly onRevealed: (news: readonly Revealed[]) => Promise<void> | void
  /** True once the person asked to stop. */
  readonly stopping: () => boolean
}

export const uniformAt = (source: Stream, text: number, step: number, position: number): number =>
  uniforms(source, [text, step, position], 1)[0]!

/** The step of the block's chain that reveals each of its positions. */
export const blockRevealSteps = (
  source: Stream,
  schedule: NoiseSchedule,
  { from, to, steps }: Block,
  text: number,
): Int32Array =>
  revealSteps(
    schedule,
    steps,
    Float64Array.from({ length: to - from }, (_, i) => uniformAt(source, text, 0, from + i)),
  )

/** The passes of a chain for one text: step k in 1..T, counted down, and the positions it reveals. */
export interface ChainPass {
  readonly k: number
  readonly positions: readonly number[]
}

/** Steps without a position are left out unless every step is to be taken. */
export const chainPasses = (
  source: Stream,
  schedule: NoiseSchedule,
  block: Block,
  text: number,
  everyStep: boolean,
): readonly ChainPass[] => {
  const reveal = blockRevealSteps(source, schedule, block, text)
  const byStep = new Map<number, number[]>()
  reveal.forEach((k, i) => {
    const positions = byStep.get(k)
    if (positions === undefined) byStep.set(k, [block.from + i])
    else positions.push(block.from + i)
  })
  if (everyStep) for (let k = 1; k <= block.steps; k++) if (!byStep.has(k)) byStep.set(k, [])
  return [...byStep].map(([k, positions]) => ({ k, positions })).sort((a, b) => b.k - a.k)
}

const rowOf = (
  draft: Draft,
  { start, window }: Block,
  source: Stream,
  {
    step,
    sigma,
    positions,
  }: { readonly step: number; readonly sigma: number; readonly positions: readonly number[] },
): ChooseRow => ({
  inputIds: draft.tokens.slice(start, start + window),
  sigma,
  columns: positions.map((position) => position - start),
  uniforms: positions.map((position) => uniformAt(source, draft.index, step, position)),
})

/**
 * The reverse chain. Its noise level is the schedule's where the block is the whole window; where some of the window is
 * given, or left to later blocks, it is the level at which as large a share is masked on average.
 */
export const fillAncestral = async (
  drafts: readonly Draft[],
  block: Block,
  { chooser, source, schedule, cache, onRevealed, stopping }: FillContext,
): Promise<void> => {
  const chains = drafts.map(({ index }) => chainPasses(source, schedule, block, index, !cache))
  const most = Math.max(...chains.map(({ length }) => length))
  for (let pass = 0; pass < most && !stopping(); pass++) {
    const open = drafts.flatMap((draft, i) => {
      const passed = chains[i]![pass]
      return passed === undefined
        ? []
        : [{ draft, ...passed, step: block.stepsBefore + block.steps - passed.k + 1 }]
    })
    const chosen = await chooser.choose(
      open.map(({ draft, k, step, positions }) => {
        const masked = block.later + (block.to - block.from) * maskProbability(schedule, k / block.steps)
        const sigma = sigmaOfVisible(schedule, 1 - masked / block.maskable)
        return rowOf(draft, block, source, { step, sigma, positions })
      }),
    )
    const news = open.map(({ draft, step, positions }, r): Revealed => {
      draft.forwards++
      positions.forEach((position, i) => (draft.tokens[position] = chosen[r]!.tokens[i]!))
      return { draft, step, positions }
    })
    await onRevealed(news)
  }
}

/** The most confident positions of each step, as many at each as evenly fill the block. */
export const fillByConfidence = async (
  drafts: readonly Draft[],
  block: Block,
  { chooser, source, schedule, onRevealed, stopping }: FillContext,
): Promise<void> => {
  const size = block.to - block.from
  const steps = Math.min(block.steps, size)
  const masked = drafts.map(() => Array.from({ length: size }, (_, i) => block.from + i))
  for (let s = 1; s <= steps && !stopping(); s++) {
    const count = Math.floor((s * size) / steps) - Math.floor(((s - 1) * size) / steps)
    const left = masked[0]!.length
    const sigma = sigmaOfMasked(schedule, block.later + left, block.maskable)
    const step = block.stepsBefore + s
    const drawn = await chooser.choose(
      drafts.map((draft, r) => rowOf(draft, block, source, { step, sigma, positions: masked[r]! })),
    )
    const news = drafts.map((draft, r): Revealed => {
      draft.forwards++
      const { tokens, logProbs } = drawn[r]!
      const candidates = masked[r]!.map((position, i) => ({
        position,
        token: tokens[i]!,
        confidence: logProbs[i]!,
      }))
      const chosen = candidates
        .sort((a, b) => b.confidence - a.confidence || a.position - b.position)
        .slice(0, count)
      for (const { position, token } of chosen) draft.tokens[position] = token
      const positions = chosen.map(({ position }) => position).sort((a, b) => a - b)
      masked[r] = masked[r]!.filter((position) => !positions.includes(position))
      return { draft, step, positions }
    })
    await onRevealed(news)
  }
}

/**
 * Next-token sampling of whole texts: a forward pass for each token, the input being the boundary token and then the
 * text, of which the last window's worth is seen.
 *
 * @param ends a text stops after this token; absent: at its length
 */
export const fillCausal = async (
  drafts: readonly Draft[],
  options: {
    readonly from: number
    readonly to: number
    readonly window: number
    readonly boundaryId: number
    readonly ends?: number | undefined
  },
  { chooser, source, onRevealed, stopping }: FillContext,
): Promise<void> => {
  const { from, to, window, boundaryId, ends } = options
  let open = drafts
  for (let position = from; position < to && open.length > 0 && !stopping(); position++) {
    const start = Math.max(0, position + 1 - window)
    const step = position - from + 1
    const chosen = await chooser.choose(
      open.map(({ tokens, index }) => {
        const inputIds = new Int32Array(window)
        for (let i = start; i <= position; i++) inputIds[i - start] = i === 0 ? boundaryId : tokens[i - 1]!
        const own = [uniformAt(source, index, step, position)]
        return { inputIds, sigma: 0, columns: [position - start], uniforms: own }
      }),
    )
    const news = open.map((draft, r): Revealed => {
      draft.forwards++
      draft.tokens[position] = chosen[r]!.tokens[0]!
      return { draft, step, positions: [position] }
    })
    open = open.filter(({ tokens }) => tokens[position] !== ends)
    await onRevealed(news)
  }
}
