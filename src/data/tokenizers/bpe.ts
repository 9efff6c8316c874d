/**
 * Encoding with a SentencePiece BPE model: normalise, split into characters, merge the adjacent pair with the best
 * score (leftmost on ties) until none is a piece, spell what remains unknown in bytes.
 */
import { DataError } from "../../files/errors.js"
import { makeNormalizer, SPACE } from "./normalizer.js"
import type { SentencePieceModel } from "./sentencepiece.js"

/** Words kept with their ids; English text repeats most of its words. */
const CACHE_SIZE = 200_000

/** Pairs that could merge, best first; an array-backed binary heap. */
class Agenda {
  readonly #left: number[] = []
  readonly #score: number[] = []
  readonly #piece: string[] = []

  #before(a: number, b: number): boolean {
    const difference = this.#score[a]! - this.#score[b]!
    return difference === 0 ? this.#left[a]! < this.#left[b]! : difference > 0
  }

  #swap(a: number, b: number): void {
    for (const column of [this.#left, this.#score]) [column[a], column[b]] = [column[b]!, column[a]!]
    ;[this.#piece[a], this.#piece[b]] = [this.#piece[b]!, this.#piece[a]!]
  }

  push(left: number, score: number, piece: string): void {
    let at = this.#left.push(left) - 1
    this.#score.push(score)
    this.#piece.push(piece)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(at, parent)) break
      this.#swap(at, parent)
      at = parent
    }
  }

  pop(): { left: number; piece: string } | undefined {
    const last = this.#left.length - 1
    if (last < 0) return undefined
    this.#swap(0, last)
    const left = this.#left.pop()!
    this.#score.pop()
    const piece = this.#piece.pop()!
    for (let at = 0; ;) {
      let best = at
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < last && this.#before(child, best)) best = child
      if (best === at) return { left, piece }
      this.#swap(at, best)
      at = best
    }
  }
}

/** Encoder of one model; the same text always gives the same ids. */
export class BpeEncoder {
  readonly #ids = new Map<string, number>()
  readonly #scores: readonly number[]
  readonly #bytes: number[] = []
  readonly #unknown: number
  readonly #byteFallback: boolean
  readonly #normalize: (text: string) => string
  /** No piece crosses the start of a word, so words can be encoded one by one. */
  readonly #wordwise: boolean
  readonly #cache = new Map<string, readonly number[]>()

  /** @throws DataError when the model needs what this encoder does not have. */
  constructor(model: SentencePieceModel, subject = "SentencePiece model") {
    const odd = model.pieces.find(({ type }) => type === "user-defined" || type === "unused")
    if (model.algorithm !== "bpe" || model.whitespaceAsSuffix || odd !== undefined) {
      const what =
        odd === undefined ? (model.algorithm === "bpe" ? "white space as suffix" : model.algorithm) : odd.type
      throw new DataError(
        "refused",
        subject,
        `text cannot be encoded with this model (${what}); use a BPE model without user-defined or unused pieces, or shards that are already tokenised.`,
      )
    }
    for (const [id, { piece, type }] of model.pieces.entries()) {
      if (type === "normal") this.#ids.set(piece, id)
      else if (type === "byte") this.#bytes[Number.parseInt(piece.slice(3, 5), 16)] = id
    }
    this.#scores = model.pieces.map(({ score }) => score)
    this.#unknown = model.pieces.findIndex(({ type }) => type === "unknown")
    this.#byteFallback = model.byteFallback
    this.#normalize = makeNormalizer(model.normalizer)
    this.#wordwise = model.pieces.every(({ piece, type }) => type !== "normal" || !piece.includes(SPACE, 1))
  }

  /** Token ids of a text; no boundary tokens are added. */
  encode(text: string): number[] {
    const normal = this.#normalize(text)
    if (!this.#wordwise) return this.#merge(normal)
    const ids: number[] = []
    for (let start = 0; start < normal.length;) {
      const next = normal.indexOf(SPACE, start + 1)
      const end = next < 0 ? normal.length : next
      const word = normal.slice(start, end)
      let found = this.#cache.get(word)
      if (found === undefined) {
        found = this.#merge(word)
        if (this.#cache.size >= CACHE_SIZE) this.#cache.clear()
        this.#cache.set(word, found)
      }
      for (const id of found) this.#push(ids, id)
      start = end
    }
    return ids
  }

  /** A run of unknown characters is one unknown token, as in the reference. */
  #push(ids: number[], id: number): void {
    if (id !== this.#unknown || ids.at(-1) !== id) ids.push(id)
  }

  #merge(text: string): number[] {
    const symbols = Array.from(text)
    const count = symbols.length
    const next = Int32Array.from(symbols, (_, i) => i + 1)
    const previous = Int32Array.from(symbols, (_, i) => i - 1)
    const agenda = new Agenda()
    const propose = (left: number): void => {
      const right = left < 0 ? count : next[left]!
      if (right >= count) return
      const piece = symbols[left]! + symbols[right]!
      const id = this.#ids.get(piece)
      if (id !== undefined) agenda.push(left, this.#scores[id]!, piece)
    }
    for (let left = 0; left < count - 1; left++) propose(left)
    for (let best = agenda.pop(); best !== undefined; best = agenda.pop()) {
      const { left, piece } = best
      const right = next[left]!
      // Stale when either symbol has been merged meanwhile: merged-away symbols are empty.
      if (right >= count || symbols[left] === "" || symbols[left]! + symbols[right]! !== piece) continue
      symbols[left] = piece
      symbols[right] = ""
      const after = next[right]!
      next[left] = after
      if (after < count) previous[after] = left
      propose(previous[left]!)
      propose(left)
    }
    const ids: number[] = []
    for (let at = 0; at < count; at = next[at]!) this.#emit(symbols[at]!, ids)
    return ids
  }

  #emit(symbol: string, ids: number[]): void {
    const id = this.#ids.get(symbol)
    if (id !== undefined) ids.push(id)
    else if (this.#byteFallback) for (const byte of Buffer.from(symbol)) ids.push(this.#bytes[byte]!)
    else this.#push(ids, this.#unknown)
  }
}
