/**
 * Shard rotation: shards in the order given, in groups; one group trains while the next is read. Two buffers,
 * each as large as the largest group, serve any number of groups.
 */
import { DataError } from "../../files/errors.js"
import {
  checkVocabulary,
  inspectShard,
  readShardInto,
  widthOf,
  type ShardInfo,
  type ShardOptions,
} from "./shards.js"
import { tokenArray, type Tokens } from "./tokens.js"

/** Tokens of one group of shards, one after another. */
export interface TokenGroup {
  /** Valid until another group is asked for: the memory is used again. */
  readonly tokens: Tokens
  readonly index: number
  readonly shards: readonly string[]
}

export interface RotationOptions extends ShardOptions {
  readonly shards: readonly string[]
  readonly shardsInMemory: number
  /** Visit every group; otherwise there is only the first. */
  readonly rotation: boolean
  /** Refuse tokens from this id on. */
  readonly vocabSize?: number
  /** Called with each shard after it was read, before its tokens are used; rejects when it is no longer the same. */
  readonly verify?: (path: string) => Promise<void>
}

const total = (group: readonly ShardInfo[]): number => group.reduce((sum, { tokens }) => sum + tokens, 0)

export class Rotation {
  readonly #groups: readonly (readonly ShardInfo[])[]
  readonly #options: RotationOptions
  readonly #capacity: number
  /** Buffers that hold no group in use; at most two exist. */
  #spare: Tokens[] = []
  #allocated = 0
  #current: { index: number; buffer: Tokens; group: TokenGroup } | undefined
  #ahead: { index: number; buffer: Tokens; group: Promise<TokenGroup> } | undefined

  constructor(groups: readonly (readonly ShardInfo[])[], options: RotationOptions) {
    this.#groups = groups
    this.#options = options
    this.#capacity = Math.max(...groups.map(total))
  }

  /** Number of groups that training visits. */
  get groups(): number {
    return this.#groups.length
  }

  /** Tokens of each group, without reading them. */
  get groupTokens(): readonly number[] {
    return this.#groups.map(total)
  }

  /**
   * A group, in any order; the one after it is then read in the background. Resuming starts with the group it needs.
   * @throws DataError when a shard changed on disk or holds ids outside the vocabulary.
   */
  async group(index: number): Promise<TokenGroup> {
    if (this.#current?.index === index) return this.#current.group
    if (this.#groups[index] === undefined) {
      throw new RangeError(`Rotation: group ${index} of ${this.#groups.length}.`)
    }
    const ahead = this.#ahead
    if (ahead !== undefined && ahead.index !== index) {
      await ahead.group.catch(() => undefined)
      this.#spare.push(ahead.buffer)
      this.#ahead = undefined
    }
    const buffer = ahead?.index === index ? ahead.buffer : this.#take()
    try {
      const group = await (ahead?.index === index ? ahead.group : this.#read(index, buffer))
      if (this.#current !== undefined) this.#spare.push(this.#current.buffer)
      this.#current = { index, buffer, group }
    } catch (error) {
      this.#spare.push(buffer)
      throw error
    } finally {
      if (ahead?.index === index) this.#ahead = undefined
    }
    this.#prefetch(index + 1)
    return this.#current.group
  }

  /** The groups from `start` on, one after another. */
  async *from(start: number): AsyncGenerator<TokenGroup> {
    for (let index = start; index < this.groups; index++) yield await this.group(index)
  }

  [Symbol.asyncIterator](): AsyncGenerator<TokenGroup> {
    return this.from(0)
  }

  /** Wait for a read in the background and drop the buffers. */
  async close(): Promise<void> {
    await this.#ahead?.group.catch(() => undefined)
    this.#ahead = undefined
    this.#current = undefined
    this.#spare = []
    this.#allocated = 0
  }

  #take(): Tokens {
    const buffer = this.#spare.pop()
    if (buffer !== undefined) return buffer
    if (this.#allocated >= 2) throw new Error("Rotation: two groups were asked for at once.")
    this.#allocated++
    return tokenArray(widthOf(this.#groups[0]![0]!), this.#capacity)
  }

  #prefetch(index: number): void {
    if (this.#groups[index] === undefined) return
    const buffer = this.#take()
    const group = this.#read(index, buffer)
    // The error is reported when the group is asked for.
    group.catch(() => undefined)
    this.#ahead = { index, buffer, group }
  }

  async #read(index: number, buffer: Tokens): Promise<TokenGroup> {
    const shards = this.#groups[index]!
    let used = 0
    for (const { path, tokens } of shards) {
      const part = buffer.subarray(used, used + tokens)
      const read = await readShardInto(path, part, this.#options)
      if (read !== tokens) {
        throw new DataError(
          "invalid",
          path,
          `it had ${tokens} tokens when training began and has ${read} now.`,
        )
      }
      await this.#options.verify?.(path)
      if (this.#options.vocabSize !== undefined) checkVocabulary(path, part, this.#options.vocabSize)
      used += read
    }
    return { tokens: buffer.subarray(0, used), index, shards: shards.map(({ path }) => path) }
  }
}

/**
 * Check the headers and sizes of all shards and group them; no tokens are read yet.
 * @throws DataError for the first shard that is missing, damaged or foreign.
 */
export const openRotation = async (options: RotationOptions): Promise<Rotation> => {
  const names = options.shards
  if (names.length === 0) throw new DataError("missing", "training shards", "the corpus has none.")
  const used = options.rotation ? names : names.slice(0, options.shardsInMemory)
  const groups: ShardInfo[][] = []
  for (let start = 0; start < used.length; start += options.shardsInMemory) {
    const group: ShardInfo[] = []
    for (const path of used.slice(start, start + options.shardsInMemory)) {
      group.push(await inspectShard(path, options))
    }
    groups.push(group)
  }
  return new Rotation(groups, options)
}
