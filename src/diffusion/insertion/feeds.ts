/** From states to the feeds of a program: rows of one width, MASKs of one capacity. */
import { gatherFeeds, type Feeds } from "../batch.js"
import type { InsertionObjective, InsertionState } from "./batch.js"
import { slotCount, type EndSlot } from "./interpolant.js"

/** Positions of a row and MASKs of a slice that a program has room for. */
export interface SliceRoom {
  /** Columns of each row. */
  readonly width: number
  /** MASKs of all of its rows. */
  readonly capacity: number
}

const entropy = (probabilities: ArrayLike<number>): number => {
  let sum = 0
  for (let v = 0; v < probabilities.length; v++) {
    const q = probabilities[v]!
    if (q > 0) sum -= q * Math.log(q)
  }
  return sum
}

const vector = <T extends Float32Array | Int32Array>(data: T) => ({ shape: [data.length], data })

/** The feeds of a slice from the states of its rows; the rest has PAD, position 0 and weight 0. */
export const insertionFeeds = (
  states: readonly InsertionState[],
  { width, capacity }: SliceRoom,
  {
    targets,
    endSlot,
    padId,
    classes,
  }: {
    readonly targets: InsertionObjective["targets"]
    readonly endSlot: EndSlot
    readonly padId: number
    readonly classes: number
  },
): Feeds => {
  const rows = states.length
  const size = rows * width
  const inputIds = new Int32Array(size).fill(padId)
  const gapTargets = new Float32Array(size)
  const gapWeights = new Float32Array(size)
  const weights = new Float32Array(capacity)
  const soft = targets === "averaged"
  const picked = new Int32Array(soft ? 0 : capacity)
  const softTargets = new Float32Array(soft ? capacity * classes : 0)
  const entropies = new Float32Array(soft ? capacity : 0)
  const positions: number[] = []
  states.forEach((state, i) => {
    inputIds.set(state.tokens, i * width)
    gapTargets.set(state.gaps, i * width)
    gapWeights.fill(state.insertWeight, i * width, i * width + state.gaps.length)
    state.masks.forEach((j, m) => {
      const at = positions.push(i * width + j) - 1
      const target = state.targets[m]!
      weights[at] = state.unmaskWeight
      if (!soft) picked[at] = target.tokens[0]!
      else {
        for (let v = 0; v < target.tokens.length; v++)
          softTargets[at * classes + target.tokens[v]!] = target.probabilities[v]!
        entropies[at] = entropy(target.probabilities)
      }
    })
  })
  return {
    inputIds: { shape: [rows, width], data: inputIds },
    lengths: vector(Int32Array.from(states, ({ tokens }) => slotCount(endSlot, tokens.length))),
    time: vector(Float32Array.from(states, ({ t }) => t)),
    insertionAlpha: vector(Float32Array.from(states, ({ insertionAlpha }) => insertionAlpha)),
    ...gatherFeeds(Int32Array.from(positions), capacity, size),
    ...(soft
      ? { softTargets: { shape: [capacity, classes], data: softTargets }, entropies: vector(entropies) }
      : { targets: vector(picked) }),
    weights: vector(weights),
    gapTargets: vector(gapTargets),
    gapWeights: vector(gapWeights),
  }
}
