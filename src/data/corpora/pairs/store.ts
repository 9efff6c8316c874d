/** Rows of a prompt and a target on disk: tokenised once, by several threads, into the folders of their full name. */
import { availableParallelism } from "node:os"
import { readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { writeFileAtomic } from "../../../files/atomic.js"
import { bytesDigest } from "../../../files/digest.js"
import { DataError, fromSystemError } from "../../../files/errors.js"
import { locateParts, TOTALS_FILE, type PreparedPart } from "../prepared.js"
import {
  SPLITS,
  type CorpusOptions,
  type CorpusStore,
  type Located,
  type SplitName,
  type StoreJob,
} from "../store.js"
import {
  cacheFolder,
  predictionFolder,
  fullName,
  listedFiles,
  listOrigin,
  rowOrigins,
  tokenizerOrigin,
  type Origin,
} from "./place.js"
import { fetched, heldDigest } from "./fetch.js"
import { openPool, type TokeniserPool } from "./pool.js"
import { textRule, type Pairs } from "./schema.js"
import { partOf, readNote, shardName, writeRows, type Note } from "./write.js"

/** Raise when shards made from equal inputs would differ. */
const RECIPE = 2
/** First part of the shards' names. */
const STEM = "pairs"

type Job = StoreJob<Pairs>

/** Names of the files of a hub repository: those that the spec names, or all that it lists. */
const rowNames = async (corpus: Pairs, options: CorpusOptions): Promise<readonly string[]> => {
  if (corpus.files !== undefined || !corpus.source.startsWith("hf:")) return corpus.files ?? []
  const { path } = listOrigin(corpus, options)
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw fromSystemError(error, path, "looking for the files of the repository")
  })
  return listedFiles(text, corpus.source)
}

const originsOf = async (corpus: Pairs, options: CorpusOptions): Promise<readonly Origin[]> =>
  rowOrigins(corpus, await rowNames(corpus, options), options)

/** Everything that decides the shards. */
const inputsOf = async (
  { corpus, tokenizer, model }: Job,
  options: CorpusOptions,
): Promise<Readonly<Record<string, unknown>>> => {
  const { prompt, target, promptEnd, holdOut, trainShards, only } = corpus
  const digests: string[] = []
  for (const origin of await originsOf(corpus, options))
    digests.push(await heldDigest(origin, corpus.sha256?.[origin.name]))
  return {
    recipe: RECIPE,
    rows: digests,
    tokenizer: (await model()).digest,
    vocabSize: tokenizer.vocabSize,
    boundaryId: tokenizer.boundaryId,
    separatorId: tokenizer.separatorId ?? null,
    prompt,
    target,
    promptEnd,
    holdOut,
    trainShards,
    only: only ?? null,
    ...textRule(corpus),
  }
}

const countOf = ({ trainShards, only }: Pairs): number => (only === undefined ? trainShards : 1)

/** The shards that are there and were made from just these inputs. */
const find = async (job: Job, options: CorpusOptions): Promise<Located> => {
  const { corpus } = job
  const made = bytesDigest(JSON.stringify(await inputsOf(job, options)))
  const parts: Partial<Record<SplitName, { folder: string; part: PreparedPart }>> = {}
  for (const split of SPLITS) {
    const folder = cacheFolder(corpus, split, options)
    const notes: Note[] = []
    for (let k = 0; k < countOf(corpus); k++) {
      const note = await readNote(folder, shardName(STEM, split, k), made)
      if (note === undefined)
        throw new DataError(
          "missing",
          join(folder, shardName(STEM, split, k)),
          "it is not there, cut, or made from other inputs; run `repro prepare` first.",
        )
      notes.push(note)
    }
    parts[split] = { folder, part: partOf(notes) }
  }
  return locateParts(parts.train!, parts.validation!)
}

export const pairsStore: CorpusStore<Pairs> = {
  kind: "pairs",
  place: fullName,
  predictions: predictionFolder,
  tokenizer: (corpus, options) => Promise.resolve(tokenizerOrigin(corpus, options).path),
  fetchTokenizer: ({ corpus, tokenizer }, options) =>
    fetched(tokenizerOrigin(corpus, options), tokenizer.sha256, options),
  prepare: async (job, options) => {
    const { corpus, tokenizer } = job
    const list = listOrigin(corpus, options)
    await fetched(tokenizerOrigin(corpus, options), tokenizer.sha256, options)
    // A branch moves, so a list is asked for again.
    if (corpus.files === undefined && corpus.source.startsWith("hf:"))
      await fetched(list, undefined, options, true)
    for (const origin of await originsOf(corpus, options))
      await fetched(origin, corpus.sha256?.[origin.name], options)
    const folders = {
      train: cacheFolder(corpus, "train", options),
      validation: cacheFolder(corpus, "validation", options),
    }
    if (options.rewrite === true)
      for (const split of SPLITS) await rm(folders[split], { recursive: true, force: true })
    else if (
      await find(job, options).then(
        () => true,
        () => false,
      )
    )
      return options.onEvent?.({ kind: "reused", path: folders.train })
    const inputs = await inputsOf(job, options)
    const path = tokenizerOrigin(corpus, options).path
    const bytes = await readFile(path)
    const { boundaryId, separatorId, vocabSize } = tokenizer
    const { prompt, target, promptEnd } = corpus
    const rule = {
      prompt,
      target,
      promptEnd,
      ...textRule(corpus),
      boundaryId,
      ...(separatorId === undefined ? {} : { separatorId }),
    }
    let pool: TokeniserPool | undefined
    try {
      const notes = await writeRows(
        {
          files: (await originsOf(corpus, options)).map((origin) => origin.path),
          columns: [prompt, target],
          stem: STEM,
          shards: corpus.trainShards,
          holdOut: corpus.holdOut,
          only: corpus.only,
          boundaryId,
          vocabSize,
          folders,
          made: bytesDigest(JSON.stringify(inputs)),
        },
        () =>
          (pool ??= openPool(options.workers ?? availableParallelism(), { tokenizer: bytes, path, rule })),
        options,
      )
      for (const split of SPLITS)
        await writeFileAtomic(
          join(folders[split], TOTALS_FILE),
          `${JSON.stringify({ inputs, ...partOf(notes[split]) }, undefined, 2)}\n`,
        )
    } finally {
      await pool?.close()
    }
  },
  locate: find,
  check: async (job, options, { look, tokenizer }) => {
    await tokenizer(tokenizerOrigin(job.corpus, options).url)
    await look(cacheFolder(job.corpus, "train", options), job.corpus.source, () => find(job, options))
  },
}
