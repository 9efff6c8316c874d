/** Token ids of a stream, as narrow as their vocabulary allows. */
import type { Tokens } from "../../metric/tokens.js"

export type { Tokens } from "../../metric/tokens.js"

/** Ids that two bytes hold. */
export const NARROW_IDS = 2 ** 16

export type TokenBytes = 2 | 4

/** Bytes of an id in shards of a vocabulary. */
export const tokenBytes = (vocabSize: number): TokenBytes => (vocabSize > NARROW_IDS ? 4 : 2)

/** Room for `count` ids of so many bytes. */
export const tokenArray = (bytes: TokenBytes, count: number): Tokens =>
  bytes === 2 ? new Uint16Array(count) : new Uint32Array(count)
