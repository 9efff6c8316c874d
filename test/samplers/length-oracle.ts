/** Equal tokens whose number alone is random: the exact expected numbers of missing ones, and a sampler's own law of lengths. */
import {
  insertShare,
  stepSize,
  stepTime,
  type InsertRule,
  type StepGrid,
} from "../../src/diffusion/insertion/leap.js"
import { LINEAR } from "../../src/diffusion/insertion/schedule.js"
import type { FlexForward } from "../../src/samplers/forward.js"
import { memoryForward } from "../../src/samplers/memory.js"

/** The mixture of vector I; its mean is 26. */
export const MIXTURE = new Map([
  [4, 0.1],
  [16, 0.4],
  [32, 0.4],
  [64, 0.1],
])

/** ln (length (length - 1) ... (length - n + 1)): embeddings of n equal tokens, but for a factor of n alone. */
const FALLING = new Map<number, readonly number[]>()
const logFalling = (length: number, n: number): number => {
  let sums = FALLING.get(length)
  if (sums === undefined) {
    let sum = 0
    sums = [0, ...Array.from({ length }, (_, k) => (sum += Math.log(length - k)))]
    FALLING.set(length, sums)
  }
  return sums[n]! - n * Math.log(32)
}

/** E[tokens missing | n tokens, t] of equal tokens of random number: the oracle of the length mixture. */
export const missing = (lengths: ReadonlyMap<number, number>, n: number, t: number): number => {
  let [weight, sum] = [0, 0]
  for (const [length, p] of lengths) {
    if (length < n) continue
    const w = p * (1 - t) ** (length - n) * Math.exp(logFalling(length, n))
    weight += w
    sum += w * (length - n)
  }
  return weight === 0 ? 0 : sum / weight
}

/** Its missing tokens spread evenly over the slots; token 2 everywhere. */
export const lengthForward = (lengths: ReadonlyMap<number, number>): FlexForward =>
  memoryForward(({ tokens, t }) => {
    const n = tokens.length
    const gap = missing(lengths, n, t) / (n + 1)
    return { gaps: new Float64Array(n + 1).fill(gap), logits: () => [-30, -30, 0] }
  })

/**
 * The law of a sampler's lengths [canvas + 1], exactly: insertions do not look at tokens, so the number of tokens is a
 * chain whose step from n adds Poisson(missing(n, t) share) of them. What does not fit is cancelled, or fills the canvas.
 */
export const lengthLaw = (
  lengths: ReadonlyMap<number, number>,
  canvas: number,
  {
    steps,
    grid,
    insert,
    overflow,
  }: {
    readonly steps: number
    readonly grid: StepGrid
    readonly insert: InsertRule
    readonly overflow: "cancel" | "fill"
  },
): Float64Array => {
  const dt = stepSize(grid, steps)
  let law = new Float64Array(canvas + 1)
  law[0] = 1
  for (let i = 0; i < steps - 1; i++) {
    const t = stepTime(grid, steps, i)
    const share = insertShare(insert, LINEAR.insertion, t, dt)
    const next = new Float64Array(canvas + 1)
    law.forEach((p, n) => {
      if (p === 0) return
      const mean = missing(lengths, n, t) * share
      let [chance, left] = [Math.exp(-mean), 1]
      for (let k = 0; n + k <= canvas; k++) {
        next[n + k]! += p * chance
        left -= chance
        chance *= mean / (k + 1)
      }
      next[overflow === "fill" ? canvas : n]! += p * Math.max(0, left)
    })
    law = next
  }
  return law
}
