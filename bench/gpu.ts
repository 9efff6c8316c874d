/** The GPU rows: the published step as written and ours at its batch, then at twice that batch until memory runs out. */
import type { Measured, Side } from "./measure.js"
import { gpuShape, PUBLISHED_BATCH, type Shape } from "./shapes.js"
import { OURS_GPU, PUBLISHED } from "./targets.js"

/** The first is ours; the one that is held to fp32 is compared with PyTorch, and not timed. */
export const GPU_SIDES: readonly Side[] = [
  { id: OURS_GPU, ours: { engine: "torch", precision: "bf16" } },
  { id: PUBLISHED, mode: "published" },
  { id: "torch compile bf16", mode: "compile-bf16" },
  { id: "torch executor fp32", ours: { engine: "torch", precision: "fp32" }, timed: false },
]

/** Measured beyond the published batch. */
const FURTHER = [OURS_GPU, PUBLISHED]

/** A batch that no GPU of today holds at 2048 tokens each. */
const LARGEST_BATCH = 4096

/**
 * Doubles the batch from the published one until ours fails. Contenders share the GPU and take turns at the published
 * batch; beyond it ours and the published step have the GPU to themselves, so that the largest batch is their own, and
 * one that failed stays out.
 *
 * @param measureAt measures the groups, one after another
 */
export const searchBatches = async (
  sides: readonly Side[],
  measureAt: (shape: Shape, groups: readonly (readonly Side[])[], first: boolean) => Promise<Measured>,
  largest = LARGEST_BATCH,
  shapeOf: (batch: number) => Shape = gpuShape,
): Promise<readonly Measured[]> => {
  const all: Measured[] = []
  let left = sides
  for (let batch = PUBLISHED_BATCH; batch <= largest; batch *= 2) {
    const first = batch === PUBLISHED_BATCH
    const groups = first ? [left] : left.filter(({ id }) => FURTHER.includes(id)).map((side) => [side])
    const measured = await measureAt(shapeOf(batch), groups, first)
    all.push(measured)
    left = left.filter(({ id }) => measured.failures.every((failure) => failure.id !== id))
    if (!left.some(({ id }) => id === OURS_GPU)) break
  }
  return all
}
