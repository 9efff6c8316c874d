/** How a text is divided into blocks, and which window of it the network sees for each. */
import type { SampledModel, SamplingSettings } from "./settings.js"

export interface Block {
  /** Positions of the text that the block fills: [from, to). */
  readonly from: number
  readonly to: number
  /** Positions the network sees: [start, start + window). */
  readonly start: number
  readonly window: number
  /** Steps of the block's chain, and the text's steps before it. */
  readonly steps: number
  readonly stepsBefore: number
  /** Masked positions in the window that later blocks fill. */
  readonly later: number
  /** Positions in the window that may be masked. */
  readonly maskable: number
}

/**
 * Blocks from left to right; one block of everything where no size is given. The first window begins with the text;
 * where the text is longer than a window it slides, so that the block stands at its end. Steps are shared out in
 * proportion to the tokens, at least one for each block.
 */
export const blocksOf = (settings: SamplingSettings, model: SampledModel): readonly Block[] => {
  const { length, prefix, suffix, sampler } = settings
  const first = prefix.length
  const end = length - suffix.length
  const free = end - first
  const size = sampler === "left-to-right" ? 1 : Math.min(free, settings.block ?? free)
  const steps = sampler === "left-to-right" ? free : settings.steps
  const window = Math.min(length, model.window)
  const given = (from: number, to: number): number => {
    if (model.boundary === "maskable") return 0
    let n = 0
    for (let i = from; i < to; i++) {
      const token = i < first ? prefix[i] : i >= end ? suffix[i - end] : undefined
      if (token === model.boundaryId) n++
    }
    return n
  }
  const blocks: Block[] = []
  let stepsBefore = 0
  for (let from = first; from < end; from += size) {
    const to = Math.min(end, from + size)
    const start = Math.max(0, to - window)
    const share = Math.floor((steps * (to - first)) / free) - Math.floor((steps * (from - first)) / free)
    const own = Math.max(1, share)
    blocks.push({
      from,
      to,
      start,
      window,
      steps: own,
      stepsBefore,
      later: Math.max(0, Math.min(end, start + window) - to),
      maskable: window - given(start, start + window),
    })
    stepsBefore += own
  }
  return blocks
}
