/**
 * Encoding with a SentencePiece unigram model: of all ways to spell the normalised text in pieces, the one with the
 * largest sum of log-probabilities (Viterbi), in single precision as the reference adds them. A character that no piece
 * spells costs the smallest log-probability less 10; a user-defined piece always wins.
 */
import { normalizerOf } from "./normalizer.js"
import type { SentencePieceModel } from "./sentencepiece.js"
import { Speller } from "./speller.js"

const UNKNOWN_PENALTY = 10
/** The reference begins its search for the largest score at the smallest positive float. */
const SMALLEST_FLOAT = 1.1754943508222875e-38
const DEFINED_DISCOUNT = 0.1

interface Node {
  readonly next: Map<number, Node>
  /** Id of the piece that ends here. */
  id?: number
}

export class UnigramEncoder {
  readonly #root: Node = { next: new Map() }
  /** What each piece adds to a path. */
  readonly #scores: readonly number[]
  readonly #unknownScore: number
  readonly #speller: Speller
  readonly #normalize: (text: string) => string

  constructor(model: SentencePieceModel) {
    const normal = model.pieces.flatMap(({ type, score }) => (type === "normal" ? [score] : []))
    const lowest = normal.reduce((a, b) => Math.min(a, b), 0)
    const highest = normal.reduce((a, b) => Math.max(a, b), SMALLEST_FLOAT)
    this.#unknownScore = Math.fround(lowest - UNKNOWN_PENALTY)
    this.#scores = model.pieces.map(({ piece, type, score }) =>
      type === "user-defined" ? Buffer.byteLength(piece) * highest - DEFINED_DISCOUNT : score,
    )
    for (const [id, { piece, type }] of model.pieces.entries()) {
      if (type !== "normal" && type !== "user-defined") continue
      let node = this.#root
      for (let i = 0; i < piece.length; i++) {
        const unit = piece.charCodeAt(i)
        let inner = node.next.get(unit)
        if (inner === undefined) node.next.set(unit, (inner = { next: new Map() }))
        node = inner
      }
      node.id = id
    }
    this.#speller = new Speller(model)
    this.#normalize = normalizerOf(model)
  }

  /** Token ids of a text; no boundary tokens are added. */
  encode(text: string): number[] {
    const normal = this.#normalize(text)
    const size = normal.length
    const best = new Float32Array(size + 1)
    const from = new Int32Array(size + 1).fill(-1)
    const piece = new Int32Array(size + 1).fill(-1)
    const offer = (end: number, start: number, score: number, id: number): void => {
      const sum = Math.fround(score + best[start]!)
      if (from[end] !== -1 && sum <= best[end]!) return
      best[end] = sum
      from[end] = start
      piece[end] = id
    }
    for (let start = 0; start < size;) {
      const single = normal.codePointAt(start)! > 0xffff ? 2 : 1
      let spelled = false
      let node: Node | undefined = this.#root
      for (let end = start + 1; end <= size; end++) {
        node = node.next.get(normal.charCodeAt(end - 1))
        if (node === undefined) break
        if (node.id === undefined) continue
        offer(end, start, this.#scores[node.id]!, node.id)
        if (end - start === single) spelled = true
      }
      if (!spelled) offer(start + single, start, this.#unknownScore, -1)
      start += single
    }
    const ends: number[] = []
    for (let end = size; end > 0; end = from[end]!) ends.push(end)
    const ids: number[] = []
    for (const end of ends.reverse()) {
      const id = piece[end]!
      if (id >= 0) ids.push(id)
      else this.#speller.spell(normal.slice(from[end], end), undefined, ids)
    }
    return ids
  }
}
