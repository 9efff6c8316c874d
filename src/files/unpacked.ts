/** Files of any size, plain, gzip or zstd, by what they begin with. */
import { createReadStream } from "node:fs"
import { pipeline } from "node:stream"
import * as zlib from "node:zlib"
import { DataError, systemCode } from "./errors.js"

const CHUNK = 1 << 20

type Chunks = AsyncIterable<Uint8Array>

async function* gunzipped(source: Chunks): Chunks {
  const stream = zlib.createGunzip({ chunkSize: CHUNK })
  pipeline(source, stream, () => undefined)
  yield* stream as Chunks
}

/** By fzstd alone: Node's own ends at the first of several frames, and takes cut data for whole (ADR 15). */
async function* unpackedZstd(source: Chunks): Chunks {
  const { Decompress } = await import("fzstd")
  let ready: Uint8Array[] = []
  const stream = new Decompress((chunk) => ready.push(chunk))
  for await (const chunk of source) {
    stream.push(chunk)
    yield* ready
    ready = []
  }
  stream.push(new Uint8Array(), true)
  yield* ready
}

const packing = ([a, b, c, d]: Uint8Array): "gzip" | "zstd" | undefined => {
  if (a === 0x1f && b === 0x8b) return "gzip"
  return a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd ? "zstd" : undefined
}

/**
 * The bytes of a file, unpacked.
 *
 * @param onRead told of the bytes of each part as it lies in the file
 * @throws DataError where packed data are cut or damaged; else errors of the system
 */
export async function* unpackedBytes(
  path: string,
  onRead: (bytes: number) => void = () => undefined,
): AsyncGenerator<Uint8Array> {
  const source = createReadStream(path, { highWaterMark: CHUNK })
  const counted = async function* (): Chunks {
    for await (const chunk of source as Chunks) {
      onRead(chunk.length)
      yield chunk
    }
  }
  const chunks = counted()[Symbol.asyncIterator]()
  const first = await chunks.next()
  if (first.done === true) return
  const rest = async function* (): Chunks {
    yield first.value
    yield* { [Symbol.asyncIterator]: () => chunks }
  }
  const packed = packing(first.value)
  try {
    if (packed === undefined) yield* rest()
    else yield* packed === "gzip" ? gunzipped(rest()) : unpackedZstd(rest())
  } catch (error) {
    if (error instanceof DataError || packed === undefined || /^E[A-Z]+$/.test(systemCode(error) ?? ""))
      throw error
    throw new DataError(
      "invalid",
      path,
      `its ${packed} data cannot be read (${error instanceof Error ? error.message : String(error)}); it is cut or damaged: copy it again.`,
      error,
    )
  } finally {
    source.destroy()
  }
}

/** The same in one piece, of a file that fits into memory. */
export const readUnpacked = async (path: string): Promise<Uint8Array> => {
  const parts: Uint8Array[] = []
  for await (const part of unpackedBytes(path)) parts.push(part)
  return Buffer.concat(parts)
}
