/** Parquet files read some thousand rows at a time: only the columns that are asked for. */
import { open } from "node:fs/promises"
import { DataError, systemCode, fromSystemError } from "./errors.js"

const MAGIC = "PAR1"
/** Rows that are unpacked at once: one group may hold all rows of a file. */
const SLICE = 8192

/** Whether a file begins as parquet does. */
export const isParquet = async (path: string): Promise<boolean> => {
  const handle = await open(path, "r")
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0)
    return bytesRead === 4 && buffer.toString("latin1") === MAGIC
  } finally {
    await handle.close()
  }
}

const damaged = (path: string, error: unknown): DataError =>
  error instanceof DataError || systemCode(error) !== undefined
    ? fromSystemError(error, path, "reading its rows")
    : new DataError(
        "invalid",
        path,
        `it cannot be read as parquet (${error instanceof Error ? error.message : String(error)}); it is cut or damaged: fetch it again.`,
        error,
      )

const opened = async (path: string) => {
  const { asyncBufferFromFile, parquetMetadataAsync } = await import("hyparquet")
  try {
    const file = await asyncBufferFromFile(path)
    return { file, metadata: await parquetMetadataAsync(file) }
  } catch (error) {
    throw damaged(path, error)
  }
}

/** Rows of a file, from its footer alone. @throws DataError when it is no parquet, cut or damaged */
export const countParquetRows = async (path: string): Promise<number> =>
  Number((await opened(path)).metadata.num_rows)

export interface ParquetRow {
  /** From 1. */
  readonly row: number
  /** By column. */
  readonly values: Readonly<Record<string, unknown>>
}

/** Rows that are read at once, from and up to, none of them across two groups. */
function* slices(groups: readonly number[]): Generator<readonly [start: number, end: number]> {
  let start = 0
  for (const rows of groups) {
    const groupEnd = start + rows
    for (; start < groupEnd; start = Math.min(groupEnd, start + SLICE))
      yield [start, Math.min(groupEnd, start + SLICE)]
  }
}

/**
 * The rows of a file in order, with the columns that are named.
 * @throws DataError when it has no such column, is cut or damaged
 */
export async function* parquetRows(path: string, columns: readonly string[]): AsyncGenerator<ParquetRow> {
  const { file, metadata } = await opened(path)
  const { parquetReadObjects, parquetSchema } = await import("hyparquet")
  const { compressors } = await import("hyparquet-compressors")
  const there = parquetSchema(metadata).children.map(({ element }) => element.name)
  const absent = columns.find((column) => !there.includes(column))
  if (absent !== undefined)
    throw new DataError(
      "invalid",
      path,
      `it has no column ${JSON.stringify(absent)}; its columns are ${there.slice(0, 8).join(", ")}.`,
    )
  for (const [start, end] of slices(metadata.row_groups.map((group) => Number(group.num_rows)))) {
    let rows: readonly Record<string, unknown>[]
    try {
      rows = await parquetReadObjects({
        file,
        metadata,
        columns: [...columns],
        rowStart: start,
        rowEnd: end,
        compressors,
      })
    } catch (error) {
      throw damaged(path, error)
    }
    if (rows.length !== end - start)
      throw damaged(path, new Error(`${end - start} rows of a group give ${rows.length}`))
    for (const [i, values] of rows.entries()) yield { row: start + i + 1, values }
  }
}
