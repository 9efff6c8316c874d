/** Any corpus of a spec: prepare it, load it, or say what is missing. Only `prepareCorpus` uses the network. */
import { join } from "node:path"
import { bytesDigest } from "../../files/digest.js"
import { DataError, DataMismatch, fromSystemError } from "../../files/errors.js"
import { requireRecorded } from "../../files/hub.js"
import { awaitLease } from "../../files/lease.js"
import { inCacheWords, isPresent } from "../../files/sources.js"
import { inspectShard, readShardInto, widthOf, type ShardInfo, type ShardOptions } from "../rows/shards.js"
import { tokenArray, type Tokens } from "../rows/tokens.js"
import type { SentencePieceModel } from "../tokenizers/sentencepiece.js"
import { shardDigest } from "./stated-digests.js"
import type { CorpusOptions, Look, PrepareOptions, SplitName, StoreJob } from "./store.js"
import { corpusStore } from "./stores.js"
import { readTokenizer, tokenizerPath, type CorpusSpec } from "./tokenizer.js"
import type { Corpus } from "./index.js"

import type { LoadedCorpus } from "./loaded-corpus.js"

export type { LoadedCorpus } from "./loaded-corpus.js"
export type { CorpusOptions, PartTotals, PrepareOptions } from "./store.js"
export type { CorpusSpec } from "./tokenizer.js"

/**
 * The tokenizer alone, as it lies on disk; the shards are not looked at.
 * @throws DataError when it is not there or does not fit the spec.
 */
export const loadTokenizer = async (spec: CorpusSpec, options: CorpusOptions): Promise<SentencePieceModel> =>
  readTokenizer(spec, await tokenizerPath(spec, options))

/** The tokenizer is read once, when it is first asked for. */
const jobOf = (spec: CorpusSpec, options: CorpusOptions): StoreJob<Corpus> => {
  let model: Promise<SentencePieceModel> | undefined
  return {
    ...spec,
    model: () => (model ??= loadTokenizer(spec, options)),
    tokenizerPath: () => tokenizerPath(spec, options),
  }
}

const countTokens = async (paths: readonly string[]): Promise<number> => {
  let tokens = 0
  for (const path of paths) tokens += (await inspectShard(path)).tokens
  return tokens
}

/** Under the lock of the corpus's place, so that two processes never write the same files. */
const underLock = async (
  { corpus }: CorpusSpec,
  { cacheDir, onEvent, signal }: PrepareOptions,
  fetch: () => Promise<void>,
): Promise<void> => {
  const store = corpusStore(corpus)
  const name = bytesDigest(JSON.stringify([corpus.kind, store.place?.(corpus) ?? corpus])).slice(0, 16)
  const path = join(cacheDir, `.lock-${corpus.kind}-${name}`)
  try {
    const taken = await awaitLease(path, {
      passing: true,
      signal,
      onWait: (holder) => onEvent?.({ kind: "waiting", path: cacheDir, holder }),
    }).catch((error: unknown) => {
      signal?.throwIfAborted()
      // A cache that cannot be written may hold the corpus; where it does not, writing it says why.
      const refused = fromSystemError(error, path, "taking the lock of the data")
      if (refused.reason !== "no-space") return undefined
      throw refused
    })
    try {
      await fetch()
    } finally {
      await taken?.lease.release()
    }
  } catch (error) {
    throw inCacheWords(error, cacheDir)
  }
}

/**
 * Fetch and write whatever the corpus lacks, then load it. Where another process prepares the same one, its work is
 * awaited and taken.
 * @throws DataError with a cure: offline, not-found, refused, digest, no-space, or a spec that does not fit the data.
 */
export const prepareCorpus = async (spec: CorpusSpec, options: PrepareOptions): Promise<LoadedCorpus> => {
  await underLock(spec, options, () => corpusStore(spec.corpus).prepare(jobOf(spec, options), options))
  return loadCorpus(spec, options)
}

/**
 * Fetch the tokenizer alone where it is not there, then read it; of a corpus that makes its tokenizer with its shards,
 * everything.
 * @throws DataError as {@link prepareCorpus}
 */
export const prepareTokenizer = async (
  spec: CorpusSpec,
  options: PrepareOptions,
): Promise<SentencePieceModel> => {
  const missing = await loadTokenizer(spec, options).then(
    () => false,
    (error: unknown) => {
      if (error instanceof DataError && error.reason === "missing") return true
      throw error
    },
  )
  if (missing) {
    const { fetchTokenizer, prepare } = corpusStore(spec.corpus)
    await underLock(spec, options, () => (fetchTokenizer ?? prepare)(jobOf(spec, options), options))
  }
  return loadTokenizer(spec, options)
}

/**
 * The corpus as it lies on disk, checked; nothing is fetched or written.
 * @throws DataError naming the first file that is missing or damaged.
 */
export const loadCorpus = async (spec: CorpusSpec, options: CorpusOptions): Promise<LoadedCorpus> => {
  const { corpus } = spec
  const store = corpusStore(corpus)
  const job = jobOf(spec, options)
  const path = await tokenizerPath(spec, options)
  const model = await job.model()
  const { train, validation, recorded, known } = await store.locate(job, options)
  const digests = async (part: SplitName, paths: readonly string[]): Promise<string[]> => {
    const found: string[] = []
    for (const [i, each] of paths.entries()) {
      found.push(await shardDigest(each, store.stated?.(corpus, part, i)))
      await requireRecorded(each, recorded?.get(each))
    }
    return found
  }
  const totals = {
    train: { tokens: await countTokens(train), ...known?.train },
    validation: { tokens: await countTokens(validation), ...known?.validation },
  }
  return {
    train,
    validation,
    tokenizer: model,
    tokenizerPath: path,
    tokenizerDigest: model.digest,
    trainDigests: await digests("train", train),
    validationDigests: await digests("validation", validation),
    totals,
  }
}

export interface MissingFile {
  readonly path: string
  /** Where `prepareCorpus` would get it; undefined when it cannot. */
  readonly url: string | undefined
  /** Why it does not count as there. */
  readonly problem: string
  /** It is there, but not what the spec means. */
  readonly wrong?: true
}

export interface CorpusCheck {
  readonly ready: boolean
  readonly missing: readonly MissingFile[]
}

const problemOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/**
 * Whether the corpus is there, and what is not; looks at names, sizes, headers and the digests that the spec states.
 * Fetches nothing, never throws.
 */
export const checkCorpus = async (spec: CorpusSpec, options: CorpusOptions): Promise<CorpusCheck> => {
  const missing: MissingFile[] = []
  const look: Look = async (path, url, find) => {
    await find().catch((error: unknown) =>
      missing.push({
        path,
        url,
        problem: problemOf(error),
        ...(error instanceof DataMismatch ? { wrong: true } : {}),
      }),
    )
  }
  const job = jobOf(spec, options)
  try {
    await corpusStore(spec.corpus).check(job, options, {
      look,
      tokenizer: async (url) => look(await tokenizerPath(spec, options), url, job.model),
    })
  } catch (error) {
    missing.push({ path: "data", url: undefined, problem: problemOf(error) })
  }
  return { ready: missing.length === 0, missing }
}

/**
 * The shards that are there have the digests that the spec states; missing ones are passed over.
 * @throws DataMismatch naming the first that has not
 */
export const requireStatedDigests = async (spec: CorpusSpec, options: CorpusOptions): Promise<void> => {
  const { corpus } = spec
  const store = corpusStore(corpus)
  if (store.stated === undefined) return
  const located = await store.locate(jobOf(spec, options), options)
  for (const part of ["validation", "train"] as const)
    for (const [i, path] of located[part].entries()) {
      const stated = store.stated(corpus, part, i)
      if (stated !== undefined && (await isPresent(path))) await shardDigest(path, stated)
    }
}

/** All tokens of some shards, one after another, as validation uses them. */
export const readTokens = async (paths: readonly string[], options: ShardOptions = {}): Promise<Tokens> => {
  const found: ShardInfo[] = []
  for (const path of paths) found.push(await inspectShard(path, options))
  const sizes = found.map((shard) => shard.tokens)
  const tokens = tokenArray(
    widthOf(found[0] ?? {}),
    sizes.reduce((sum, size) => sum + size, 0),
  )
  let used = 0
  for (const [i, path] of paths.entries()) {
    await readShardInto(path, tokens.subarray(used, used + sizes[i]!), options)
    used += sizes[i]!
  }
  return tokens
}

/** Shows `use` the tokens of each shard in turn, in one buffer: they are its own until it returns. */
export const forEachShard = async (
  shards: readonly ShardInfo[],
  use: (tokens: Tokens) => void,
): Promise<void> => {
  const largest = shards.reduce((most, { tokens }) => Math.max(most, tokens), 0)
  const buffer = tokenArray(widthOf(shards[0] ?? {}), largest)
  for (const { path } of shards) use(buffer.subarray(0, await readShardInto(path, buffer)))
}
