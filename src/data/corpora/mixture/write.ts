/**
 * Shards of a mixture, made in two passes over disk: rows are tokenised in the order of their files, each document into
 * the spool of its shard; then each spool is put in order and written. A journal says after each file how far the
 * spools are good, so that a call that was cut off goes on with the file after it and ends with the same bytes.
 */
import { readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { writeFileAtomic } from "../../../files/atomic.js"
import type { HoldOut } from "../../rows/numpy-permutation.js"
import { tokenBytes } from "../../rows/tokens.js"
import type { TokeniserPool } from "../pairs/pool.js"
import { countRows, rawRows } from "../pairs/rows.js"
import type { Block } from "../pairs/tokenise.js"
import { readNote, shardName, writeNoted, type Note } from "../pairs/write.js"
import { SPLITS, type PrepareOptions, type SourceCount, type SplitName } from "../store.js"
import { workFolder } from "../text/work-folder.js"
import { shuffleOf, type Shuffle } from "./shuffle.js"
import { gather, Spools } from "./spools.js"

export type SourceCounts = Readonly<Record<SplitName, SourceCount>>

export interface MixtureSource {
  readonly name: string
  readonly files: readonly string[]
  readonly columns: readonly string[]
  readonly pool: () => TokeniserPool
}

export interface MixturePlan {
  readonly sources: readonly MixtureSource[]
  readonly holdOut: HoldOut
  readonly trainShards: number
  readonly boundaryId: number
  readonly vocabSize: number
  readonly stem: string
  readonly folder: string
  readonly made: string
}

export interface Written {
  readonly notes: Readonly<Record<SplitName, readonly Note[]>>
  readonly counts: Readonly<Record<string, SourceCounts>>
}

/** Rows in one message to a thread. */
const BLOCK = 256
const JOURNAL = "scattered.json"
const NOTHING: SourceCount = { rows: 0, documents: 0, tokens: 0, bytes: 0 }

interface Journal {
  /** Rows of each file, in the order of the sources. */
  readonly rows: readonly number[]
  /** Files that are in the spools. */
  readonly files: number
  readonly lengths: Readonly<Record<string, number>>
  readonly counts: Readonly<Record<string, SourceCounts>>
}

const spoolName = (split: SplitName, index: number): string => `${split}-${index}`

const readJournal = async (work: string): Promise<Journal | undefined> => {
  try {
    return JSON.parse(await readFile(join(work, JOURNAL), "utf8")) as Journal
  } catch {
    return undefined
  }
}

const shardsIn = ({ trainShards }: MixturePlan, split: SplitName): number =>
  split === "train" ? trainShards : 1

const namesOf = (plan: MixturePlan): readonly string[] =>
  SPLITS.flatMap((split) =>
    Array.from({ length: shardsIn(plan, split) }, (_, index) => spoolName(split, index)),
  )

const add = (a: SourceCount, b: SourceCount): SourceCount => ({
  rows: a.rows + b.rows,
  documents: a.documents + b.documents,
  tokens: a.tokens + b.tokens,
  bytes: a.bytes + b.bytes,
})

/** One file's rows into the spools; `first` is the number of its first row among all. */
const scatterFile = async (
  file: string,
  first: number,
  { columns, pool }: MixtureSource,
  { spools, shuffle }: { readonly spools: Spools; readonly shuffle: Shuffle },
  onRows: (done: number) => void,
): Promise<SourceCounts> => {
  const counts: Record<SplitName, SourceCount> = { train: NOTHING, validation: NOTHING }
  const under: (() => Promise<void>)[] = []
  const send = (block: Block, from: number): void => {
    const made = pool().tokenise(block)
    made.catch(() => undefined) // reported where it is awaited
    under.push(async () => {
      const { ids, lengths, sizes } = await made
      let at = 0
      for (const [i, length] of lengths.entries()) {
        const { split, index } = shuffle.shardOf(from + i)
        const own = ids.subarray(at, at + length)
        at += length
        const found = { rows: 1, documents: length > 0 ? 1 : 0, tokens: length, bytes: sizes[i]! }
        counts[split] = add(counts[split], found)
        if (length > 0) await spools.add(spoolName(split, index), shuffle.place(from + i), own, sizes[i]!)
      }
      onRows(from + lengths.length)
    })
  }
  let block: { numbers: number[]; texts: string[] } = { numbers: [], texts: [] }
  let [row, unit] = [first, "line" as Block["unit"]]
  const close = (): void => {
    if (block.texts.length > 0) send({ file, unit, ...block }, row - block.texts.length)
    block = { numbers: [], texts: [] }
  }
  for await (const raw of rawRows([file], columns)) {
    unit = raw.unit
    block.numbers.push(raw.number)
    block.texts.push(raw.text())
    row++
    if (block.texts.length < BLOCK) continue
    close()
    if (under.length > pool().room) await under.shift()!()
  }
  close()
  for (const settle of under) await settle()
  return counts
}

/** The first pass, or what is left of it. */
const scatter = async (
  plan: MixturePlan,
  work: string,
  { onEvent, signal }: PrepareOptions,
): Promise<Journal> => {
  const files = plan.sources.flatMap((source) => source.files.map((file) => ({ file, source })))
  let journal = await readJournal(work)
  if (journal === undefined) {
    const rows: number[] = []
    for (const { file } of files) rows.push(await countRows([file], signal))
    const counts = Object.fromEntries(
      plan.sources.map(({ name }) => [name, { train: NOTHING, validation: NOTHING }]),
    )
    journal = { rows, files: 0, lengths: {}, counts }
  }
  if (journal.files === files.length) return journal
  const total = journal.rows.reduce((n, rows) => n + rows, 0)
  const shuffle = shuffleOf(total, plan.holdOut, plan.trainShards)
  const spools = new Spools(work, namesOf(plan), journal.lengths)
  await spools.cut()
  let first = journal.rows.slice(0, journal.files).reduce((n, rows) => n + rows, 0)
  for (const { file, source } of files.slice(journal.files)) {
    const own = await scatterFile(file, first, source, { spools, shuffle }, (done) => {
      signal?.throwIfAborted()
      onEvent?.({ kind: "rows", done, total })
    })
    first += journal.rows[journal.files]!
    const before: SourceCounts = journal.counts[source.name]!
    const counts: SourceCounts = {
      train: add(before.train, own.train),
      validation: add(before.validation, own.validation),
    }
    journal = {
      ...journal,
      files: journal.files + 1,
      lengths: await spools.settle(),
      counts: { ...journal.counts, [source.name]: counts },
    }
    await writeFileAtomic(join(work, JOURNAL), JSON.stringify(journal))
  }
  return journal
}

/** Writes all shards of the mixture; memory holds the ids of one of them, twice. */
export const writeMixture = async (plan: MixturePlan, options: PrepareOptions): Promise<Written> => {
  const { folder, made, stem, boundaryId, vocabSize } = plan
  const { onEvent, signal } = options
  const work = await workFolder(folder)
  const { counts } = await scatter(plan, work, options)
  const notes: Record<SplitName, Note[]> = { train: [], validation: [] }
  for (const split of SPLITS)
    for (let index = 0; index < shardsIn(plan, split); index++) {
      signal?.throwIfAborted()
      const file = shardName(stem, split, index)
      const known = await readNote(folder, file, made)
      if (known !== undefined) {
        notes[split].push(known)
        continue
      }
      const { tokens, documents, bytes } = await gather(work, spoolName(split, index), {
        boundaryId,
        width: tokenBytes(vocabSize),
      })
      notes[split].push(await writeNoted(folder, tokens, { file, made, documents, bytes }, onEvent))
    }
  await rm(work, { recursive: true, force: true })
  return { notes, counts }
}
