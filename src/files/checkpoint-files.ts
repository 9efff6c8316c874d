/** The safetensors files of a checkpoint that a spec names: fetched from the hub once, or where they lie. */
import { readFile } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { DataError, fromSystemError } from "./errors.js"
import type { OnPrepareEvent } from "./events.js"
import { fetchHubFile, recordedDigests, requireRecorded, type HubFolder } from "./hub.js"
import { hubModelUrl, isPresent, parseSource } from "./sources.js"

/** What a spec says of a checkpoint. */
export interface NamedCheckpoint {
  readonly checkpoint: string
  readonly revision?: string
  /** Digests by file name. */
  readonly sha256?: Readonly<Record<string, string>>
}

export interface CheckpointPlace {
  readonly cacheDir: string
  /** Relative file: paths are taken from here. */
  readonly base?: string
}

const INDEX = "model.safetensors.index.json"

/** Where a name of weights leads: a file of a hub repository, its index where none is named, or a path. */
type Origin =
  | { readonly kind: "hf"; readonly repository: string; readonly first: string }
  | { readonly kind: "file"; readonly path: string }

/** @throws DataError for a source of another kind */
const originOf = ({ checkpoint }: NamedCheckpoint, base: string | undefined): Origin => {
  const one = /^hf:([^/]+\/[^/]+)\/([^/]+\.safetensors)$/.exec(checkpoint)
  if (one !== null) return { kind: "hf", repository: one[1]!, first: one[2]! }
  const source = parseSource(checkpoint, base)
  if (source.kind === "hf") return { ...source, first: INDEX }
  if (source.kind === "file") return source
  throw new DataError(
    "invalid",
    checkpoint,
    "init.checkpoint is hf:OWNER/REPOSITORY, hf:OWNER/REPOSITORY/FILE.safetensors or file:PATH.",
  )
}

/** Folder of a repository's files. */
const folderOf = (repository: string, { revision = "main" }: NamedCheckpoint, cacheDir: string): string =>
  join(cacheDir, "models", ...repository.split("/"), revision)

const hubOf = (repository: string, named: NamedCheckpoint, cacheDir: string): HubFolder => {
  const folder = folderOf(repository, named, cacheDir)
  return {
    folder,
    revision: named.revision ?? "main",
    local: (file) => join(folder, file),
    url: (revision, file) => hubModelUrl(repository, revision, file),
  }
}

/** Files that an index lists, in order of their names. @throws DataError when it is no index */
export const filesOfIndex = async (path: string): Promise<readonly string[]> => {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw fromSystemError(error, path, "reading the index of the weights")
  })
  let map: unknown
  try {
    map = (JSON.parse(text) as { weight_map?: unknown } | null)?.weight_map
  } catch (error) {
    throw new DataError("invalid", path, "it is not JSON; download it again.", error)
  }
  const files = typeof map === "object" && map !== null ? Object.values(map) : []
  const plain = files.every((file) => typeof file === "string" && /^[\w.-]+$/.test(file))
  if (files.length === 0 || !plain)
    throw new DataError(
      "invalid",
      path,
      "it has no weight_map from names of tensors to files beside it; name an index such as model.safetensors.index.json, or a safetensors file.",
    )
  return [...new Set(files as readonly string[])].sort()
}

/**
 * Where the files lie, each there and, where the spec states a digest, to be compared by whoever reads it.
 *
 * @throws DataError naming the first file that is missing
 */
export const locateCheckpoint = async (
  named: NamedCheckpoint,
  { cacheDir, base }: CheckpointPlace,
): Promise<readonly string[]> => {
  const source = originOf(named, base)
  const first =
    source.kind === "hf" ? join(folderOf(source.repository, named, cacheDir), source.first) : source.path
  const cure =
    source.kind === "hf"
      ? "run `repro prepare` on the spec to fetch it"
      : "correct init.checkpoint in the spec"
  if (!(await isPresent(first)))
    throw new DataError("missing", first, `the weights that init names are not there; ${cure}.`)
  const paths = first.endsWith(".json")
    ? (await filesOfIndex(first)).map((file) => join(dirname(first), file))
    : [first]
  for (const path of paths)
    if (!(await isPresent(path)))
      throw new DataError(
        "missing",
        path,
        `${basename(first)} lists this shard and it is not there: the weights are ${paths.length} files; ${source.kind === "hf" ? cure : "put it beside the others"}.`,
      )
  const stray = Object.keys(named.sha256 ?? {}).find((file) => !paths.some((path) => basename(path) === file))
  if (stray !== undefined)
    throw new DataError(
      "invalid",
      first,
      `init.sha256 states a digest of ${stray}, which is none of the files of the weights; they are ${paths.map((path) => basename(path)).join(", ")}.`,
    )
  if (source.kind === "hf") {
    const recorded = await recordedDigests({ folder: dirname(first) })
    for (const path of paths)
      if (named.sha256?.[basename(path)] === undefined) await requireRecorded(path, recorded[basename(path)])
  }
  return paths
}

/** Fetches what is missing of a hub repository's weights. @throws DataError with a cure */
export const fetchCheckpoint = async (
  named: NamedCheckpoint,
  place: CheckpointPlace,
  options: { readonly onEvent?: OnPrepareEvent; readonly signal?: AbortSignal } = {},
): Promise<readonly string[]> => {
  const source = originOf(named, place.base)
  if (source.kind === "hf") {
    const hub = hubOf(source.repository, named, place.cacheDir)
    const fetchOne = async (file: string): Promise<string> => {
      await fetchHubFile(hub, file, { sha256: named.sha256?.[file], ...options })
      return hub.local(file)
    }
    const first = await fetchOne(source.first)
    if (source.first === INDEX) for (const file of await filesOfIndex(first)) await fetchOne(file)
  }
  return locateCheckpoint(named, place)
}
