/** A mixture on disk: the files of its sources are fetched, their rows tokenised once and shuffled into shards. */
import { availableParallelism } from "node:os"
import { readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { writeFileAtomic } from "../../../files/atomic.js"
import { bytesDigest } from "../../../files/digest.js"
import { DataError } from "../../../files/errors.js"
import { fetchList, fetchRows, rowDigests, rowFiles, type ListedOrigin } from "../dataset/origins.js"
import { fetched } from "../pairs/fetch.js"
import { tokenizerOrigin } from "../pairs/place.js"
import { openPool, type TokeniserPool } from "../pairs/pool.js"
import { partOf, readNote } from "../pairs/write.js"
import { locatePrepared, TOTALS_FILE, type PreparedTotals } from "../prepared.js"
import {
  SPLITS,
  type CorpusOptions,
  type CorpusStore,
  type Located,
  type PrepareOptions,
  type SourceCount,
  type SplitName,
  type StoreJob,
} from "../store.js"
import type { Mixture, MixturePart } from "./schema.js"
import { writeMixture } from "./write.js"

/** Raise when shards made from equal inputs would differ. */
const RECIPE = 1
/** First part of the shards' names. */
const STEM = "mixture"

type Job = StoreJob<Mixture>

/** What `corpus.json` says beside the totals: how much of each source is in each split. */
export interface MixtureTotals extends PreparedTotals {
  readonly sources: Readonly<Record<string, Readonly<Record<SplitName, SourceCount>>>>
}

const originsOf = (
  source: MixturePart,
  index: number,
  options: CorpusOptions,
): Promise<readonly ListedOrigin[]> =>
  rowFiles(source, source.files, `data.corpus.sources[${index}].source`, options)

interface Place {
  readonly folder: string
  readonly made: string
  readonly inputs: Readonly<Record<string, unknown>>
}

/** Where the shards of these files lie; the name of the folder is the digest of everything that decides them. */
const placeOf = async ({ corpus, tokenizer, model }: Job, options: CorpusOptions): Promise<Place> => {
  const { validation, mostTokens, trainShards } = corpus
  const sources: unknown[] = []
  for (const [i, source] of corpus.sources.entries())
    sources.push({
      name: source.name,
      files: await rowDigests(source, await originsOf(source, i, options)),
      field: source.field,
      detokenise: source.detokenise ?? null,
    })
  const inputs = {
    recipe: RECIPE,
    sources,
    validation,
    tokenizer: (await model()).digest,
    vocabSize: tokenizer.vocabSize,
    boundaryId: tokenizer.boundaryId,
    mostTokens: mostTokens ?? null,
    trainShards,
  }
  const made = bytesDigest(JSON.stringify(inputs))
  return { inputs, made, folder: join(options.cacheDir, "mixture", made.slice(0, 16)) }
}

const write = async (job: Job, place: Place, options: PrepareOptions): Promise<void> => {
  const { corpus, tokenizer } = job
  const { boundaryId, vocabSize } = tokenizer
  const path = tokenizerOrigin(corpus, options).path
  const bytes = await readFile(path)
  const pools: TokeniserPool[] = []
  const sources = []
  for (const [i, source] of corpus.sources.entries()) {
    const { name, field, detokenise } = source
    const rule = { field, detokenise, mostTokens: corpus.mostTokens, boundaryId }
    const workers = options.workers ?? availableParallelism()
    let pool: TokeniserPool | undefined
    const opened = (): TokeniserPool => {
      pools.push(openPool(workers, { tokenizer: bytes, path, rule }))
      return pools.at(-1)!
    }
    sources.push({
      name,
      files: (await originsOf(source, i, options)).map((origin) => origin.path),
      columns: [field],
      pool: () => (pool ??= opened()),
    })
  }
  try {
    const { notes, counts } = await writeMixture(
      {
        sources,
        holdOut: corpus.validation,
        trainShards: corpus.trainShards,
        boundaryId,
        vocabSize,
        stem: STEM,
        folder: place.folder,
        made: place.made,
      },
      options,
    )
    for (const split of SPLITS)
      if (notes[split].every(({ documents }) => documents === 0))
        throw new DataError(
          "invalid",
          place.folder,
          `the ${split} split has no document: every row is blank, too long or in the other split; correct data.corpus in the spec.`,
        )
    const totals: MixtureTotals = {
      inputs: place.inputs,
      train: partOf(notes.train),
      validation: partOf(notes.validation),
      sources: counts,
    }
    await writeFileAtomic(join(place.folder, TOTALS_FILE), `${JSON.stringify(totals, undefined, 2)}\n`)
  } finally {
    for (const pool of pools) await pool.close()
  }
}

const missing = (path: string): DataError =>
  new DataError("missing", path, "it is not there or cut; run `repro prepare` first.")

/** What the making found; it is written last. */
const readTotals = async ({ folder, inputs }: Place): Promise<MixtureTotals> => {
  const path = join(folder, TOTALS_FILE)
  try {
    const totals = JSON.parse(await readFile(path, "utf8")) as MixtureTotals
    if (JSON.stringify(totals.inputs) === JSON.stringify(inputs)) return totals
  } catch {
    // It is the same as if there were none.
  }
  throw missing(path)
}

/** The shards that are there and were made from just these inputs. */
const find = async (job: Job, options: CorpusOptions): Promise<Located> => {
  const place = await placeOf(job, options)
  const { folder, made } = place
  const { sources, ...totals } = await readTotals(place)
  for (const split of SPLITS)
    for (const { file } of totals[split].shards)
      if ((await readNote(folder, file, made)) === undefined) throw missing(join(folder, file))
  const located = locatePrepared(folder, totals)
  const knownOf = (split: SplitName) => ({
    ...located.known![split],
    sources: Object.fromEntries(Object.entries(sources).map(([name, counts]) => [name, counts[split]])),
  })
  return { ...located, known: { train: knownOf("train"), validation: knownOf("validation") } }
}

const isThere = (job: Job, options: CorpusOptions): Promise<boolean> =>
  find(job, options).then(
    () => true,
    () => false,
  )

export const mixtureStore: CorpusStore<Mixture> = {
  kind: "mixture",
  tokenizer: (corpus, options) => Promise.resolve(tokenizerOrigin(corpus, options).path),
  fetchTokenizer: ({ corpus, tokenizer }, options) =>
    fetched(tokenizerOrigin(corpus, options), tokenizer.sha256, options),
  prepare: async (job, options) => {
    const { corpus, tokenizer } = job
    await fetched(tokenizerOrigin(corpus, options), tokenizer.sha256, options)
    for (const [i, source] of corpus.sources.entries()) {
      await fetchList(source, options)
      await fetchRows(source, await originsOf(source, i, options), options)
    }
    const place = await placeOf(job, options)
    if (options.rewrite === true) await rm(place.folder, { recursive: true, force: true })
    else if (await isThere(job, options)) return options.onEvent?.({ kind: "reused", path: place.folder })
    await write(job, place, options)
  },
  locate: find,
  check: async (job, options, { look, tokenizer }) => {
    await tokenizer(tokenizerOrigin(job.corpus, options).url)
    await look(
      join(options.cacheDir, "mixture"),
      job.corpus.sources.map(({ source }) => source).join(" and "),
      () => find(job, options),
    )
  },
}
