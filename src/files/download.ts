/**
 * Downloads that can be interrupted: bytes gather in PATH.partial, are checked, and get their name last. A later call
 * goes on where the connection broke, if the server's validator (or the expected digest) shows it is the same file.
 * One process at a time fetches a file; others wait for it.
 */
import { createHash } from "node:crypto"
import { open, readFile, rename, rm, stat } from "node:fs/promises"
import { dirname } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { syncDirectory, writeFileAtomic, writeFully } from "./atomic.js"
import { fileDigest } from "./digest.js"
import { DataError, fromSystemError, systemCode } from "./errors.js"
import type { OnPrepareEvent } from "./events.js"
import { awaitLease } from "./lease.js"
import { makeFolder } from "./folder.js"
import { readParts } from "./parts.js"

/** What a server states of the file that it answers with. */
export interface Statement {
  readonly sha256?: string
  /** SHA-1 of "blob SIZE\0" and the bytes, as Git names them. */
  readonly gitBlob?: string
  /** The commit that the file is of. */
  readonly commit?: string
}

export interface DownloadRequest {
  readonly url: string
  readonly path: string
  /** Expected SHA-256; the file is refused when it differs. */
  readonly sha256?: string
  /** Who says so, with a verb, for the message; the spec when absent. */
  readonly stated?: string
  /** Reads what the server states in the headers of an answer, those of redirects included. */
  readonly statement?: (headers: Headers) => Statement
  readonly headers?: Readonly<Record<string, string>>
  readonly onEvent?: OnPrepareEvent
  readonly signal?: AbortSignal
  /** Attempts that bring less than 64 KiB of new bytes, one after another, before giving up. */
  readonly attempts?: number
  /** Silence of the server after which an attempt ends. */
  readonly idleMs?: number
  /** Wait before the second attempt; doubled each time, up to 30 s. */
  readonly backoffMs?: number
}

export interface Downloaded {
  readonly path: string
  readonly bytes: number
  readonly sha256: string
  /** Where the server states it. */
  readonly commit?: string
}

/** Fewer new bytes are no progress: a server that sends a few at each attempt never ends. */
const PROGRESS = 1 << 16
const MAX_REDIRECTS = 10
const THE_SPEC = "the spec says"

/** Worth another attempt. */
class Interrupted extends Error {
  readonly retryAfterMs: number

  constructor(message: string, retryAfterMs = 0, cause?: unknown) {
    super(message, { cause })
    this.retryAfterMs = retryAfterMs
  }
}

/** Why the network failed, from the innermost error of fetch. */
const networkReason = (error: unknown): string => {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const code = systemCode(cause)
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "the server's name could not be resolved"
    case "ECONNREFUSED":
      return "the server refused the connection"
    case "ECONNRESET":
    case "UND_ERR_SOCKET":
      return "the connection was cut"
    case "UND_ERR_CONNECT_TIMEOUT":
    case "UND_ERR_HEADERS_TIMEOUT":
    case "UND_ERR_BODY_TIMEOUT":
    case "ETIMEDOUT":
      return "the server did not answer in time"
    default:
      return cause instanceof Error ? cause.message : String(cause)
  }
}

const refusal = (url: string, status: number): DataError => {
  if (status === 404 || status === 410) {
    return new DataError(
      "not-found",
      url,
      `the server has no such file (${status}); check the name and revision in the spec.`,
    )
  }
  if (status === 401 || status === 403) {
    return new DataError(
      "refused",
      url,
      `access was denied (${status}); log in to the registry, or set HF_TOKEN for a private repository.`,
    )
  }
  return new DataError("refused", url, `the server answered ${status}; check the address in the spec.`)
}

const retryAfter = (response: Response): number => {
  const seconds = Number(response.headers.get("retry-after") ?? 0)
  return Number.isFinite(seconds) ? Math.min(60, seconds) * 1000 : 0
}

/** What tells that two responses hold the same bytes; weak validators do not. */
const validatorOf = (response: Response): string | undefined => {
  const etag = response.headers.get("etag")
  return etag !== null && !etag.startsWith("W/") ? etag : undefined
}

interface Started {
  readonly url: string
  readonly validator?: string | undefined
}

const readStarted = async (path: string): Promise<Started | undefined> => {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Started
  } catch {
    return undefined
  }
}

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => undefined))?.size ?? 0

const totalOf = (response: Response, offset: number): number | undefined => {
  const range = /\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1]
  if (range !== undefined) return Number(range)
  const length = response.headers.get("content-length")
  // With a content encoding the length is not that of the bytes we get.
  return length === null || response.headers.has("content-encoding") ? undefined : offset + Number(length)
}

/** An answer after its redirects, with what was stated on the way; a login stays with the server it is for. */
const ask = async (
  { url, statement }: DownloadRequest,
  given: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<{ readonly response: Response; readonly stated: Statement }> => {
  let at = url
  let headers = given
  let stated: Statement = {}
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(at, { headers, redirect: "manual", signal })
    stated = { ...statement?.(response.headers), ...stated }
    const location = response.headers.get("location")
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return { response, stated }
    await response.body?.cancel()
    if (redirects === MAX_REDIRECTS || !URL.canParse(location, at))
      throw new DataError(
        "refused",
        url,
        "the server sends from one address to the next without end; check the address in the spec.",
      )
    const next = new URL(location, at)
    if (next.origin !== new URL(at).origin) {
      const { authorization: _, ...others } = headers as Record<string, string> & { authorization?: string }
      headers = others
    }
    at = next.href
  }
}

/** Aborts when nothing came for a while, or with the given signal. */
const idleWatch = (idleMs: number, signal: AbortSignal | undefined) => {
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(), idleMs)
  return {
    signal: signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]),
    heard: () => void timer.refresh(),
    end: () => clearTimeout(timer),
    reason: (error: unknown): string =>
      silence.signal.aborted ? `the server was silent for ${idleMs / 1000} s` : networkReason(error),
  }
}

/** One connection: extend or restart the partial file. Returns what the server states when it is complete. */
const attempt = async (
  request: DownloadRequest,
  partial: string,
  note: string,
  idle: ReturnType<typeof idleWatch>,
): Promise<Statement> => {
  const { url, sha256, signal, onEvent } = request
  const started = await readStarted(note)
  const have = await sizeOf(partial)
  const mayResume =
    have > 0 && started?.url === url && (started.validator !== undefined || sha256 !== undefined)
  const headers: Record<string, string> = { "accept-encoding": "identity", ...request.headers }
  if (mayResume) {
    headers["range"] = `bytes=${have}-`
    if (started.validator !== undefined) headers["if-range"] = started.validator
  }
  let response: Response
  let stated: Statement
  try {
    ;({ response, stated } = await ask(request, headers, idle.signal))
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof DataError) throw error
    throw new Interrupted(idle.reason(error), 0, error)
  }
  idle.heard()
  const { status } = response
  if (status !== 200 && status !== 206) {
    await response.body?.cancel()
    if (status === 416 && mayResume) {
      await rm(partial, { force: true })
      throw new Interrupted("the server could not continue the earlier download")
    }
    if (status === 408 || status === 429 || status >= 500) {
      throw new Interrupted(`the server answered ${status}`, retryAfter(response))
    }
    throw refusal(url, status)
  }
  const offset =
    status === 206 ? Number(/^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1]) : 0
  if (status === 206 && offset !== have) {
    await response.body?.cancel()
    await rm(partial, { force: true })
    throw new Interrupted("the server continued at another place")
  }
  const now = validatorOf(response)
  const other = now !== started?.validator && (now !== undefined || sha256 === undefined)
  if (offset > 0 && started?.validator !== undefined && other) {
    await response.body?.cancel()
    await rm(partial, { force: true })
    throw new Interrupted("the file changed on the server, so it is fetched from its beginning")
  }
  const total = totalOf(response, offset)
  if (offset === 0)
    await writeFileAtomic(note, JSON.stringify({ url, validator: validatorOf(response) } satisfies Started))
  const handle = await open(partial, offset === 0 ? "w" : "a").catch((error: unknown) => {
    throw fromSystemError(error, partial, "opening the partial download")
  })
  let received = offset
  try {
    onEvent?.({ kind: "download", url, path: request.path, received, total })
    const reader = (response.body ?? new Blob([]).stream()).getReader()
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        signal?.throwIfAborted()
        throw new Interrupted(idle.reason(error), 0, error)
      })
      if (done) break
      idle.heard()
      try {
        await writeFully(handle, value)
      } catch (error) {
        await reader.cancel().catch(() => undefined)
        throw fromSystemError(error, partial, "downloading")
      }
      received += value.byteLength
      onEvent?.({ kind: "download", url, path: request.path, received, total })
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
  if (total !== undefined && received < total) throw new Interrupted("the connection was cut")
  if (total !== undefined && received > total) {
    await rm(partial, { force: true })
    throw new Interrupted(`${received} bytes came instead of ${total}`)
  }
  return stated
}

const gitBlobOf = async (path: string, bytes: number): Promise<string> => {
  const hash = createHash("sha1").update(`blob ${bytes}\0`)
  await readParts(path, (part) => hash.update(part))
  return hash.digest("hex")
}

/** A sentence on the first digest that the bytes do not have; undefined where they have them all. */
const contradiction = async (
  partial: string,
  found: string,
  { sha256, stated: by = THE_SPEC }: DownloadRequest,
  stated: Statement,
): Promise<string | undefined> => {
  if (sha256 !== undefined && found !== sha256)
    return `its SHA-256 is ${found}, not ${sha256} as ${by}; the file changed or was altered on the way. Try again, and correct ${by === THE_SPEC ? "sha256 in the spec" : "the record"} only if you trust the new file.`
  if (stated.sha256 !== undefined && found !== stated.sha256)
    return `its SHA-256 is ${found}, not ${stated.sha256} as the server itself states; it was altered on the way. Try again.`
  if (stated.gitBlob === undefined) return undefined
  const blob = await gitBlobOf(partial, await sizeOf(partial))
  return blob === stated.gitBlob
    ? undefined
    : `it is the Git object ${blob}, not ${stated.gitBlob} as the server itself states; it was altered on the way. Try again.`
}

const fetchWhole = async (request: DownloadRequest): Promise<Downloaded> => {
  const { url, path, onEvent, signal, attempts = 5, backoffMs = 500, idleMs = 60_000 } = request
  const partial = `${path}.partial`
  const note = `${partial}.json`
  let stated: Statement = {}
  // What came before counts once, however often a server makes us begin again.
  let furthest = await sizeOf(partial)
  for (let failures = 0; ;) {
    const idle = idleWatch(idleMs, signal)
    try {
      stated = await attempt(request, partial, note, idle)
      break
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error
      const kept = await sizeOf(partial)
      failures = kept >= furthest + PROGRESS ? 1 : failures + 1
      furthest = Math.max(furthest, kept)
      if (failures >= attempts) {
        const resume = kept > 0 ? `; ${kept} bytes are kept and the next attempt goes on from there` : ""
        throw new DataError(
          "offline",
          url,
          `it could not be fetched (${error.message}, ${failures} attempts${resume}). Check the network or proxy and run the command again.`,
          error,
        )
      }
      const waitMs = Math.max(error.retryAfterMs, Math.min(30_000, backoffMs * 2 ** (failures - 1)))
      onEvent?.({ kind: "retry", url, reason: error.message, waitMs })
      await sleep(waitMs, undefined, signal === undefined ? {} : { signal })
    } finally {
      idle.end()
    }
  }
  const found = await fileDigest(partial)
  const wrong = await contradiction(partial, found, request, stated)
  if (wrong !== undefined) {
    await rm(partial, { force: true })
    await rm(note, { force: true })
    throw new DataError("digest", url, wrong)
  }
  const bytes = await sizeOf(partial)
  try {
    await rename(partial, path)
  } catch (error) {
    throw fromSystemError(error, path, "giving the download its name")
  }
  await rm(note, { force: true })
  await syncDirectory(dirname(path))
  onEvent?.({ kind: "downloaded", path, bytes, sha256: found })
  return { path, bytes, sha256: found, ...(stated.commit === undefined ? {} : { commit: stated.commit }) }
}

/**
 * Fetch `url` to `path`, whole and verified, or throw and keep what came for the next call. Where another process is
 * fetching the same file, its file is awaited and taken.
 * @throws DataError: offline, not-found, refused, digest or no-space, each with its cure.
 */
export const download = async (request: DownloadRequest): Promise<Downloaded> => {
  const { path, sha256, onEvent, signal } = request
  await makeFolder(dirname(path)).catch((error: unknown) => {
    throw fromSystemError(error, path, "making its folder")
  })
  const { lease, waited } = await awaitLease(`${path}.lock`, {
    passing: true,
    signal,
    onWait: (holder) => onEvent?.({ kind: "waiting", path, holder }),
  }).catch((error: unknown) => {
    signal?.throwIfAborted()
    throw fromSystemError(error, path, "taking its lock")
  })
  try {
    const bytes = waited ? await sizeOf(path) : 0
    if (bytes > 0) {
      const found = await fileDigest(path)
      if (sha256 === undefined || found === sha256) {
        onEvent?.({ kind: "reused", path })
        return { path, bytes, sha256: found }
      }
    }
    return await fetchWhole(request)
  } finally {
    await lease.release()
  }
}
