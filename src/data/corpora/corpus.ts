/** Any corpus of a spec: prepare it, load it, or say what is missing. Only `prepareCorpus` uses the network. */
import { join } from "node:path"
import type { Corpus, Data } from "../../spec/data.js"
import { EMBEDDED_TOKENIZER } from "../assets.js"
import { DataError, DataMismatch } from "../../files/errors.js"
import type { OnPrepareEvent } from "../../files/events.js"
import { findGolf, placeGolf, prepareGolf, type GolfFiles } from "./parameter-golf.js"
import { readSentencePiece, type SentencePieceModel } from "../tokenizers/sentencepiece.js"
import { inspectShard, readShardInto, type ShardOptions } from "../rows/shards.js"
import { isPresent, parseSource } from "../../files/sources.js"
import type { LoadedCorpus, PartTotals } from "./loaded-corpus.js"
import { requireSpecialIds } from "./special-ids.js"
import { requireDigest, shardDigest } from "./stated-digests.js"
import { findSpeeches, placeSpeeches, prepareSpeeches, type SpeechTotals } from "./speech-shards.js"

export type { LoadedCorpus, PartTotals } from "./loaded-corpus.js"

/** The part of a spec that says which files are needed. */
export type CorpusSpec = Pick<Data, "corpus" | "tokenizer">

export interface CorpusOptions {
  /** See `cacheDirectory`. */
  readonly cacheDir: string
  /** Relative file: paths are taken from here; the current folder when absent. */
  readonly base?: string
}

export interface PrepareOptions extends CorpusOptions {
  readonly onEvent?: OnPrepareEvent
  readonly signal?: AbortSignal
  /** npm registry instead of the user's own. */
  readonly registry?: string
}

interface Files {
  readonly train: readonly string[]
  readonly validation: readonly string[]
  readonly speeches?: SpeechTotals
}

const filePath = (source: string, options: CorpusOptions, where: string): string => {
  const parsed = parseSource(source, options.base)
  if (parsed.kind !== "file") throw new DataError("invalid", source, `${where} must be a file: path.`)
  return parsed.path
}

const tokenizerPath = (
  { tokenizer, corpus }: CorpusSpec,
  options: CorpusOptions,
  golf?: GolfFiles,
): string => {
  if (tokenizer.model === "embedded") return EMBEDDED_TOKENIZER
  if (tokenizer.model !== "corpus") return filePath(tokenizer.model, options, "data.tokenizer.model")
  if (golf?.tokenizer !== undefined) return golf.tokenizer
  throw new DataError(
    "invalid",
    "data.tokenizer.model",
    `a corpus of kind "${corpus.kind}" publishes no tokenizer; write "embedded" or a file: path.`,
  )
}

const readTokenizer = async (spec: CorpusSpec, path: string): Promise<SentencePieceModel> => {
  const model = await readSentencePiece(path)
  if (model.pieces.length > spec.tokenizer.vocabSize) {
    throw new DataError(
      "invalid",
      path,
      `it has ${model.pieces.length} pieces, more than data.tokenizer.vocabSize ${spec.tokenizer.vocabSize}; correct the spec.`,
    )
  }
  requireDigest(path, "data.tokenizer.sha256", spec.tokenizer.sha256, model.digest)
  requireSpecialIds(model, spec.tokenizer, path)
  return model
}

/**
 * The tokenizer alone, as it lies on disk; the shards are not looked at.
 * @throws DataError when it is not there or does not fit the spec.
 */
export const loadTokenizer = async (
  spec: CorpusSpec,
  options: CorpusOptions,
): Promise<SentencePieceModel> => {
  const { corpus, tokenizer } = spec
  const golf =
    corpus.kind === "parameter-golf" && tokenizer.model === "corpus"
      ? await findGolf(corpus, options.cacheDir)
      : undefined
  return readTokenizer(spec, tokenizerPath(spec, options, golf))
}

const listFiles = (corpus: Extract<Corpus, { kind: "files" }>, options: CorpusOptions): Files => ({
  train: corpus.train.map((path) => filePath(path, options, "data.corpus.train")),
  validation: corpus.validation.map((path) => filePath(path, options, "data.corpus.validation")),
})

const speechFiles = (folder: string, totals: SpeechTotals): Files => ({
  train: totals.train.shards.map(({ file }) => join(folder, file)),
  validation: totals.validation.shards.map(({ file }) => join(folder, file)),
  speeches: totals,
})

const countTokens = async (paths: readonly string[]): Promise<number> => {
  let tokens = 0
  for (const path of paths) tokens += (await inspectShard(path)).tokens
  return tokens
}

const finish = async (
  { corpus }: CorpusSpec,
  { train, validation, speeches }: Files,
  model: SentencePieceModel,
  modelPath: string,
): Promise<LoadedCorpus> => {
  const known = (part: "train" | "validation"): Partial<PartTotals> =>
    speeches === undefined ? {} : { documents: speeches[part].documents, bytes: speeches[part].bytes }
  const digests = async (part: "train" | "validation", paths: readonly string[]): Promise<string[]> => {
    const found: string[] = []
    for (const [i, path] of paths.entries())
      found.push(await shardDigest(corpus, sourceOf(corpus, part, i), path))
    return found
  }
  const totals = {
    train: { tokens: await countTokens(train), ...known("train") },
    validation: { tokens: await countTokens(validation), ...known("validation") },
  }
  return {
    train,
    validation,
    tokenizer: model,
    tokenizerPath: modelPath,
    tokenizerDigest: model.digest,
    trainDigests: await digests("train", train),
    validationDigests: await digests("validation", validation),
    totals,
  }
}

/** A shard's path as the spec writes it, where it writes one. */
const sourceOf = (corpus: Corpus, part: "train" | "validation", index: number): string | undefined =>
  corpus.kind === "files" ? corpus[part][index] : undefined

/**
 * Fetch and write whatever the corpus lacks, then load it.
 * @throws DataError with a cure: offline, not-found, refused, digest, no-space, or a spec that does not fit the data.
 */
export const prepareCorpus = async (spec: CorpusSpec, options: PrepareOptions): Promise<LoadedCorpus> => {
  const { corpus, tokenizer } = spec
  if (corpus.kind === "parameter-golf") await prepareGolf(corpus, options)
  if (corpus.kind === "speeches") {
    const model = await readTokenizer(spec, tokenizerPath(spec, options))
    await prepareSpeeches(corpus, model, { ...options, boundaryId: tokenizer.boundaryId })
  }
  return loadCorpus(spec, options)
}

/**
 * The corpus as it lies on disk, checked; nothing is fetched or written.
 * @throws DataError naming the first file that is missing or damaged.
 */
export const loadCorpus = async (spec: CorpusSpec, options: CorpusOptions): Promise<LoadedCorpus> => {
  const { corpus } = spec
  if (corpus.kind === "parameter-golf") {
    const files = await findGolf(corpus, options.cacheDir)
    const path = tokenizerPath(spec, options, files)
    return finish(spec, files, await readTokenizer(spec, path), path)
  }
  const path = tokenizerPath(spec, options)
  const model = await readTokenizer(spec, path)
  if (corpus.kind === "files") return finish(spec, listFiles(corpus, options), model, path)
  const place = placeSpeeches(
    corpus,
    { digest: model.digest, boundaryId: spec.tokenizer.boundaryId },
    options.cacheDir,
  )
  const totals = await findSpeeches(place)
  if (totals === undefined) {
    throw new DataError("missing", place.folder, "the speeches are not prepared; run `repro prepare` first.")
  }
  return finish(spec, speechFiles(place.folder, totals), model, path)
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
  const { corpus } = spec
  const missing: MissingFile[] = []
  const check = async (
    path: string,
    url: string | undefined,
    look: () => Promise<unknown>,
  ): Promise<void> => {
    await look().catch((error: unknown) =>
      missing.push({
        path,
        url,
        problem: problemOf(error),
        ...(error instanceof DataMismatch ? { wrong: true } : {}),
      }),
    )
  }
  const shards = async (
    paths: readonly string[],
    url: (path: string) => string | undefined,
  ): Promise<void> => {
    for (const path of paths) await check(path, url(path), () => inspectShard(path))
  }
  try {
    if (corpus.kind === "parameter-golf") {
      const place = placeGolf(corpus, options.cacheDir)
      const repository = place.url("").replace(/\/resolve\/.*$/, "")
      const found = await findGolf(corpus, options.cacheDir).catch((error: unknown) => {
        missing.push({ path: place.manifest, url: repository, problem: problemOf(error) })
        return undefined
      })
      if (found !== undefined) {
        const path = tokenizerPath(spec, options, found)
        await check(path, repository, () => readTokenizer(spec, path))
        await shards([...found.validation, ...found.train], () => repository)
      }
    } else if (corpus.kind === "files") {
      for (const part of ["validation", "train"] as const)
        for (const [i, path] of listFiles(corpus, options)[part].entries())
          await check(path, undefined, async () => {
            await inspectShard(path)
            if (corpus.sha256?.[corpus[part][i]!] !== undefined)
              await shardDigest(corpus, corpus[part][i], path)
          })
      const path = tokenizerPath(spec, options)
      await check(path, undefined, () => readTokenizer(spec, path))
    } else {
      const path = tokenizerPath(spec, options)
      await check(path, corpus.source, () => loadCorpus(spec, options))
    }
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
  if (corpus.kind !== "files") return
  for (const part of ["validation", "train"] as const)
    for (const [i, path] of listFiles(corpus, options)[part].entries())
      if (corpus.sha256?.[corpus[part][i]!] !== undefined && (await isPresent(path)))
        await shardDigest(corpus, corpus[part][i], path)
}

/** All tokens of some shards, one after another, as validation uses them. */
export const readTokens = async (
  paths: readonly string[],
  options: ShardOptions = {},
): Promise<Uint16Array> => {
  const sizes: number[] = []
  for (const path of paths) sizes.push((await inspectShard(path, options)).tokens)
  const tokens = new Uint16Array(sizes.reduce((sum, size) => sum + size, 0))
  let used = 0
  for (const [i, path] of paths.entries()) {
    await readShardInto(path, tokens.subarray(used, used + sizes[i]!), options)
    used += sizes[i]!
  }
  return tokens
}
