/** Validation text inside the training split, found by a rolling hash and compared token by token. */
import type { Overlap } from "../../spec/content.js"
import { inspectShard, readShardInto, widthOf } from "../rows/shards.js"
import { tokenArray, type Tokens } from "../rows/tokens.js"

/** Tokens of one block: long enough that text meets itself only where it was copied, or is a set phrase. */
const BLOCK = 64
/** Training tokens that are looked at, at most. */
const LOOKED = 100_000_000
const BASE = 0x01000193

const equal = (a: Tokens, at: number, b: Tokens, from: number, length: number): boolean => {
  for (let i = 0; i < length; i++) if (a[at + i] !== b[from + i]) return false
  return true
}

/** Different blocks that have one hash: where the first of each lies, and how many there are like it. */
type Bucket = { readonly at: number; count: number }[]

/** Takes the blocks that stand in `train`, at any offset, out of their buckets. @returns how many. */
const take = (train: Tokens, validation: Tokens, block: number, buckets: Map<number, Bucket>): number => {
  if (train.length < block) return 0
  let power = 1
  for (let i = 1; i < block; i++) power = Math.imul(power, BASE)
  let [hash, taken] = [0, 0]
  for (let i = 0; i < train.length; i++) {
    if (i >= block) hash = (hash - Math.imul(train[i - block]! + 1, power)) | 0
    hash = (Math.imul(hash, BASE) + train[i]! + 1) | 0
    if (i < block - 1) continue
    const bucket = buckets.get(hash)
    const index = bucket?.findIndex(({ at }) => equal(train, i + 1 - block, validation, at, block)) ?? -1
    if (bucket === undefined || index < 0) continue
    taken += bucket[index]!.count
    bucket.splice(index, 1)
    if (bucket.length === 0) buckets.delete(hash)
  }
  return taken
}

const hashOf = (tokens: Tokens, start: number, length: number): number => {
  let hash = 0
  for (let i = 0; i < length; i++) hash = (Math.imul(hash, BASE) + tokens[start + i]! + 1) | 0
  return hash
}

/**
 * How many blocks of the validation tokens stand in the training shards. A copied passage of 127 tokens or more always
 * holds a whole block, wherever it begins. Text across two shards is not seen.
 */
export const measureOverlap = async (
  train: readonly string[],
  validation: Tokens,
  limit = LOOKED,
): Promise<Overlap> => {
  const block = Math.min(BLOCK, Math.max(1, validation.length))
  const blocks = Math.floor(validation.length / block)
  const buckets = new Map<number, Bucket>()
  for (let i = 0; i < blocks; i++) {
    const at = i * block
    const hash = hashOf(validation, at, block)
    const bucket = buckets.get(hash)
    const like = bucket?.find((other) => equal(validation, at, validation, other.at, block))
    if (like !== undefined) like.count++
    else if (bucket !== undefined) bucket.push({ at, count: 1 })
    else buckets.set(hash, [{ at, count: 1 }])
  }
  let [shared, looked, trainTokens] = [0, 0, 0]
  let buffer: Tokens | undefined
  for (const path of train) {
    const info = await inspectShard(path)
    const { tokens } = info
    trainTokens += tokens
    if (looked >= limit) continue
    // One buffer for all of them: a new one for each would wait for the collector.
    if (buffer === undefined || buffer.length < tokens || buffer.BYTES_PER_ELEMENT !== widthOf(info))
      buffer = tokenArray(widthOf(info), tokens)
    const whole = buffer.subarray(0, tokens)
    await readShardInto(path, whole)
    const shard = whole.subarray(0, limit - looked)
    shared += take(shard, validation, block, buckets)
    looked += shard.length
  }
  return { block, blocks, shared, looked, trainTokens }
}
