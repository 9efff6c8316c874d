/**
 * The published FineWeb shards: a hub dataset repository whose manifest lists data sets and tokenizers. Files keep
 * their repository paths under the cache; note the doubled folder, datasets/datasets/NAME/.
 */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import type { ParameterGolf } from "./schema.js"
import { DataError, fromSystemError } from "../../../files/errors.js"
import type { OnPrepareEvent } from "../../../files/events.js"
import { fetchHubFile, recordedDigests, requireRecorded, type HubFolder } from "../../../files/hub.js"
import { inspectShard } from "../../rows/shards.js"
import { hubUrl, isPresent, parseSource } from "../../../files/sources.js"

export type GolfCorpus = ParameterGolf

const ROOT = "datasets"
const MANIFEST = `${ROOT}/manifest.json`

/** What a manifest says about one data set. */
export interface GolfDataset {
  readonly trainShards: number
  readonly validationShards: number
  /** Repository path of the SentencePiece model, where the data set has one. */
  readonly tokenizer: string | undefined
  /** Totals as the manifest states them. */
  readonly trainTokens: number | undefined
  readonly validationTokens: number | undefined
}

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

const natural = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined

/**
 * Find a data set in a manifest.
 * @throws DataError when the manifest is cut or foreign, or does not list the data set.
 */
export const parseManifest = (text: string, dataset: string, subject: string): GolfDataset => {
  let manifest: unknown
  try {
    manifest = JSON.parse(text)
  } catch (error) {
    throw new DataError(
      "invalid",
      subject,
      "the manifest is cut or not JSON; move it away and prepare again.",
      error,
    )
  }
  const datasets = list(field(manifest, "datasets"))
  const entry = datasets.find((item) => field(item, "name") === dataset)
  if (entry === undefined) {
    const known = datasets.map((item) => field(item, "name")).join(", ")
    throw new DataError(
      "not-found",
      subject,
      `the manifest has no data set "${dataset}", only ${known === "" ? "none" : known}; correct data.corpus.dataset in the spec.`,
    )
  }
  const stats = field(entry, "stats")
  const trainShards = natural(field(stats, "files_train"))
  const validationShards = natural(field(stats, "files_val"))
  if (trainShards === undefined || validationShards === undefined) {
    throw new DataError(
      "invalid",
      subject,
      `data set "${dataset}" lacks stats.files_train or stats.files_val; use a revision whose manifest is complete.`,
    )
  }
  const tokenizer = list(field(manifest, "tokenizers")).find(
    (item) => field(item, "name") === field(entry, "tokenizer_name"),
  )
  const model = field(tokenizer, "model_path") ?? field(tokenizer, "path")
  return {
    trainShards,
    validationShards,
    tokenizer: typeof model === "string" ? `${ROOT}/${model}` : undefined,
    trainTokens: natural(field(stats, "tokens_train")),
    validationTokens: natural(field(stats, "tokens_val")),
  }
}

/** Repository path of a shard. */
const shardPath = (dataset: string, part: "train" | "val", index: number): string =>
  `${ROOT}/datasets/${dataset}/fineweb_${part}_${String(index).padStart(6, "0")}.bin`

export interface GolfPlace extends HubFolder {
  readonly manifest: string
}

export const placeGolf = (corpus: GolfCorpus, cacheDir: string): GolfPlace => {
  const source = parseSource(corpus.repository)
  if (source.kind !== "hf") {
    throw new DataError(
      "invalid",
      corpus.repository,
      "it is not a hub repository; write hf:OWNER/REPOSITORY.",
    )
  }
  const revision = corpus.revision ?? "main"
  const folder = join(cacheDir, "hf", source.repository.replace("/", "--"), encodeURIComponent(revision))
  const local = (path: string): string => {
    const parts = path.split("/")
    if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\\"))) {
      throw new DataError("invalid", corpus.repository, `the manifest names an unusable path, "${path}".`)
    }
    return join(folder, ...parts)
  }
  return {
    manifest: local(MANIFEST),
    folder,
    revision,
    local,
    url: (at, path) => hubUrl(source.repository, at, path),
  }
}

export interface GolfFiles {
  readonly dataset: GolfDataset
  /** Local paths. */
  readonly train: readonly string[]
  readonly validation: readonly string[]
  readonly tokenizer: string | undefined
  /** Digests of first use, by local path. */
  readonly recorded: ReadonlyMap<string, string>
}

const listPaths = (corpus: GolfCorpus, dataset: GolfDataset): { train: string[]; validation: string[] } => {
  if (corpus.trainShards > dataset.trainShards) {
    throw new DataError(
      "invalid",
      `${corpus.repository} ${corpus.dataset}`,
      `${corpus.trainShards} training shards are asked for but the manifest has ${dataset.trainShards}; lower data.corpus.trainShards.`,
    )
  }
  const paths = (part: "train" | "val", count: number): string[] =>
    Array.from({ length: count }, (_, index) => shardPath(corpus.dataset, part, index))
  return { train: paths("train", corpus.trainShards), validation: paths("val", dataset.validationShards) }
}

/** The files of a corpus whose manifest is in the cache; the shards themselves may be missing. */
export const findGolf = async (corpus: GolfCorpus, cacheDir: string): Promise<GolfFiles> => {
  const place = placeGolf(corpus, cacheDir)
  const text = await readFile(place.manifest, "utf8").catch((error: unknown) => {
    throw fromSystemError(error, place.manifest, "looking for the corpus")
  })
  const digests = await recordedDigests(place)
  const recorded = new Map(Object.entries(digests).map(([path, sha256]) => [place.local(path), sha256]))
  await requireRecorded(place.manifest, recorded.get(place.manifest))
  const dataset = parseManifest(text, corpus.dataset, place.manifest)
  const { train, validation } = listPaths(corpus, dataset)
  return {
    dataset,
    train: train.map(place.local),
    validation: validation.map(place.local),
    tokenizer: dataset.tokenizer === undefined ? undefined : place.local(dataset.tokenizer),
    recorded,
  }
}

/**
 * Fetch manifest, tokenizer, validation and training shards; what is there and whole is kept. Each shard is checked
 * for its header, its size and its digest.
 * @throws DataError as `download` does, and when the spec asks for more than the manifest has.
 */
export const prepareGolf = async (
  corpus: GolfCorpus,
  options: {
    readonly cacheDir: string
    readonly onEvent?: OnPrepareEvent
    readonly signal?: AbortSignal
    readonly backoffMs?: number
  },
): Promise<GolfFiles> => {
  const { cacheDir, ...rest } = options
  const place = placeGolf(corpus, cacheDir)
  // A branch such as main moves while the hub does not say its commit; without network the earlier manifest serves.
  try {
    await fetchHubFile(place, MANIFEST, { ...rest, moves: true })
  } catch (error) {
    const offline = error instanceof DataError && error.reason === "offline"
    if (!offline || !(await isPresent(place.manifest))) throw error
  }
  const text = await readFile(place.manifest, "utf8")
  const dataset = parseManifest(text, corpus.dataset, place.manifest)
  const { train, validation } = listPaths(corpus, dataset)
  if (dataset.tokenizer !== undefined) await fetchHubFile(place, dataset.tokenizer, rest)
  for (const path of [...validation, ...train]) {
    const whole = await inspectShard(place.local(path)).then(
      () => true,
      () => false,
    )
    await fetchHubFile(place, path, { ...rest, again: !whole, check: (local) => inspectShard(local) })
  }
  return findGolf(corpus, cacheDir)
}
