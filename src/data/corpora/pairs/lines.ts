/** Lines of large files, without keeping them: plain or gzip, several files as one stream. */
import { createReadStream } from "node:fs"
import { open } from "node:fs/promises"
import { pipeline } from "node:stream"
import { createGunzip } from "node:zlib"
import { fromSystemError } from "../../../files/errors.js"

const LINE_FEED = 10
const CHUNK = 1 << 20

const isGzip = async (path: string): Promise<boolean> => {
  const handle = await open(path, "r")
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0)
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b
  } finally {
    await handle.close()
  }
}

async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  try {
    const zipped = await isGzip(path)
    const file = createReadStream(path, { highWaterMark: CHUNK })
    const stream = zipped ? pipeline(file, createGunzip({ chunkSize: CHUNK }), () => undefined) : file
    for await (const part of stream) yield part as Buffer
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
