/** Rows of large files, without keeping them: JSON lines, plain, gzip or zstd, or parquet; several files as one stream. */
import { fromSystemError } from "../../../files/errors.js"
import { countParquetRows, isParquet, parquetRows } from "../../../files/parquet.js"
import { unpackedBytes } from "../../../files/unpacked.js"

const LINE_FEED = 10
async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  try {
    for await (const { buffer, byteOffset, length } of unpackedBytes(path))
      yield Buffer.from(buffer as ArrayBuffer, byteOffset, length)
  } catch (error) {
    throw fromSystemError(error, path, "reading its rows")
  }
}

export interface RawRow {
  readonly file: string
  /** From 1: the line of a text file, the row of a parquet file. */
  readonly number: number
  readonly unit: "line" | "row"
  /** An object of JSON. */
  readonly text: () => string
}

const isBlank = (bytes: Buffer): boolean => bytes.every((byte) => byte === 32 || byte === 9 || byte === 13)

/** The lines of a file that are not blank. */
async function* linesOf(file: string): AsyncGenerator<RawRow> {
  let [number, rest] = [0, [] as Buffer[]]
  const rowOf = (bytes: Buffer): RawRow => ({
    file,
    unit: "line",
    number,
    text: () => bytes.toString("utf8"),
  })
  for await (const part of bytesOf(file)) {
    let start = 0
    for (let end = part.indexOf(LINE_FEED); end >= 0; end = part.indexOf(LINE_FEED, start)) {
      const bytes =
        rest.length === 0 ? part.subarray(start, end) : Buffer.concat([...rest, part.subarray(start, end)])
      ;[number, rest] = [number + 1, []]
      if (!isBlank(bytes)) yield rowOf(bytes)
      start = end + 1
    }
    // A copy: the part would be kept whole for the sake of its end.
    if (start < part.length) rest.push(Buffer.from(part.subarray(start)))
  }
  const last = Buffer.concat(rest)
  number++
  if (!isBlank(last)) yield rowOf(last)
}

const plain = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value)

const parquet = async (path: string): Promise<boolean> => {
  try {
    return await isParquet(path)
  } catch (error) {
    throw fromSystemError(error, path, "reading its rows")
  }
}

/** The rows of all files, in order. @param columns fields that will be read; a parquet file gives no others */
export async function* rawRows(files: readonly string[], columns: readonly string[]): AsyncGenerator<RawRow> {
  for (const file of files)
    if (!(await parquet(file))) yield* linesOf(file)
    else
      for await (const { row, values } of parquetRows(file, columns))
        yield { file, unit: "row", number: row, text: () => JSON.stringify(values, plain) }
}

/** How many there are. */
export const countRows = async (files: readonly string[], signal?: AbortSignal): Promise<number> => {
  let count = 0
  for (const file of files) {
    signal?.throwIfAborted()
    if (await parquet(file)) count += await countParquetRows(file)
    else
      for await (const line of linesOf(file))
        if (++count % 65_536 === 0 && line.number > 0) signal?.throwIfAborted()
  }
  return count
}
