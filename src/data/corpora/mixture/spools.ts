/**
 * Documents on their way to their shards: each spool takes those of one shard as they come, with the place that each
 * will have. Words of four bytes: place, number of ids, bytes of text, ids.
 */
import { open } from "node:fs/promises"
import { join } from "node:path"
import { writeFully } from "../../../files/atomic.js"
import { DataError, fromSystemError } from "../../../files/errors.js"
import { tokenArray, type TokenBytes, type Tokens } from "../../rows/tokens.js"

/** Words held back over all spools. */
const ROOM = 1 << 24
const HEAD = 3
/** Words of one buffer of Node. */
const MOST = 2 ** 30 - 1
const READ = 1 << 26

const pathOf = (folder: string, name: string): string => join(folder, `${name}.spool`)

export class Spools {
  readonly #folder: string
  readonly #room: number
  readonly #waiting = new Map<string, Uint32Array[]>()
  readonly #held = new Map<string, number>()
  readonly #lengths: Map<string, number>

  /** @param lengths bytes up to which the spools are good; what lies behind is cut off */
  constructor(folder: string, names: readonly string[], lengths: Readonly<Record<string, number>> = {}) {
    this.#folder = folder
    this.#room = Math.floor(ROOM / names.length)
    this.#lengths = new Map(names.map((name) => [name, lengths[name] ?? 0]))
  }

  async cut(): Promise<void> {
    for (const [name, length] of this.#lengths) await this.#with(name, (handle) => handle.truncate(length))
  }

  async add(name: string, place: number, ids: Uint32Array, bytes: number): Promise<void> {
    const record = new Uint32Array(HEAD + ids.length)
    record.set([place, ids.length, bytes])
    record.set(ids, HEAD)
    const own = this.#waiting.get(name) ?? []
    own.push(record)
    this.#waiting.set(name, own)
    const held = (this.#held.get(name) ?? 0) + record.length
    this.#held.set(name, held)
    if (held > this.#room) await this.#flush(name)
  }

  /** Everything on disk; how long each spool is then. */
  async settle(): Promise<Readonly<Record<string, number>>> {
    for (const name of this.#waiting.keys()) await this.#flush(name)
    for (const name of this.#lengths.keys()) await this.#with(name, (handle) => handle.sync())
    return Object.fromEntries(this.#lengths)
  }

  async #flush(name: string): Promise<void> {
    const records = this.#waiting.get(name) ?? []
    this.#waiting.delete(name)
    this.#held.delete(name)
    const words = new Uint32Array(records.reduce((n, { length }) => n + length, 0))
    let at = 0
    for (const record of records) {
      words.set(record, at)
      at += record.length
    }
    await this.#with(name, (handle) => writeFully(handle, new Uint8Array(words.buffer)))
    this.#lengths.set(name, this.#lengths.get(name)! + words.byteLength)
  }

  async #with(
    name: string,
    use: (handle: Awaited<ReturnType<typeof open>>) => Promise<unknown>,
  ): Promise<void> {
    const path = pathOf(this.#folder, name)
    try {
      const handle = await open(path, "a")
      try {
        await use(handle)
      } finally {
        await handle.close()
      }
    } catch (error) {
      throw fromSystemError(error, path, "writing tokens")
    }
  }
}

const wordsOf = async (path: string): Promise<Uint32Array<ArrayBuffer>> => {
  try {
    const handle = await open(path, "r")
    try {
      const count = (await handle.stat()).size / 4
      if (count > MOST)
        throw new DataError(
          "refused",
          path,
          `one shard would hold about ${count} tokens; raise data.corpus.trainShards in the spec.`,
        )
      const words = new Uint32Array(count)
      const bytes = new Uint8Array(words.buffer)
      for (let done = 0; done < bytes.length;) {
        const { bytesRead } = await handle.read(bytes, done, Math.min(READ, bytes.length - done), done)
        if (bytesRead === 0) throw new DataError("truncated", path, "it became shorter while it was read.")
        done += bytesRead
      }
      return words
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw fromSystemError(error, path, "reading tokens")
  }
}

export interface Gathered {
  /** The boundary, then each document, in the order of their places. */
  readonly tokens: Tokens
  readonly documents: number
  readonly bytes: number
}

/** A spool as its shard; memory holds both. */
export const gather = async (
  folder: string,
  name: string,
  { boundaryId, width }: { readonly boundaryId: number; readonly width: TokenBytes },
): Promise<Gathered> => {
  const words = await wordsOf(pathOf(folder, name))
  const starts: number[] = []
  let [ids, bytes] = [0, 0]
  for (let at = 0; at < words.length; at += HEAD + words[at + 1]!) {
    starts.push(at)
    ids += words[at + 1]!
    bytes += words[at + 2]!
  }
  starts.sort((a, b) => words[a]! - words[b]!)
  const tokens = tokenArray(width, ids + 1)
  tokens[0] = boundaryId
  let used = 1
  for (const start of starts) {
    const own = words.subarray(start + HEAD, start + HEAD + words[start + 1]!)
    tokens.set(own, used)
    used += own.length
  }
  return { tokens, documents: starts.length, bytes }
}
