/** Where data comes from: npm:, hf:, https: and file: sources, and the cache they are kept in. */
import { mkdtemp, rename, rm, stat } from "node:fs/promises"
import { homedir } from "node:os"
import { dirname, isAbsolute, join, resolve } from "node:path"
import { execa } from "execa"
import { fileDigest, knownFileDigest } from "./digest.js"
import { download, type DownloadRequest } from "./download.js"
import { DataError, systemCode } from "./errors.js"

export type Source =
  | { readonly kind: "npm"; readonly name: string; readonly version: string }
  | { readonly kind: "hf"; readonly repository: string }
  | { readonly kind: "https"; readonly url: string }
  | { readonly kind: "file"; readonly path: string }

/**
 * Read a source as written in a spec; relative file: paths are taken from `base`.
 * @throws DataError with the forms that are understood.
 */
export const parseSource = (text: string, base = process.cwd()): Source => {
  const npm = /^npm:((?:@[a-z0-9._~-]+\/)?[a-z0-9._~-]+)@(\d+\.\d+\.\d+[A-Za-z0-9.+-]*)$/.exec(text)
  if (npm !== null) return { kind: "npm", name: npm[1]!, version: npm[2]! }
  const hf = /^hf:([A-Za-z0-9._-]+\/[A-Za-z0-9._-]+)$/.exec(text)
  if (hf !== null) return { kind: "hf", repository: hf[1]! }
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return { kind: "https", url: text }
  const file = /^file:(?:\/\/)?(.+)$/.exec(text)?.[1]
  if (file !== undefined) return { kind: "file", path: isAbsolute(file) ? file : resolve(base, file) }
  throw new DataError(
    "invalid",
    text,
    "it is not a source; write npm:NAME@VERSION, hf:OWNER/REPOSITORY, https://... or file:PATH.",
  )
}

const READ_ONLY = "it may not be written"
const UNWRITABLE: Readonly<Record<string, string>> = {
  EACCES: READ_ONLY,
  EPERM: READ_ONLY,
  EROFS: READ_ONLY,
  ENOSPC: "its disk is full",
  EDQUOT: "your share of its disk is full",
  EFBIG: "it may not grow so large",
}
const NO_FOLDER: Readonly<Record<string, string>> = {
  ENOTDIR: "a part of its path is a file",
  EEXIST: "a part of its path is a file",
  ENOENT: "no folder can be made there",
}

/** Folder for downloaded and prepared data: REPRO_CACHE, or the platform's cache folder. */
export const cacheDirectory = (
  env: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
): string => {
  if (env["REPRO_CACHE"]) return resolve(env["REPRO_CACHE"])
  if (env["XDG_CACHE_HOME"]) return join(env["XDG_CACHE_HOME"], "repro")
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "repro")
  if (platform === "win32") return join(env["LOCALAPPDATA"] ?? join(homedir(), "AppData", "Local"), "repro")
  return join(homedir(), ".cache", "repro")
}

/**
 * An error of writing into the cache, with the cure that it has beside those of any folder; others as they are.
 */
export const inCacheWords = (error: unknown, cacheDir: string): unknown => {
  if (!(error instanceof DataError) || !error.subject.startsWith(cacheDir)) return error
  const code = systemCode(error.cause) ?? ""
  const making = (error.cause as NodeJS.ErrnoException | undefined)?.syscall === "mkdir"
  const why = Object.hasOwn(UNWRITABLE, code)
    ? UNWRITABLE[code]
    : making && Object.hasOwn(NO_FOLDER, code)
      ? NO_FOLDER[code]
      : undefined
  if (why === undefined) return error
  return new DataError(
    error.reason,
    error.subject,
    `${why}; it lies in the cache ${cacheDir}: make room or give yourself access there, or name another folder with the variable REPRO_CACHE, and run the command again.`,
    error.cause,
  )
}

/** The npm registry for a package, from the user's own npm configuration. */
export const npmRegistry = async (name: string): Promise<string> => {
  const fromEnvironment = process.env["npm_config_registry"]
  if (fromEnvironment) return fromEnvironment
  const scope = /^(@[^/]+)\//.exec(name)?.[1]
  const keys = [...(scope === undefined ? [] : [`${scope}:registry`]), "registry"]
  const { stdout } = await execa("npm", ["config", "get", ...keys], { reject: false })
  // One key prints its value, several print KEY=VALUE lines; unset ones are "undefined".
  const values = stdout
    .split("\n")
    .map((line) => line.slice(line.startsWith("http") ? 0 : line.indexOf("=") + 1))
  return values.find((value) => /^https?:\/\//.test(value)) ?? "https://registry.npmjs.org/"
}

export type FetchOptions = Omit<DownloadRequest, "url" | "path">

/** Seconds that npm waits for the registry to answer; a tarball that comes slowly is not cut. */
const NPM_TIMEOUT = 15

/**
 * Let npm itself fetch the tarball: it knows proxies and logins that a plain request does not. It tries once: by
 * default it would try three times, with up to a minute of silence between.
 */
const packWithNpm = async (
  source: Source & { kind: "npm" },
  path: string,
  { sha256, onEvent, signal }: FetchOptions,
): Promise<boolean> => {
  onEvent?.({ kind: "asking-npm", name: source.name, version: source.version })
  const folder = await mkdtemp(join(dirname(path), "npm-pack-"))
  try {
    const { stdout, exitCode } = await execa(
      "npm",
      [
        "pack",
        `${source.name}@${source.version}`,
        "--silent",
        "--ignore-scripts",
        "--no-update-notifier",
        "--fetch-retries=0",
        `--fetch-timeout=${NPM_TIMEOUT * 1000}`,
        "--pack-destination",
        folder,
      ],
      {
        reject: false,
        cwd: folder,
        timeout: 300_000,
        ...(signal === undefined ? {} : { cancelSignal: signal }),
      },
    )
    signal?.throwIfAborted()
    const file = stdout.trim().split("\n").at(-1)
    if (exitCode !== 0 || file === undefined || file === "") return false
    const packed = join(folder, file)
    if (sha256 !== undefined && (await fileDigest(packed)) !== sha256) return false
    await rename(packed, path)
    return true
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * Fetch one npm tarball (never its dependencies) to `path`.
 * @throws DataError as `download` does, when npm cannot fetch it either.
 */
export const fetchNpmTarball = async (
  source: Source & { kind: "npm" },
  path: string,
  options: FetchOptions & { readonly registry?: string } = {},
): Promise<void> => {
  const { registry = await npmRegistry(source.name), ...rest } = options
  const file = `${source.name.replace(/^@[^/]+\//, "")}-${source.version}.tgz`
  const url = `${registry.replace(/\/+$/, "")}/${source.name}/-/${file}`
  try {
    await download({ ...rest, url, path })
  } catch (error) {
    const retry =
      error instanceof DataError &&
      // Where nothing may be written, npm may not either.
      !Object.hasOwn(UNWRITABLE, systemCode(error.cause) ?? "") &&
      (error.reason === "offline" || error.reason === "refused" || error.reason === "not-found")
    if (!retry || options.registry !== undefined) throw error
    if (!(await packWithNpm(source, path, rest))) throw error
  }
}

const hubEndpoint = (): string => (process.env["HF_ENDPOINT"] ?? "https://huggingface.co").replace(/\/+$/, "")

/** Address of a file in a hub dataset repository. HF_ENDPOINT overrides the hub. */
export const hubUrl = (repository: string, revision: string, path: string): string =>
  `${hubEndpoint()}/datasets/${repository}/resolve/${encodeURIComponent(revision)}/${path}`

/** Address of a file in a hub repository of weights. */
export const hubModelUrl = (repository: string, revision: string, path: string): string =>
  `${hubEndpoint()}/${repository}/resolve/${encodeURIComponent(revision)}/${path}`

/** Headers for the hub: HF_TOKEN where the user set one. */
export const hubHeaders = (): Record<string, string> => {
  const token = process.env["HF_TOKEN"]
  return token ? { authorization: `Bearer ${token}` } : {}
}

/**
 * Whether `path` is there and, when a digest is given, has it.
 */
export const isPresent = async (path: string, sha256?: string): Promise<boolean> => {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined || !found.isFile()) return false
  return sha256 === undefined || (await knownFileDigest(path)) === sha256
}
