/**
 * Downloads that can be interrupted: bytes gather in PATH.partial, are checked, and get their name last. A later call
 * goes on where the connection broke, if the server's validator (or the expected digest) shows it is the same file.
 */
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises"
import { dirname } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { syncDirectory, writeFileAtomic, writeFully } from "./atomic.js"
import { fileDigest } from "./digest.js"
import { DataError, fromSystemError, systemCode } from "./errors.js"
import type { OnPrepareEvent } from "./events.js"

export interface DownloadRequest {
  readonly url: string
  readonly path: string
  /** Expected SHA-256; the file is refused when it differs. */
  readonly sha256?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly onEvent?: OnPrepareEvent
  readonly signal?: AbortSignal
  /** Attempts without a new byte before giving up. */
  readonly attempts?: number
  /** Wait before the second attempt; doubled each time, up to 30 s. */
  readonly backoffMs?: number
}

export interface Downloaded {
  readonly path: string
  readonly bytes: number
  readonly sha256: string
}

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

/** One connection: extend or restart the partial file. Returns when it is complete. */
const attempt = async (request: DownloadRequest, partial: string, note: string): Promise<void> => {
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
  try {
    response = await fetch(url, { headers, redirect: "follow", ...(signal === undefined ? {} : { signal }) })
  } catch (error) {
    signal?.throwIfAborted()
    throw new Interrupted(networkReason(error), 0, error)
  }
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
  if (offset > 0 && now !== undefined && started?.validator !== undefined && now !== started.validator) {
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
        throw new Interrupted(networkReason(error), 0, error)
      })
      if (done) break
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
}

/**
 * Fetch `url` to `path`, whole and verified, or throw and keep what came for the next call.
 * @throws DataError: offline, not-found, refused, digest or no-space, each with its cure.
 */
export const download = async (request: DownloadRequest): Promise<Downloaded> => {
  const { url, path, sha256, onEvent, signal, attempts = 5, backoffMs = 500 } = request
  const partial = `${path}.partial`
  const note = `${partial}.json`
  await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
    throw fromSystemError(error, path, "making its folder")
  })
  for (let failures = 0; ;) {
    const before = await sizeOf(partial)
    try {
      await attempt(request, partial, note)
      break
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error
      failures = (await sizeOf(partial)) > before ? 1 : failures + 1
      if (failures >= attempts) {
        const kept = await sizeOf(partial)
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
    }
  }
  const found = await fileDigest(partial)
  if (sha256 !== undefined && found !== sha256) {
    await rm(partial, { force: true })
    await rm(note, { force: true })
    throw new DataError(
      "digest",
      url,
      `its SHA-256 is ${found}, not ${sha256} as the spec says; the file changed or was altered on the way. Try again, and correct sha256 in the spec only if you trust the new file.`,
    )
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
  return { path, bytes, sha256: found }
}
