/** Training rows of any step, drawn from the `data` stream: a step's rows depend on the seed and the step alone. */
import {
  buildChunkIndex,
  fillChunk,
  fillWindow,
  randomWindows,
  sequentialWindows,
  type ChunkIndex,
} from "../data/rows/chunks.js"
import { DataError } from "../files/errors.js"
import type { Rotation, TokenGroup } from "../data/rows/rotation.js"
import type { Rows } from "../families/part.js"
import type { Batching, Tokenizer } from "../spec/data.js"
import { integersBelow, stream } from "../diffusion/philox.js"

export interface RowSource {
  /** `count` rows for one step. Steps of one group must be asked for in order of groups. */
  readonly rows: (step: number, count: number) => Promise<Rows>
}

interface GroupRows {
  readonly index: number
  readonly fill: (row: Int32Array, choice: number) => void
  readonly choices: number
}

const openGroup = (group: TokenGroup, batching: Batching, tokenizer: Tokenizer): GroupRows => {
  const { tokens, index } = group
  if (batching.kind === "document-chunks") {
    const chunks: ChunkIndex = buildChunkIndex(tokens, {
      boundaryId: tokenizer.boundaryId,
      length: batching.length,
      subject: group.shards.join(", "),
    })
    return {
      index,
      choices: chunks.starts.length,
      fill: (row, choice) => void fillChunk(tokens, chunks, choice, row, tokenizer.padId),
    }
  }
  const choices =
    batching.kind === "random-windows"
      ? randomWindows(tokens.length, batching.length)
      : sequentialWindows(tokens.length, batching.length)
  if (choices === 0) {
    throw new DataError(
      "invalid",
      group.shards.join(", "),
      `${tokens.length} tokens are fewer than one sequence of ${batching.length}; use a shorter data.batching.length.`,
    )
  }
  const stride = batching.kind === "random-windows" ? 1 : batching.length
  return { index, choices, fill: (row, choice) => fillWindow(tokens, choice * stride, row) }
}

/**
 * Chunks and windows are drawn uniformly with replacement; sequential windows are taken in order and start again
 * at the group's end. Step s belongs to group floor(s / stepsPerGroup).
 */
export const openRowSource = (
  rotation: Pick<Rotation, "group">,
  options: {
    readonly batching: Batching
    readonly tokenizer: Tokenizer
    readonly seed: number
    readonly stepsPerGroup: number
  },
): RowSource => {
  const { batching, tokenizer, seed, stepsPerGroup } = options
  const draws = stream(seed, "data")
  let current: GroupRows | undefined
  return {
    rows: async (step, count) => {
      const index = Math.floor(step / stepsPerGroup)
      if (current?.index !== index) {
        current = undefined
        current = openGroup(await rotation.group(index), batching, tokenizer)
      }
      const { choices, fill } = current
      const out = new Int32Array(count * batching.length)
      const first = (step % stepsPerGroup) * count
      const drawn =
        batching.kind === "sequential-windows" ? undefined : integersBelow(draws, [step], choices, count)
      for (let i = 0; i < count; i++) {
        const choice = drawn?.[i] ?? (first + i) % choices
        fill(out.subarray(i * batching.length, (i + 1) * batching.length), choice)
      }
      return { tokens: out, length: batching.length }
    },
  }
}
