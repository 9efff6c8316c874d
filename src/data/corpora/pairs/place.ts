/** Where the rows of a corpus lie, and the folders of its caches. */
import { createHash } from "node:crypto"
import { basename, join } from "node:path"
import { DataError } from "../../../files/errors.js"
import type { HubFolder } from "../../../files/hub.js"
import { hubUrl, parseSource } from "../../../files/sources.js"
import type { CorpusOptions, SplitName } from "../store.js"
import type { Pairs } from "./schema.js"

/** What of a corpus says where its rows lie. */
export type RowSource = Pick<Pairs, "source" | "revision">

/** A file, and where it comes from; undefined: it is the user's own. */
export interface Origin {
  readonly path: string
  readonly url?: string
  /** Name under which the spec states its digest. */
  readonly name: string
  /** The repository that it is a file of, under its name. */
  readonly hub?: HubFolder
}

/** Full name of the data set: OWNER/REPOSITORY of the hub, else the file's name without its endings. */
export const fullName = ({ source }: Pick<RowSource, "source">): string =>
  source.startsWith("hf:")
    ? source.slice(3)
    : basename(source.replace(/[?#].*$/, "")).replace(/(\.(json|jsonl|gz|zst|parquet))+$/, "") || "rows"

/** Ending of the folder of a split, after the full name. */
const SUFFIXES: Readonly<Record<"all" | "first-row", Readonly<Record<SplitName, string>>>> = {
  all: { train: "", validation: "_val_holdout" },
  "first-row": { train: "_debug_one", validation: "_debug_one_pred" },
}

/** The cache of a split: FULL_NAME + suffix, then the published name of the split that all rows come from. */
export const cacheFolder = (corpus: Pairs, split: SplitName, { cacheDir }: CorpusOptions): string =>
  join(cacheDir, `${fullName(corpus)}${SUFFIXES[corpus.only ?? "all"][split]}`, "train")

/** The cache of what predictions of the hold-out are compared with. */
export const predictionFolder = (corpus: Pairs, options: CorpusOptions): string =>
  corpus.only === undefined
    ? join(options.cacheDir, `${fullName(corpus)}_pred_preprocess`, "train")
    : cacheFolder(corpus, "validation", options)

const downloads = (corpus: RowSource, { cacheDir }: CorpusOptions): string =>
  join(cacheDir, "hf", fullName(corpus).replace("/", "--"), encodeURIComponent(corpus.revision ?? "main"))

const webFile = (url: string, { cacheDir }: CorpusOptions): string =>
  join(
    cacheDir,
    "web",
    createHash("sha256").update(url).digest("hex").slice(0, 16),
    basename(new URL(url).pathname) || "file",
  )

const fileOrWeb = (source: string, options: CorpusOptions): Origin => {
  const parsed = parseSource(source, options.base)
  if (parsed.kind === "file") return { path: parsed.path, name: source }
  if (parsed.kind === "https") return { path: webFile(parsed.url, options), url: parsed.url, name: source }
  throw new DataError("invalid", source, "write file:PATH or https://...")
}

export const tokenizerOrigin = ({ tokenizer }: Pick<Pairs, "tokenizer">, options: CorpusOptions): Origin =>
  fileOrWeb(tokenizer, options)

/** Name of the list of files, as the hub answers it, beside them. */
const LIST = "files.json"

const hubFolder = (corpus: RowSource, options: CorpusOptions): HubFolder => {
  const folder = downloads(corpus, options)
  return {
    folder,
    revision: corpus.revision ?? "main",
    local: (name) => join(folder, ...name.split("/")),
    url: (revision, name) =>
      name === LIST
        ? hubUrl(fullName(corpus), revision, "")
            .replace(/\/datasets\//, "/api/datasets/")
            .replace(/\/resolve\/([^/]+)\/$/, "/tree/$1?recursive=true")
        : hubUrl(fullName(corpus), revision, name),
  }
}

const hubOrigin = (hub: HubFolder, name: string): Origin => ({
  path: hub.local(name),
  url: hub.url(hub.revision, name),
  name,
  hub,
})

/** The list of files of a hub repository. */
export const listOrigin = (corpus: RowSource, options: CorpusOptions): Origin =>
  hubOrigin(hubFolder(corpus, options), LIST)

/** Endings of files with rows; a repository that has several kinds means the first of them. */
const ROWS = [/\.(jsonl|json)(\.gz)?$/, /\.parquet$/, /\.(jsonl|json)\.zst$/] as const

/** A file that a hub repository lists; the hub knows the digest of large ones. */
export interface ListedFile {
  readonly path: string
  readonly sha256?: string
}

/** All files that it lists. @throws DataError when the list cannot be read */
export const parseList = (text: string, subject: string): readonly ListedFile[] => {
  let entries: unknown
  try {
    entries = JSON.parse(text)
  } catch (error) {
    throw new DataError(
      "invalid",
      subject,
      "the list of files is cut or not JSON; move it away and prepare again.",
      error,
    )
  }
  return (Array.isArray(entries) ? entries : []).flatMap(
    (entry: { path?: unknown; lfs?: { oid?: unknown } } | null) => {
      if (typeof entry?.path !== "string") return []
      const oid = entry.lfs?.oid
      return [
        {
          path: entry.path,
          ...(typeof oid === "string" && /^[0-9a-f]{64}$/.test(oid) ? { sha256: oid } : {}),
        },
      ]
    },
  )
}

/** The files with rows that a hub repository lists, by name. @throws DataError where there is none that can be read */
export const listedFiles = (text: string, subject: string): readonly string[] => {
  const paths = parseList(text, subject).map(({ path }) => path)
  for (const ending of ROWS) {
    const found = paths.filter((path) => ending.test(path)).sort()
    if (found.length > 0) return found
  }
  throw new DataError(
    "invalid",
    subject,
    `there are no JSON lines and no parquet among its files (${paths.slice(0, 6).join(", ")}); name some in data.corpus.files, or export the rows as JSON lines and give them as file:PATH.`,
  )
}

/** The files of rows; those of a hub repository by the names given. */
export const rowOrigins = (
  corpus: RowSource,
  names: readonly string[],
  options: CorpusOptions,
): readonly Origin[] => {
  if (!corpus.source.startsWith("hf:")) return [fileOrWeb(corpus.source, options)]
  const hub = hubFolder(corpus, options)
  return names.map((name) => {
    if (name.split("/").some((part) => part === "" || part === "." || part === ".."))
      throw new DataError("invalid", corpus.source, `it names an unusable path, "${name}".`)
    return hubOrigin(hub, name)
  })
}
