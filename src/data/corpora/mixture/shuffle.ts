/** Where each row of a mixture goes: its place in the one order of all rows, and the shard of that place. */
import { heldOutCount, numpyPermutation, type HoldOut } from "../../rows/numpy-permutation.js"
import type { SplitName } from "../store.js"

export interface ShardOfRow {
  readonly split: SplitName
  readonly index: number
}

export interface Shuffle {
  /** Place of each row in the order of its split, from 0. */
  readonly place: (row: number) => number
  readonly shardOf: (row: number) => ShardOfRow
}

/**
 * The order of `train_test_split(seed)` over n rows: the first of the permutation are validation rows, the others, as
 * they come, training rows, cut into `trainShards` of about as many rows each.
 */
export const shuffleOf = (n: number, holdOut: HoldOut, trainShards: number): Shuffle => {
  const held = heldOutCount(n, holdOut)
  const order = numpyPermutation(holdOut.seed, n)
  const at = new Uint32Array(n)
  order.forEach((row, i) => (at[row] = i))
  const trained = n - held
  return {
    place: (row) => (at[row]! < held ? at[row]! : at[row]! - held),
    shardOf: (row) =>
      at[row]! < held
        ? { split: "validation", index: 0 }
        : { split: "train", index: Math.ceil(((at[row]! - held + 1) * trainShards) / trained) - 1 },
  }
}
