/** A file as text, piece by piece: plain, gzip or zstd, by what it begins with; of any size. */
import { DataError, fromSystemError } from "../../files/errors.js"
import { unpackedBytes } from "../../files/unpacked.js"

const isUtf16 = ([a, b]: Uint8Array): boolean => (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)

/** UTF-8 text without a byte order mark. @throws DataError naming the file */
export async function* readText(path: string): AsyncGenerator<string> {
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true })
    let first = true
    for await (const part of unpackedBytes(path)) {
      if (first && isUtf16(part))
        throw new DataError("invalid", path, "it is UTF-16 text, as PowerShell writes it; save it as UTF-8.")
      first = false
      yield decoder.decode(part, { stream: true })
    }
    yield decoder.decode()
  } catch (error) {
    if (error instanceof TypeError)
      throw new DataError("invalid", path, "it is not UTF-8 text; was it made by another program?", error)
    throw error instanceof DataError ? error : fromSystemError(error, path, "reading it")
  }
}

export interface Line {
  readonly text: string
  /** From 1. */
  readonly number: number
}

/** Lines by line feed; the last one needs none. */
export async function* lines(parts: AsyncIterable<string>): AsyncGenerator<Line> {
  let rest: string[] = []
  let number = 0
  for await (const part of parts) {
    let start = 0
    for (let end = part.indexOf("\n"); end >= 0; end = part.indexOf("\n", start)) {
      rest.push(part.slice(start, end))
      yield { text: rest.join(""), number: ++number }
      rest = []
      start = end + 1
    }
    if (start < part.length) rest.push(part.slice(start))
  }
  const last = rest.join("")
  if (last !== "") yield { text: last, number: ++number }
}
