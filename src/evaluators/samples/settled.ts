/**
 * Items of a corpus's rows whose answer only a program of theirs says: `prepare` runs each program once and keeps what
 * came of it beside the shards, as the published preprocessing of predictions does, for the rows that are measured.
 *
 * Each file holds some rows and says what they were made from, so that a call that was cut off goes on behind the last
 * whole one, and one of other inputs is made anew.
 */
import { readdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { corpusStore } from "../../data/corpora/stores.js"
import type { LoadedCorpus } from "../../data/corpora/loaded-corpus.js"
import { readTokens } from "../../data/corpora/corpus.js"
import type { SentencePieceModel } from "../../data/tokenizers/sentencepiece.js"
import { modelTokenizer } from "../../data/tokenizers/tokenizer.js"
import { writeFileAtomic } from "../../files/atomic.js"
import { bytesDigest } from "../../files/digest.js"
import { awaitLease } from "../../files/lease.js"
import { textOf } from "../../samplers/masked/text.js"
import type { Experiment } from "../../spec/experiment.js"
import { taskOf } from "../../tasks/index.js"
import { openSandbox } from "../../tasks/sandbox/index.js"
import type { Task } from "../../tasks/task.js"
import type { Prepared } from "../job.js"
import type { Samples } from "./schema.js"
import { startsOf, type Start } from "./starts.js"

/** Rises when the same inputs lead to other answers. */
const RECIPE = 1
/** Rows of one file. */
const BLOCK = 256
const STEM = "answers"

const nameOf = (block: number): string => `${STEM}_${String(block).padStart(6, "0")}.ndjson`

interface Head {
  /** SHA-256 of everything that decides the answers. */
  readonly made: string
  readonly rows: number
}

interface Line {
  readonly row: number
  readonly item: unknown
}

const rowItem = (
  task: Task,
  words: (tokens: ArrayLike<number>) => string,
  start: Pick<Start, "index" | "prompt" | "prefix" | "target" | "rest">,
): unknown =>
  task.itemOf?.(
    {
      prompt: words(start.prompt ?? start.prefix),
      target: start.target === undefined ? undefined : words(start.target),
      rest: start.rest === undefined ? undefined : words(start.rest),
    },
    String(start.index),
  )

/** Folder of the answers; undefined where the corpus keeps none, or the task's items say theirs. */
export const answersFolder = (
  { from, task }: Pick<Samples, "from" | "task">,
  { data }: Pick<Experiment, "data">,
  cacheDir: string,
): string | undefined => {
  if (from !== "validation" || task === undefined || taskOf(task).settle === undefined) return undefined
  return corpusStore(data.corpus).predictions?.(data.corpus, { cacheDir })
}

const madeOf = (
  task: string,
  { validationDigests, tokenizerDigest }: Pick<LoadedCorpus, "validationDigests" | "tokenizerDigest">,
  { data: { tokenizer, batching } }: Pick<Experiment, "data">,
): string =>
  bytesDigest(JSON.stringify([RECIPE, BLOCK, task, validationDigests, tokenizerDigest, tokenizer, batching]))

const readBlock = async (path: string, made: string): Promise<readonly Line[] | undefined> => {
  try {
    const [head, ...lines] = (await readFile(path, "utf8")).trimEnd().split("\n")
    const { made: of, rows } = JSON.parse(head!) as Head
    const found = lines.map((line) => JSON.parse(line) as Line)
    return of === made && found.length === rows ? found : undefined
  } catch {
    return undefined
  }
}

/** The settled items by row, as far as they are there and made from these inputs. */
export const readAnswers = async (
  evaluation: Samples,
  experiment: Experiment,
  corpus: Pick<LoadedCorpus, "validationDigests" | "tokenizerDigest">,
  cacheDir: string,
): Promise<ReadonlyMap<number, unknown>> => {
  const folder = answersFolder(evaluation, experiment, cacheDir)
  const items = new Map<number, unknown>()
  if (folder === undefined) return items
  const made = madeOf(evaluation.task!, corpus, experiment)
  for (const name of (await readdir(folder).catch(() => [])).sort())
    if (name.startsWith(STEM) && name.endsWith(".ndjson"))
      for (const { row, item } of (await readBlock(join(folder, name), made)) ?? [])
        if (item !== null) items.set(row, item)
  return items
}

/** Works out what is lacking of the answers that an evaluation compares with. @throws SandboxError where there is none */
export const prepareAnswers = async (
  evaluation: Samples,
  { experiment, corpus, cacheDir, workers, rewrite, onEvent, signal }: Prepared,
): Promise<void> => {
  const folder = answersFolder(evaluation, experiment, cacheDir)
  if (folder === undefined) return
  const task = taskOf(evaluation.task!)
  const { tokenizer } = experiment.data
  const encode = (text: string): ArrayLike<number> =>
    modelTokenizer(tokenizer.id, corpus.tokenizer as SentencePieceModel).encode(text)
  const words = (tokens: ArrayLike<number>): string => textOf(corpus.tokenizer, tokens, tokenizer.boundaryId)
  const { starts } = startsOf(evaluation, await readTokens(corpus.validation), experiment, encode)
  const made = madeOf(evaluation.task!, corpus, experiment)
  const taken = await awaitLease(join(cacheDir, `.lock-answers-${bytesDigest(folder).slice(0, 16)}`), {
    passing: true,
    signal,
    onWait: (holder) => onEvent?.({ kind: "waiting", path: folder, holder }),
  })
  let sandbox: Awaited<ReturnType<typeof openSandbox>> | undefined
  try {
    if (rewrite === true) await rm(folder, { recursive: true, force: true })
    for (let first = 0; first < starts.length; first += BLOCK) {
      const own = starts.slice(first, first + BLOCK)
      const path = join(folder, nameOf(first / BLOCK))
      onEvent?.({ kind: "answers", done: first, total: starts.length })
      const there = await readBlock(path, made)
      if (there !== undefined && there.length >= own.length) {
        onEvent?.({ kind: "reused", path })
        continue
      }
      signal?.throwIfAborted()
      sandbox ??= await openSandbox(workers === undefined ? {} : { width: workers })
      const run = { sandbox, patience: 1 }
      const lines = await Promise.all(
        own.map(async (start): Promise<Line> => {
          const item = rowItem(task, words, start)
          return { row: start.index, item: item === undefined ? null : await task.settle!(item, run) }
        }),
      )
      const head: Head = { made, rows: lines.length }
      await writeFileAtomic(path, [head, ...lines].map((line) => `${JSON.stringify(line)}\n`).join(""))
    }
    onEvent?.({ kind: "answers", done: starts.length, total: starts.length })
  } finally {
    await sandbox?.close()
    await taken.lease.release()
  }
}
