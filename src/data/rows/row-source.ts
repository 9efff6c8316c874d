/** Training rows of any step, drawn from the `data` stream: a step's rows depend on the seed and the step alone. */
import {
  buildChunkIndex,
  fillChunk,
  fillWindow,
  randomWindows,
  sequentialWindows,
  type ChunkIndex,
} from "./chunks.js"
import type { CollatedRow } from "./collate.js"
import { buildDocumentIndex, describeCut, documentRow, documentRule } from "./documents.js"
import { marksOf, openInfillRows } from "./infill.js"
import type { Rotation, TokenGroup } from "./rotation.js"
import { cannotSpell, type Encode } from "./spelled.js"
import { integersBelow, stream, uniforms } from "../../diffusion/philox.js"
import type { Rows } from "../../families/part.js"
import { DataError } from "../../files/errors.js"
import type { Batching, Tokenizer } from "../../spec/data.js"

export interface RowSource {
  /** `count` rows for one step. Steps of one group must be asked for in order of groups. */
  readonly rows: (step: number, count: number) => Promise<Rows>
}

/** What the rows of a step depend on beside their tokens. */
export interface RowOptions {
  readonly batching: Batching
  readonly tokenizer: Tokenizer
  readonly seed: number
  readonly stepsPerGroup: number
  /** Told once a group what of its rows is lost. */
  readonly onNotice?: (sentence: string) => void
  /** Spells delimiter and marks of rows with a gap; needed where they are texts. */
  readonly encode?: Encode
}

interface GroupRows {
  readonly index: number
  /** Writes a row; rows that are documents say how long they are and what of them is given. */
  readonly fill: (
    row: Int32Array,
    choice: number,
    cuts: () => readonly [number, number],
  ) => Pick<CollatedRow, "fixed" | "length"> | void
  readonly choices: number
  /** What a person must know of the group's rows. */
  readonly notice?: string | undefined
}

const openGroup = (
  group: TokenGroup,
  batching: Batching,
  tokenizer: Tokenizer,
  encode: RowOptions["encode"],
): GroupRows => {
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
  if (batching.kind === "documents") {
    const rule = documentRule({ tokenizer, batching }, encode)
    const documents = buildDocumentIndex(tokens, rule, group.shards.join(", "))
    if (batching.infill !== undefined) {
      const { choices, notice, make } = openInfillRows(
        tokens,
        documents,
        marksOf(batching.infill, encode ?? cannotSpell),
        rule,
      )
      return {
        index,
        notice,
        choices,
        fill: (row, choice, cuts) => {
          const made = make(choice, cuts())
          row.set(made.tokens)
          return made
        },
      }
    }
    return {
      index,
      notice: describeCut(documents, rule),
      choices: documents.starts.length,
      fill: (row, choice) => {
        const made = documentRow(tokens, documents, choice, rule)
        row.set(made.tokens)
        return made
      },
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

/** Keeps the uniforms of cuts apart from those of choices, whose site is the step alone. */
const CUTS = 1

/**
 * Chunks, documents and windows are drawn uniformly with replacement; sequential windows are taken in order and start again
 * at the group's end. Step s belongs to group floor(s / stepsPerGroup).
 */
export const openRowSource = (rotation: Pick<Rotation, "group">, options: RowOptions): RowSource => {
  const { batching, tokenizer, seed, stepsPerGroup } = options
  const draws = stream(seed, "data")
  let current: GroupRows | undefined
  return {
    rows: async (step, count) => {
      const index = Math.floor(step / stepsPerGroup)
      if (current?.index !== index) {
        current = undefined
        current = openGroup(await rotation.group(index), batching, tokenizer, options.encode)
        if (current.notice !== undefined) options.onNotice?.(current.notice)
      }
      const { choices, fill } = current
      const out = new Int32Array(count * batching.length)
      const first = (step % stepsPerGroup) * count
      const drawn =
        batching.kind === "sequential-windows" ? undefined : integersBelow(draws, [step], choices, count)
      const documents = batching.kind === "documents"
      const lengths = new Int32Array(documents ? count : 0)
      const fixed = new Uint8Array(documents ? out.length : 0)
      for (let i = 0; i < count; i++) {
        const choice = drawn?.[i] ?? (first + i) % choices
        const at = i * batching.length
        const row = fill(out.subarray(at, at + batching.length), choice, () => {
          const [u1, u2] = uniforms(draws, [step, CUTS, i], 2)
          return [u1!, u2!]
        })
        if (!documents || row === undefined) continue
        lengths[i] = row.length
        fixed.set(row.fixed, at)
      }
      return { tokens: out, length: batching.length, ...(documents ? { lengths, fixed } : {}) }
    },
  }
}
