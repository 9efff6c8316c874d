/** A data set of texts on disk: its files are fetched, its rows tokenised once by several threads. */
import { availableParallelism } from "node:os"
import { readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { writeFileAtomic } from "../../../files/atomic.js"
import { bytesDigest } from "../../../files/digest.js"
import { DataError } from "../../../files/errors.js"
import { fetched } from "../pairs/fetch.js"
import { fullName, tokenizerOrigin } from "../pairs/place.js"
import { openPool, type TokeniserPool } from "../pairs/pool.js"
import { partOf, readNote, shardName, writeRows, type Note } from "../pairs/write.js"
import { locateParts, TOTALS_FILE } from "../prepared.js"
import {
  SPLITS,
  type CorpusOptions,
  type CorpusStore,
  type Located,
  type SplitName,
  type StoreJob,
} from "../store.js"
import { fetchList, fetchRows, rowDigests, rowFiles, type ListedOrigin } from "./origins.js"
import type { Dataset } from "./schema.js"

/** Raise when shards made from equal inputs would differ. */
const RECIPE = 2
/** First part of the shards' names. */
const STEM = "dataset"

type Job = StoreJob<Dataset>
type Sources = Readonly<Record<SplitName, readonly ListedOrigin[]>>

/** The files of each split. */
const sourcesOf = async (corpus: Dataset, options: CorpusOptions): Promise<Sources> => ({
  train: await rowFiles(corpus, corpus.files, "data.corpus.source", options),
  validation:
    "files" in corpus.validation
      ? await rowFiles(corpus, corpus.validation.files, "data.corpus.validation", options)
      : [],
})

interface Place {
  readonly folder: string
  /** Digest of the inputs. */
  readonly made: string
  readonly inputs: Readonly<Record<string, unknown>>
  readonly sources: Sources
}

/** Where the shards of these files lie; the name of the folder is the digest of everything that decides them. */
const placeOf = async ({ corpus, tokenizer, model }: Job, options: CorpusOptions): Promise<Place> => {
  const { validation, field, detokenise, mostTokens, trainShards } = corpus
  const sources = await sourcesOf(corpus, options)
  const digestsOf = (split: SplitName): Promise<readonly string[]> => rowDigests(corpus, sources[split])
  const inputs = {
    recipe: RECIPE,
    train: await digestsOf("train"),
    validation: "files" in validation ? await digestsOf("validation") : validation,
    tokenizer: (await model()).digest,
    vocabSize: tokenizer.vocabSize,
    boundaryId: tokenizer.boundaryId,
    field,
    detokenise: detokenise ?? null,
    mostTokens: mostTokens ?? null,
    trainShards,
  }
  const made = bytesDigest(JSON.stringify(inputs))
  return {
    sources,
    inputs,
    made,
    folder: join(options.cacheDir, "dataset", fullName(corpus), made.slice(0, 16)),
  }
}

const shardsOf = ({ trainShards, validation }: Dataset, split: SplitName): number =>
  split === "validation" && "files" in validation ? 1 : trainShards

/** The shards that are there and were made from just these inputs. */
const find = async (job: Job, options: CorpusOptions): Promise<Located> => {
  const place = await placeOf(job, options)
  const parts: Partial<Record<SplitName, Parameters<typeof locateParts>[0]>> = {}
  for (const split of SPLITS) {
    const notes: Note[] = []
    for (let k = 0; k < shardsOf(job.corpus, split); k++) {
      const name = shardName(STEM, split, k)
      const note = await readNote(place.folder, name, place.made)
      if (note === undefined)
        throw new DataError(
          "missing",
          join(place.folder, name),
          "it is not there or cut; run `repro prepare` first.",
        )
      notes.push(note)
    }
    parts[split] = { folder: place.folder, part: partOf(notes) }
  }
  return locateParts(parts.train!, parts.validation!)
}

const isThere = (job: Job, options: CorpusOptions): Promise<boolean> =>
  find(job, options).then(
    () => true,
    () => false,
  )

export const datasetStore: CorpusStore<Dataset> = {
  kind: "dataset",
  tokenizer: (corpus, options) => Promise.resolve(tokenizerOrigin(corpus, options).path),
  fetchTokenizer: ({ corpus, tokenizer }, options) =>
    fetched(tokenizerOrigin(corpus, options), tokenizer.sha256, options),
  prepare: async (job, options) => {
    const { corpus, tokenizer } = job
    await fetched(tokenizerOrigin(corpus, options), tokenizer.sha256, options)
    await fetchList(corpus, options)
    const sources = await sourcesOf(corpus, options)
    await fetchRows(corpus, [...sources.train, ...sources.validation], options)
    const place = await placeOf(job, options)
    const { folder } = place
    if (options.rewrite === true) await rm(folder, { recursive: true, force: true })
    else if (await isThere(job, options)) return options.onEvent?.({ kind: "reused", path: folder })

    const path = tokenizerOrigin(corpus, options).path
    const bytes = await readFile(path)
    const { boundaryId, vocabSize } = tokenizer
    const { field, detokenise, mostTokens, validation } = corpus
    const rule = { field, detokenise, mostTokens, boundaryId }
    let pool: TokeniserPool | undefined
    const write = (split: SplitName, holdOut: Parameters<typeof writeRows>[0]["holdOut"]) =>
      writeRows(
        {
          files: sources[split].map((origin) => origin.path),
          columns: [field],
          stem: STEM,
          shards: shardsOf(corpus, split),
          holdOut,
          boundaryId,
          vocabSize,
          folders: { train: folder, validation: folder },
          made: place.made,
        },
        () =>
          (pool ??= openPool(options.workers ?? availableParallelism(), { tokenizer: bytes, path, rule })),
        options,
      )
    try {
      const notes =
        "files" in validation
          ? {
              train: (await write("train", "train")).train,
              validation: (await write("validation", "validation")).validation,
            }
          : await write("train", validation)
      for (const split of SPLITS)
        if (notes[split].every(({ documents }) => documents === 0))
          throw new DataError(
            "invalid",
            corpus.source,
            `the ${split} split has no document: every row is blank, too long or in the other split; correct data.corpus in the spec.`,
          )
      const [train, held] = [partOf(notes.train), partOf(notes.validation)]
      await writeFileAtomic(
        join(folder, TOTALS_FILE),
        `${JSON.stringify({ inputs: place.inputs, train, validation: held }, undefined, 2)}\n`,
      )
    } finally {
      await pool?.close()
    }
  },
  locate: find,
  check: async (job, options, { look, tokenizer }) => {
    await tokenizer(tokenizerOrigin(job.corpus, options).url)
    await look(join(options.cacheDir, "dataset", fullName(job.corpus)), job.corpus.source, () =>
      find(job, options),
    )
  },
}
