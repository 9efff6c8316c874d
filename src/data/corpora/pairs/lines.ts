/** Lines of large files, without keeping them: plain or gzip, several files as one stream. */
import { fromSystemError } from "../../../files/errors.js"
import { unzippedBytes } from "../../../files/gzip.js"

const LINE_FEED = 10
async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  try {
    yield* unzippedBytes(path)
  } catch (error) {
    throw fromSystemError(error, path, "reading its rows")
  }
}

export interface RawLine {
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly bytes: Buffer
}

const isBlank = (bytes: Buffer): boolean => bytes.every((byte) => byte === 32 || byte === 9 || byte === 13)

/** The lines of all files that are not blank, in order. */
export async function* rawLines(files: readonly string[]): AsyncGenerator<RawLine> {
  for (const file of files) {
    let [line, rest] = [0, [] as Buffer[]]
    for await (const part of bytesOf(file)) {
      let start = 0
      for (let end = part.indexOf(LINE_FEED); end >= 0; end = part.indexOf(LINE_FEED, start)) {
        const bytes =
          rest.length === 0 ? part.subarray(start, end) : Buffer.concat([...rest, part.subarray(start, end)])
        ;[line, rest] = [line + 1, []]
        if (!isBlank(bytes)) yield { file, line, bytes }
        start = end + 1
      }
      // A copy: the part would be kept whole for the sake of its end.
      if (start < part.length) rest.push(Buffer.from(part.subarray(start)))
    }
    const last = Buffer.concat(rest)
    if (!isBlank(last)) yield { file, line: line + 1, bytes: last }
  }
}

/** How many there are. */
export const countLines = async (files: readonly string[], signal?: AbortSignal): Promise<number> => {
  let count = 0
  for await (const line of rawLines(files))
    if (++count % 65_536 === 0 && line.line > 0) signal?.throwIfAborted()
  return count
}
