/** The bytes of a file, part by part, in one buffer: a stream makes a new one for each part, which waits for the collector. */
import { open } from "node:fs/promises"

const PART_BYTES = 1 << 18

/** A buffer that no reader has at the moment. */
let spare: Uint8Array | undefined

export interface Span {
  /** First byte; default: the file's first. */
  readonly start?: number
  /** The byte after the last; default: the file's end. A file that ends before gives what it has. */
  readonly end?: number
}

/** Shows `use` each part of a file in turn; the bytes are its own until it returns. Errors are those of the system. */
export const readParts = async (
  path: string,
  use: (part: Uint8Array) => void,
  { start = 0, end = Infinity }: Span = {},
): Promise<void> => {
  // Read on from where the last part ended, a pipe can be read too.
  const handle = await open(path, "r")
  const buffer = spare ?? new Uint8Array(PART_BYTES)
  spare = undefined
  try {
    for (let at = start; at < end;) {
      const { bytesRead } = await handle.read(
        buffer,
        0,
        Math.min(buffer.length, end - at),
        start === 0 ? null : at,
      )
      if (bytesRead === 0) return
      use(buffer.subarray(0, bytesRead))
      at += bytesRead
    }
  } finally {
    spare = buffer
    await handle.close()
  }
}
