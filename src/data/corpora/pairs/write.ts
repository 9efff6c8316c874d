/**
 * The shards of a corpus of rows, one after another: each is written whole with a note of what it was made from, so
 * that a call that was cut off goes on behind the last one and ends with the same bytes.
 */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { writeFileAtomic } from "../../../files/atomic.js"
import { fileDigest } from "../../../files/digest.js"
import { hubSplit, type HoldOut } from "../../rows/numpy-permutation.js"
import { inspectShard, writeShard } from "../../rows/shards.js"
import { tokenArray, tokenBytes, type Tokens } from "../../rows/tokens.js"
import type { PreparedPart } from "../prepared.js"
import { SPLITS, type PrepareOptions, type SplitName } from "../store.js"
import type { TokeniserPool } from "./pool.js"
import { countRows, rawRows, type RawRow } from "./rows.js"
import type { TokenisedBlock } from "./tokenise.js"

export type Note = PreparedPart["shards"][number] & {
  /** SHA-256 of everything that decides the shard's bytes. */
  readonly made: string
  readonly documents: number
  readonly bytes: number
}

export interface RowPlan {
  readonly files: readonly string[]
  /** Fields of a row that are read. */
  readonly columns: readonly string[]
  /** First part of the shards' names. */
  readonly stem: string
  readonly shards: number
  /** What is held out of the rows, or the one split that they all belong to. */
  readonly holdOut: HoldOut | SplitName
  readonly only?: "first-row" | undefined
  readonly boundaryId: number
  readonly vocabSize: number
  /** Folder of each split. */
  readonly folders: Readonly<Record<SplitName, string>>
  readonly made: string
}

export const shardName = (stem: string, split: SplitName, index: number): string =>
  `${stem}_${split === "train" ? "train" : "val"}_${String(index).padStart(6, "0")}.bin`

const notePath = (folder: string, file: string): string => join(folder, `${file}.json`)

/** What is known of a shard that is there and was made from the same inputs. */
export const readNote = async (folder: string, file: string, made: string): Promise<Note | undefined> => {
  try {
    const note = JSON.parse(await readFile(notePath(folder, file), "utf8")) as Note
    const { tokens } = await inspectShard(join(folder, file))
    return note.made === made && note.tokens === tokens ? note : undefined
  } catch {
    return undefined
  }
}

/** Writes a shard, then the note of what it was made from. */
export const writeNoted = async (
  folder: string,
  tokens: Tokens,
  about: Pick<Note, "file" | "made" | "documents" | "bytes">,
  onEvent: PrepareOptions["onEvent"],
): Promise<Note> => {
  const path = join(folder, about.file)
  await writeShard(path, tokens)
  const { file, made, documents, bytes } = about
  const note = { file, tokens: tokens.length, sha256: await fileDigest(path), made, documents, bytes }
  await writeFileAtomic(notePath(folder, file), `${JSON.stringify(note)}\n`)
  onEvent?.({ kind: "written", path, tokens: tokens.length })
  return note
}

/** What is known of the shards of one split. */
export const partOf = (notes: readonly Note[]): PreparedPart => ({
  documents: notes.reduce((n, { documents }) => n + documents, 0),
  tokens: notes.reduce((n, { tokens }) => n + tokens, 0),
  bytes: notes.reduce((n, { bytes }) => n + bytes, 0),
  shards: notes.map(({ file, tokens, sha256 }) => ({ file, tokens, sha256 })),
})

/** Rows in one message to a thread. */
const BLOCK = 256

const joined = (blocks: readonly TokenisedBlock[], { boundaryId, vocabSize }: RowPlan): Tokens => {
  const out = tokenArray(
    tokenBytes(vocabSize),
    blocks.reduce((n, { ids }) => n + ids.length, 1),
  )
  out[0] = boundaryId
  let at = 1
  for (const { ids } of blocks) {
    out.set(ids, at)
    at += ids.length
  }
  return out
}

/** The blocks of one shard that are under way or done. */
class Shard {
  readonly split: SplitName
  readonly index: number
  #numbers: number[] = []
  #texts: string[] = []
  #file = ""
  #unit: RawRow["unit"] = "line"
  #blocks: Promise<TokenisedBlock>[] = []

  constructor(split: SplitName, index: number) {
    this.split = split
    this.index = index
  }

  /** Takes a row; a full block goes to a thread. */
  async add(pool: TokeniserPool, { file, unit, number, text }: RawRow): Promise<void> {
    if (this.#texts.length >= BLOCK || (this.#file !== file && this.#texts.length > 0)) await this.#send(pool)
    this.#file = file
    this.#unit = unit
    this.#numbers.push(number)
    this.#texts.push(text())
  }

  async #send(pool: TokeniserPool): Promise<void> {
    const block = pool.tokenise({
      file: this.#file,
      unit: this.#unit,
      numbers: this.#numbers,
      texts: this.#texts,
    })
    block.catch(() => undefined) // reported where it is awaited
    this.#blocks.push(block)
    ;[this.#numbers, this.#texts] = [[], []]
    const behind = this.#blocks[this.#blocks.length - 1 - pool.room]
    if (behind !== undefined) await behind
  }

  async done(pool: TokeniserPool): Promise<readonly TokenisedBlock[]> {
    if (this.#texts.length > 0) await this.#send(pool)
    return Promise.all(this.#blocks)
  }
}

/**
 * Writes what is lacking of all shards. Shard k of a split holds its rows among the k-th part of all rows; memory holds
 * one shard of each split.
 */
export const writeRows = async (
  plan: RowPlan,
  pool: () => TokeniserPool,
  { onEvent, signal }: PrepareOptions,
): Promise<Readonly<Record<SplitName, readonly Note[]>>> => {
  const { holdOut, stem } = plan
  const rows = await countRows(plan.files, signal)
  const whole = plan.only === undefined
  const splits = typeof holdOut === "string" ? [holdOut] : SPLITS
  const { heldOut, firstTrain } = typeof holdOut === "string" ? { firstTrain: 0 } : hubSplit(rows, holdOut)
  const splitsOf = (row: number): readonly SplitName[] => {
    if (!whole) return row === firstTrain ? splits : []
    return heldOut === undefined ? splits : [heldOut[row] === 1 ? "validation" : "train"]
  }
  const shards = whole ? plan.shards : 1
  const notes: Record<SplitName, Note[]> = { train: [], validation: [] }
  const known = async (split: SplitName, index: number): Promise<Note | undefined> =>
    readNote(plan.folders[split], shardName(stem, split, index), plan.made)

  const close = async (shard: Shard): Promise<Note> => {
    const { split, index } = shard
    const blocks = await shard.done(pool())
    const sum = (of: (block: TokenisedBlock) => number): number =>
      blocks.reduce((n, block) => n + of(block), 0)
    const about = {
      file: shardName(stem, split, index),
      made: plan.made,
      documents: sum(({ documents }) => documents),
      bytes: sum(({ bytes }) => bytes),
    }
    return writeNoted(plan.folders[split], joined(blocks, plan), about, onEvent)
  }

  const source = rawRows(plan.files, plan.columns)
  let row = 0
  for (let k = 0; k < shards; k++) {
    const end = whole ? Math.floor(((k + 1) * rows) / shards) : rows
    const open: Partial<Record<SplitName, Shard>> = {}
    for (const split of splits) {
      const note = await known(split, k)
      if (note === undefined) open[split] = new Shard(split, k)
      else {
        notes[split].push(note)
        onEvent?.({ kind: "reused", path: join(plan.folders[split], note.file) })
      }
    }
    for (; row < end; row++) {
      const { value } = await source.next()
      if (value === undefined) break
      if (row % BLOCK === 0) {
        signal?.throwIfAborted()
        onEvent?.({ kind: "rows", done: row, total: rows })
      }
      for (const split of splitsOf(row)) await open[split]?.add(pool(), value)
    }
    for (const split of splits) {
      const shard = open[split]
      if (shard !== undefined) notes[split].push(await close(shard))
    }
  }
  onEvent?.({ kind: "rows", done: rows, total: rows })
  return notes
}
