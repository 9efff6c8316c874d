/** SHA-256 of files. */
import { createHash } from "node:crypto"
import { stat } from "node:fs/promises"
import { fromSystemError } from "./errors.js"
import { readParts } from "./parts.js"

/** Hexadecimal SHA-256 of a file of any size. */
export const fileDigest = async (path: string): Promise<string> => {
  const hash = createHash("sha256")
  try {
    await readParts(path, (part) => hash.update(part))
  } catch (error) {
    throw fromSystemError(error, path, "computing its digest")
  }
  return hash.digest("hex")
}

const known = new Map<string, { readonly state: string; readonly sha256: string }>()

/** The same, computed once in this process for as long as the file's identity, size and times stay as they are. */
export const knownFileDigest = async (path: string): Promise<string> => {
  const info = await stat(path, { bigint: true }).catch((error: unknown) => {
    throw fromSystemError(error, path, "computing its digest")
  })
  const state = [info.dev, info.ino, info.size, info.mtimeNs, info.ctimeNs].join()
  const found = known.get(path)
  if (found?.state === state) return found.sha256
  const sha256 = await fileDigest(path)
  known.set(path, { state, sha256 })
  return sha256
}

export const bytesDigest = (bytes: Uint8Array | string): string =>
  createHash("sha256").update(bytes).digest("hex")
