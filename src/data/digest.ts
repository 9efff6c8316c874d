/** SHA-256 of files. */
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { fromSystemError } from "./errors.js"

/** Hexadecimal SHA-256 of a file of any size. */
export const fileDigest = async (path: string): Promise<string> => {
  const hash = createHash("sha256")
  try {
    for await (const part of createReadStream(path, { highWaterMark: 1 << 20 }))
      hash.update(part as Uint8Array)
  } catch (error) {
    throw fromSystemError(error, path, "computing its digest")
  }
  return hash.digest("hex")
}

export const bytesDigest = (bytes: Uint8Array | string): string =>
  createHash("sha256").update(bytes).digest("hex")
