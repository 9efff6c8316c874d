/**
 * Encoding with a SentencePiece BPE model: normalise, split into characters and user-defined pieces, merge the adjacent
 * pair with the best score (leftmost on ties) until none is a piece, take merges into unused pieces back, spell what
 * remains unknown in bytes. A user-defined piece is never part of a merge.
 */
import { DataError } from "../../files/errors.js"
import { normalizerOf, SPACE } from "./normalizer.js"
import type { SentencePieceModel } from "./sentencepiece.js"
import { splitter, Speller } from "./speller.js"

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
  readonly #unused: ReadonlySet<string>
  readonly #speller: Speller
  readonly #split: ReturnType<typeof splitter>
  readonly #normalize: (text: string) => string
  /** No piece crosses the start of a word, so words can be encoded one by one. */
  readonly #wordwise: boolean
  readonly #cache = new Map<string, readonly number[]>()

  /** @throws DataError when it is no BPE model */
  constructor(model: SentencePieceModel, subject = "SentencePiece model") {
    if (model.algorithm !== "bpe")
      throw new DataError(
        "refused",
        subject,
        `text cannot be encoded as BPE with this model (${model.algorithm}); its own algorithm must do it.`,
      )
    const merged = ["normal", "user-defined", "unused"]
    for (const [id, { piece, type }] of model.pieces.entries())
      if (merged.includes(type)) this.#ids.set(piece, id)
    this.#scores = model.pieces.map(({ score }) => score)
    this.#unused = new Set(model.pieces.flatMap(({ piece, type }) => (type === "unused" ? [piece] : [])))
    this.#speller = new Speller(model)
    this.#split = splitter(model)
    this.#normalize = normalizerOf(model)
    this.#wordwise = model.pieces.every(
      ({ piece, type }) => !merged.includes(type) || !piece.includes(SPACE, 1),
    )
  }

  /** Token ids of a text; no boundary tokens are added. */
  encode(text: string): number[] {
    const normal = this.#normalize(text)
    const ids: number[] = []
    for (let start = 0; start < normal.length;) {
      const next = this.#wordwise ? normal.indexOf(SPACE, start + 1) : -1
      const end = next < 0 ? normal.length : next
      const word = normal.slice(start, end)
      for (const id of this.#wordwise ? this.#remember(word) : this.#merge(word)) this.#speller.push(ids, id)
      start = end
    }
    return ids
  }

  #remember(word: string): readonly number[] {
    let found = this.#cache.get(word)
    if (found === undefined) {
      found = this.#merge(word)
      if (this.#cache.size >= CACHE_SIZE) this.#cache.clear()
      this.#cache.set(word, found)
    }
    return found
  }

  #merge(text: string): number[] {
    const { symbols, frozen } = this.#split(text)
    const count = symbols.length
    const next = Int32Array.from(symbols, (_, i) => i + 1)
    const previous = Int32Array.from(symbols, (_, i) => i - 1)
    const agenda = new Agenda()
    const parts = new Map<string, readonly [string, string]>()
    const propose = (left: number): void => {
      const right = left < 0 ? count : next[left]!
      if (right >= count || frozen?.has(left) === true || frozen?.has(right) === true) return
      const piece = symbols[left]! + symbols[right]!
      const id = this.#ids.get(piece)
      if (id === undefined) return
      agenda.push(left, this.#scores[id]!, piece)
      if (this.#unused.has(piece)) parts.set(piece, [symbols[left]!, symbols[right]!])
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
    const emit = (symbol: string): void => {
      const halves = this.#unused.has(symbol) ? parts.get(symbol) : undefined
      if (halves === undefined) this.#speller.spell(symbol, this.#ids.get(symbol), ids)
      else halves.forEach(emit)
    }
    for (let at = 0; at < count; at = next[at]!) emit(symbols[at]!)
    return ids
  }
}
