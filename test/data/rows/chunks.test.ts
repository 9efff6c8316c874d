import { fc, fuzz } from "../../fuzz.js"
import { test } from "tap"
import {
  buildChunkIndex,
  fillChunk,
  fillWindow,
  randomWindows,
  sequentialWindows,
} from "../../../src/data/rows/chunks.js"

const PAD = 1025
/** A document as shards hold it: boundary, then `content` tokens. */
const document = (content: number, first = 100): number[] => [
  1,
  ...Array.from({ length: content }, (_, i) => first + (i % 900)),
]
const rows = (tokens: readonly number[], length: number): number[][] => {
  const stream = Uint16Array.from(tokens)
  const index = buildChunkIndex(stream, { boundaryId: 1, length })
  return Array.from(index.starts, (_, chunk) => {
    const row = new Int32Array(length)
    fillChunk(stream, index, chunk, row, PAD)
    return [...row]
  })
}

// The expected rows follow by hand from the published rule: positions of token 1; for each consecutive pair (p, q)
// the tokens p+1..q; greedy pieces of at most `length`; PAD on the right.

test("documents end with the next document's boundary; head and tail are dropped", async (t) => {
  t.same(rows([8, 9, 1, 50, 51, 1, 60, 1, 70, 71, 72], 4), [
    [50, 51, 1, PAD],
    [60, 1, PAD, PAD],
  ])
})

test("long documents: pieces without an end, the boundary only in the last", async (t) => {
  t.same(rows([1, 50, 51, 52, 53, 54, 1], 4), [
    [50, 51, 52, 53],
    [54, 1, PAD, PAD],
  ])
  t.same(rows([1, 50, 51, 52, 1], 4), [[50, 51, 52, 1]], "exactly full")
})

test("a document of 2048 m content tokens leaves a piece that holds only the boundary", async (t) => {
  for (const m of [1, 2, 3]) {
    const stream = Uint16Array.from([...document(2048 * m), 1])
    const index = buildChunkIndex(stream, { boundaryId: 1, length: 2048 })
    t.same([...index.lengths], [...Array<number>(m).fill(2048), 1])
    t.equal(stream[index.starts[m]!], 1)
    const row = new Int32Array(2048)
    t.equal(fillChunk(stream, index, m, row, PAD), 1)
    t.same([row[0], row[1], row[2047]], [1, PAD, PAD])
    fillChunk(stream, index, 0, row, PAD)
    t.notOk(row.includes(1), "a full piece has no end")
  }
})

test("adjacent boundaries are empty documents", async (t) => {
  t.same(rows([1, 1, 1, 50, 1], 2), [
    [1, PAD],
    [1, PAD],
    [50, 1],
  ])
})

test("every token between the first and the last boundary is in exactly one chunk", async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 0, max: 9 })), { minLength: 2, maxLength: 60 }),
      fc.integer({ min: 1, max: 7 }),
      (tokens, length) => {
        const first = tokens.indexOf(1)
        const last = tokens.lastIndexOf(1)
        fc.pre(first < last)
        const pieces = rows(tokens, length).map((row) => row.filter((id) => id !== PAD))
        t.same(pieces.flat(), tokens.slice(first + 1, last + 1))
        t.ok(pieces.every((piece) => !piece.slice(0, -1).includes(1)))
      },
    ),
    fuzz(100),
  )
})

test("streams without a whole document are refused", async (t) => {
  const options = { boundaryId: 1, length: 4, subject: "x.bin" }
  t.throws(
    () => buildChunkIndex(Uint16Array.of(5, 1, 6), options),
    /x\.bin: there is no whole document.*3 tokens/,
  )
  t.throws(() => buildChunkIndex(new Uint16Array(), options), /no whole document/)
})

test("chunks beyond the index or rows of another length are refused", async (t) => {
  const stream = Uint16Array.of(1, 5, 1)
  const index = buildChunkIndex(stream, { boundaryId: 1, length: 4 })
  t.throws(() => fillChunk(stream, index, 1, new Int32Array(4), PAD), RangeError)
  t.throws(() => fillChunk(stream, index, 0, new Int32Array(5), PAD), RangeError)
})

test("windows leave one token over", async (t) => {
  // FineWeb SP-1024 validation: 62 021 846 tokens give 62 021 632 usable targets at length 2048 (30 284 windows),
  // 62 013 440 at 16 384 (manifest and training logs of parameter-golf).
  t.equal(sequentialWindows(62_021_846, 2048), 30_284)
  t.equal(sequentialWindows(62_021_846, 2048) * 2048, 62_021_632)
  t.equal(sequentialWindows(62_021_846, 16_384) * 16_384, 62_013_440)
  t.equal(sequentialWindows(8, 4), 1)
  t.equal(sequentialWindows(9, 4), 2)
  t.equal(sequentialWindows(0, 4), 0)
  t.equal(randomWindows(9, 4), 5)
  t.equal(randomWindows(3, 4), 0)
  const stream = Uint16Array.of(1, 2, 3, 4, 5, 6)
  const row = new Int32Array(4)
  fillWindow(stream, 1, row)
  t.same([...row], [2, 3, 4, 5])
  t.throws(() => fillWindow(stream, 3, row), RangeError)
})
