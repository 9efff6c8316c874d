/**
 * Token shards in the published format (parameter-golf, train_gpt.py): a header of 256 little-endian int32, of which
 * the first three are magic, version and token count and the rest zero, then the tokens as little-endian uint16.
 *
 * Version 4 is ours, for vocabularies of more than 65 536: the same with uint32.
 */
import { open, type FileHandle } from "node:fs/promises"
import { relative, resolve } from "node:path"
import { writeAtomically, writeFully } from "../../files/atomic.js"
import { DataError, fromSystemError } from "../../files/errors.js"
import { cacheDirectory } from "../../files/sources.js"
import { NARROW_IDS, tokenArray, type TokenBytes, type Tokens } from "./tokens.js"

export const SHARD_MAGIC = 20240520
export const SHARD_VERSION = 1
/** Of shards whose tokens have four bytes. */
export const WIDE_VERSION = 4
/** Bytes before the first token. */
export const SHARD_HEADER_BYTES = 1024

/** A file of the cache is fetched again; one of a person's own is theirs. */
const cureOf = (path: string): string =>
  relative(cacheDirectory(), resolve(path)).startsWith("..")
    ? "write it again, or put a whole copy in its place"
    : "move it away and run `repro prepare` again"

export interface ShardInfo {
  readonly path: string
  /** Tokens in the file. */
  readonly tokens: number
  /** Tokens the header promises; more than `tokens` only for a partial download read with `truncated`. */
  readonly promised: number
  /** Its tokens have four bytes. */
  readonly wide?: true
}

/** Bytes of a token. */
export const widthOf = ({ wide }: Pick<ShardInfo, "wide">): TokenBytes => (wide === true ? 4 : 2)

export interface ShardOptions {
  /** Accept a file that ends early, as a partial download does, and use the tokens it has. */
  readonly truncated?: boolean
}

/** Write a shard atomically. */
export const writeShard = async (path: string, tokens: Tokens): Promise<void> => {
  const header = new Int32Array(SHARD_HEADER_BYTES / 4)
  header.set([SHARD_MAGIC, tokens.BYTES_PER_ELEMENT === 4 ? WIDE_VERSION : SHARD_VERSION, tokens.length])
  await writeAtomically(path, async (handle) => {
    await writeFully(handle, new Uint8Array(header.buffer))
    await writeFully(handle, new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength))
  })
}

const checkHeader = (path: string, header: Uint8Array, size: number, truncated: boolean): ShardInfo => {
  if (header.byteLength < 12) {
    const what = size === 0 ? "it is empty" : `it has only ${size} bytes`
    throw new DataError("truncated", path, `${what}, less than a shard's header; ${cureOf(path)}.`)
  }
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength)
  const magic = view.getInt32(0, true)
  if (magic !== SHARD_MAGIC) {
    const start = new TextDecoder().decode(header.subarray(0, 64))
    const hint = /^\s*<|^version https:\/\/git-lfs/i.test(start)
      ? " (it looks like a web page or a Git LFS pointer instead of the file)"
      : ""
    throw new DataError(
      "invalid",
      path,
      `it is not a token shard: the first number is ${magic}, not ${SHARD_MAGIC}${hint}; ${cureOf(path)} or correct the path.`,
    )
  }
  const version = view.getInt32(4, true)
  if (version !== SHARD_VERSION && version !== WIDE_VERSION) {
    throw new DataError(
      "invalid",
      path,
      `shard version ${version} is not supported, only ${SHARD_VERSION} and ${WIDE_VERSION}; convert it or use another export.`,
    )
  }
  const width = version === WIDE_VERSION ? 4 : 2
  const promised = view.getInt32(8, true)
  if (promised < 0) {
    throw new DataError("invalid", path, `the header claims ${promised} tokens; ${cureOf(path)}.`)
  }
  const expected = SHARD_HEADER_BYTES + width * promised
  if (size > expected) {
    throw new DataError(
      "invalid",
      path,
      `${promised} tokens need ${expected} bytes but the file has ${size}: ${size - expected} too many; ${cureOf(path)}.`,
    )
  }
  if (size < expected && !truncated) {
    throw new DataError(
      "truncated",
      path,
      `${promised} tokens need ${expected} bytes but the file has ${size}: ${expected - size} are missing; ${cureOf(path)}, or allow a truncated shard.`,
    )
  }
  const tokens = Math.max(0, Math.floor((Math.min(size, expected) - SHARD_HEADER_BYTES) / width))
  return { path, tokens, promised, ...(width === 4 ? { wide: true } : {}) }
}

const withFile = async <A>(path: string, use: (handle: FileHandle) => Promise<A>): Promise<A> => {
  try {
    const handle = await open(path, "r")
    try {
      return await use(handle)
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw fromSystemError(error, path, "reading a token shard")
  }
}

const inspect = async (handle: FileHandle, path: string, options: ShardOptions): Promise<ShardInfo> => {
  const { size } = await handle.stat()
  const header = new Uint8Array(Math.min(size, SHARD_HEADER_BYTES))
  await handle.read(header, 0, header.byteLength, 0)
  return checkHeader(path, header, size, options.truncated ?? false)
}

/**
 * Check header and size; no tokens are read.
 * @throws DataError for a truncated, oversized or foreign file.
 */
export const inspectShard = (path: string, options: ShardOptions = {}): Promise<ShardInfo> =>
  withFile(path, (handle) => inspect(handle, path, options))

/**
 * Check also that its integers hold every id of a vocabulary: larger ids are cut when a shard is written, and read as
 * others.
 * @throws DataError
 */
export const inspectShardOf = async (vocabSize: number, path: string): Promise<ShardInfo> => {
  const info = await inspectShard(path)
  if (vocabSize > NARROW_IDS && info.wide !== true)
    throw new DataError(
      "invalid",
      path,
      `its tokens have two bytes, which hold ids below ${NARROW_IDS}, and the vocabulary has ${vocabSize}: larger ids were cut when it was written. Make it again with four bytes a token (shard version ${WIDE_VERSION}), or correct data.tokenizer.vocabSize.`,
    )
  return info
}

/** Bytes of one read; large enough to be fast, small enough for Node's limit. */
const READ_SLICE = 1 << 26

/**
 * Read a shard's tokens into `out`, from its start.
 * @returns how many were read.
 * @throws DataError also when `out` is too small for them, or of another width.
 */
export const readShardInto = (path: string, out: Tokens, options: ShardOptions = {}): Promise<number> =>
  withFile(path, async (handle) => {
    const info = await inspect(handle, path, options)
    const { tokens } = info
    const width = widthOf(info)
    if (width !== out.BYTES_PER_ELEMENT)
      throw new DataError(
        "invalid",
        path,
        `its tokens have ${width} bytes and those of the shards beside it ${out.BYTES_PER_ELEMENT}; make all of them with one tokenizer.`,
      )
    if (tokens > out.length) {
      throw new DataError(
        "invalid",
        path,
        `${tokens} tokens do not fit the ${out.length} set aside for them.`,
      )
    }
    const bytes = new Uint8Array(out.buffer, out.byteOffset, width * tokens)
    for (let done = 0; done < bytes.byteLength;) {
      const wanted = Math.min(READ_SLICE, bytes.byteLength - done)
      const { bytesRead } = await handle.read(bytes, done, wanted, SHARD_HEADER_BYTES + done)
      if (bytesRead === 0)
        throw new DataError("truncated", path, `it became shorter while being read; ${cureOf(path)}.`)
      done += bytesRead
    }
    return tokens
  })

/** All tokens of a shard. */
export const readShard = async (path: string, options: ShardOptions = {}): Promise<Tokens> => {
  const info = await inspectShard(path, options)
  const out = tokenArray(widthOf(info), info.tokens)
  await readShardInto(path, out, options)
  return out
}

/**
 * Check that every token is below `vocabSize`.
 * @throws DataError naming the first one that is not.
 */
export const checkVocabulary = (path: string, tokens: Tokens, vocabSize: number): void => {
  for (let at = 0; at < tokens.length; at++) {
    if (tokens[at]! < vocabSize) continue
    throw new DataError(
      "invalid",
      path,
      `token ${at} is ${tokens[at]}, outside the vocabulary of ${vocabSize}; the shard was made with another tokenizer: correct data.tokenizer or data.corpus in the spec.`,
    )
  }
}
