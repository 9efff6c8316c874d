/**
 * The shards of a corpus of pairs, one after another: each is written whole with a note of what it was made from, so
 * that a call that was cut off goes on behind the last one and ends with the same bytes.
 */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { writeFileAtomic } from "../../../files/atomic.js"
import { fileDigest } from "../../../files/digest.js"
import { hubSplit } from "../../rows/numpy-permutation.js"
import { inspectShard, writeShard } from "../../rows/shards.js"
import { tokenArray, tokenBytes, type Tokens } from "../../rows/tokens.js"
import type { PreparedPart } from "../prepared.js"
import type { PrepareOptions, SplitName } from "../store.js"
import { countLines, rawLines } from "./lines.js"
import type { TokeniserPool } from "./pool.js"
import type { TokenisedBlock } from "./tokenise.js"

export type Note = PreparedPart["shards"][number] & {
  /** SHA-256 of everything that decides the shard's bytes. */
  readonly made: string
  readonly documents: number
  readonly bytes: number
}

export interface PairPlan {
  readonly files: readonly string[]
  readonly shards: number
  readonly holdOut: { readonly share: number; readonly seed: number }
  readonly only?: "first-row" | undefined
  readonly boundaryId: number
  readonly vocabSize: number
  /** Folder of each split. */
  readonly folders: Readonly<Record<SplitName, string>>
  readonly made: string
}

export const shardName = (split: SplitName, index: number): string =>
  `pairs_${split === "train" ? "train" : "val"}_${String(index).padStart(6, "0")}.bin`

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

/** Lines in one message to a thread. */
const BLOCK = 256

const joined = (blocks: readonly TokenisedBlock[], { boundaryId, vocabSize }: PairPlan): Tokens => {
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
  #lines: number[] = []
  #texts: string[] = []
  #file = ""
  #blocks: Promise<TokenisedBlock>[] = []

  constructor(split: SplitName, index: number) {
    this.split = split
    this.index = index
  }

  /** Takes a line; a full block goes to a thread. */
  async add(
    pool: TokeniserPool,
    { file, line, text }: { file: string; line: number; text: string },
  ): Promise<void> {
    if (this.#texts.length >= BLOCK || (this.#file !== file && this.#texts.length > 0)) await this.#send(pool)
    this.#file = file
    this.#lines.push(line)
    this.#texts.push(text)
  }

  async #send(pool: TokeniserPool): Promise<void> {
    const block = pool.tokenise({ file: this.#file, lines: this.#lines, texts: this.#texts })
    block.catch(() => undefined) // reported where it is awaited
    this.#blocks.push(block)
    ;[this.#lines, this.#texts] = [[], []]
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
export const writePairs = async (
  plan: PairPlan,
  pool: () => TokeniserPool,
  { onEvent, signal }: PrepareOptions,
): Promise<Readonly<Record<SplitName, readonly Note[]>>> => {
  const rows = await countLines(plan.files, signal)
  const { heldOut, firstTrain } = hubSplit(rows, plan.holdOut)
  const whole = plan.only === undefined
  const shards = whole ? plan.shards : 1
  const notes: Record<SplitName, Note[]> = { train: [], validation: [] }
  const known = async (split: SplitName, index: number): Promise<Note | undefined> =>
    readNote(plan.folders[split], shardName(split, index), plan.made)

  const close = async (shard: Shard): Promise<Note> => {
    const { split, index } = shard
    const folder = plan.folders[split]
    const file = shardName(split, index)
    const blocks = await shard.done(pool())
    const tokens = joined(blocks, plan)
    const path = join(folder, file)
    await writeShard(path, tokens)
    const sum = (of: (block: TokenisedBlock) => number): number =>
      blocks.reduce((n, block) => n + of(block), 0)
    const note: Note = {
      file,
      tokens: tokens.length,
      sha256: await fileDigest(path),
      made: plan.made,
      documents: sum(({ documents }) => documents),
      bytes: sum(({ bytes }) => bytes),
    }
    await writeFileAtomic(notePath(folder, file), `${JSON.stringify(note)}\n`)
    onEvent?.({ kind: "written", path, tokens: tokens.length })
    return note
  }

  const lines = rawLines(plan.files)
  let row = 0
  for (let k = 0; k < shards; k++) {
    const end = whole ? Math.floor(((k + 1) * rows) / shards) : rows
    const open: Partial<Record<SplitName, Shard>> = {}
    for (const split of ["train", "validation"] as const) {
      const note = await known(split, k)
      if (note === undefined) open[split] = new Shard(split, k)
      else {
        notes[split].push(note)
        onEvent?.({ kind: "reused", path: join(plan.folders[split], note.file) })
      }
    }
    for (; row < end; row++) {
      const { value } = await lines.next()
      if (value === undefined) break
      if (row % BLOCK === 0) {
        signal?.throwIfAborted()
        onEvent?.({ kind: "rows", done: row, total: rows })
      }
      const splits: readonly SplitName[] = whole
        ? [heldOut[row] === 1 ? "validation" : "train"]
        : row === firstTrain
          ? ["train", "validation"]
          : []
      for (const split of splits)
        await open[split]?.add(pool(), { ...value, text: value.bytes.toString("utf8") })
    }
    for (const split of ["train", "validation"] as const) {
      const shard = open[split]
      if (shard !== undefined) notes[split].push(await close(shard))
    }
  }
  onEvent?.({ kind: "rows", done: rows, total: rows })
  return notes
}
