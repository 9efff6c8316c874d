/** A data set of texts on disk: its files are fetched, its rows tokenised once by several threads. */
import { availableParallelism } from "node:os"
import { readFile, rm } from "node:fs/promises"
import { basename, join } from "node:path"
import { writeFileAtomic } from "../../../files/atomic.js"
import { bytesDigest } from "../../../files/digest.js"
import { DataError, fromSystemError } from "../../../files/errors.js"
import { fetched, heldDigest } from "../pairs/fetch.js"
import {
  fullName,
  listedFiles,
  listOrigin,
  parseList,
  rowOrigins,
  tokenizerOrigin,
  type ListedFile,
  type Origin,
} from "../pairs/place.js"
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
import { textFiles } from "../text/inputs.js"
import type { Dataset } from "./schema.js"

/** Raise when shards made from equal inputs would differ. */
const RECIPE = 1
/** First part of the shards' names. */
const STEM = "dataset"

type Job = StoreJob<Dataset>
type Sources = Readonly<Record<SplitName, readonly (Origin & { readonly listed?: string })[]>>

const escaped = (text: string): string => text.replaceAll(/[.+^${}()|[\]\\?]/g, "\\$&")

/** Names of a repository's files that the spec means, by pattern, in the order of the patterns. */
const chosen = (
  patterns: readonly string[],
  listed: readonly ListedFile[],
  subject: string,
): readonly string[] => {
  const found = new Set<string>()
  for (const pattern of patterns) {
    const meant = new RegExp(`^${escaped(pattern).replaceAll("*", ".*")}$`, "u")
    const own = listed.filter(({ path }) => meant.test(path)).map(({ path }) => path)
    if (own.length === 0)
      throw new DataError(
        "missing",
        subject,
        `it has no file ${JSON.stringify(pattern)}, but ${listed
          .slice(0, 6)
          .map(({ path }) => path)
          .join(", ")}; correct data.corpus in the spec.`,
      )
    for (const path of own.sort()) found.add(path)
  }
  return [...found]
}

/** The files of each split. Those of a hub repository are found in its list, which `prepare` fetched. */
const sourcesOf = async (corpus: Dataset, options: CorpusOptions): Promise<Sources> => {
  const { source, files, validation } = corpus
  if (!source.startsWith("hf:")) {
    const own = async (paths: readonly string[], where: string): Promise<readonly Origin[]> =>
      (await textFiles(paths, where, options.base)).map((path) => ({ path, name: basename(path) }))
    return {
      train: await own([source], "data.corpus.source"),
      validation: "files" in validation ? await own(validation.files, "data.corpus.validation") : [],
    }
  }
  const { path } = listOrigin(corpus, options)
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw fromSystemError(error, path, "looking for the files of the repository")
  })
  const listed = parseList(text, source)
  const digests = new Map(listed.map((file) => [file.path, file.sha256]))
  const origins = (names: readonly string[]) =>
    rowOrigins(corpus, names, options).map((origin) => {
      const sha256 = digests.get(origin.name)
      return sha256 === undefined ? origin : { ...origin, listed: sha256 }
    })
  return {
    train: origins(files === undefined ? listedFiles(text, source) : chosen(files, listed, source)),
    validation: origins("files" in validation ? chosen(validation.files, listed, source) : []),
  }
}

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
  const digestsOf = async (split: SplitName): Promise<readonly string[]> => {
    const found: string[] = []
    for (const origin of sources[split]) found.push(await heldDigest(origin, corpus.sha256?.[origin.name]))
    return found
  }
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
    // A branch moves, so a list is asked for again.
    if (corpus.source.startsWith("hf:")) await fetched(listOrigin(corpus, options), undefined, options, true)
    const sources = await sourcesOf(corpus, options)
    for (const { listed, ...origin } of [...sources.train, ...sources.validation])
      await fetched(origin, corpus.sha256?.[origin.name] ?? listed, options)
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
