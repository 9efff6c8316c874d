import { readFile } from "node:fs/promises"
import { test } from "tap"
import { EMBEDDED_TOKENIZER } from "../../../src/data/assets.js"
import { decodeTokens } from "../../../src/data/tokenizers/decode.js"
import { readSentencePiece } from "../../../src/data/tokenizers/sentencepiece.js"
import { integersBelow, stream } from "../../../src/diffusion/philox.js"
import { buildByteTable, bytesOf, countBytes, type TablePiece } from "../../../src/metric/bytes/byte-table.js"

/** A toy vocabulary with every type of piece; expectations worked out by hand from the published rule. */
const TOY: readonly (readonly [string, TablePiece["type"], number, boolean, boolean])[] = [
  // piece, type, base bytes, leading space, boundary
  ["<pad>", "control", 0, false, true],
  ["<s>", "control", 0, false, true],
  ["</s>", "control", 0, false, true],
  ["<unk>", "unknown", 0, false, true],
  ["<0xE2>", "byte", 1, false, false],
  ["<0x41>", "byte", 1, false, false],
  ["\u2581", "normal", 0, true, false],
  ["\u2581the", "normal", 3, true, false],
  ["ing", "normal", 3, false, false],
  ["\u2581caf\u00e9", "normal", 5, true, false],
  ["\u2014", "normal", 3, false, false],
  ["t", "normal", 1, false, false],
  ["<unused>", "unused", 0, false, true],
  ["\u2581\u2581", "normal", 3, true, false],
]
const pieces = TOY.map(([piece, type]) => ({ piece, type }))
const STREAM = Uint16Array.of(1, 7, 8, 9, 1, 9, 10, 4, 6, 11, 3, 7, 13)
const PER_TARGET = [3, 3, 6, 0, 5, 3, 1, 1, 1, 0, 3, 4]

void test("the table of a toy vocabulary, row by row", (t) => {
  const table = buildByteTable(pieces, 16)
  TOY.forEach(([piece, , base, lead, boundary], id) => {
    t.equal(table.base[id], base, `${piece}: bytes`)
    t.equal(table.lead[id], lead ? 1 : 0, `${piece}: leading space`)
    t.equal(table.boundary[id], boundary ? 1 : 0, `${piece}: boundary`)
  })
  t.same(
    [table.base[15], table.boundary[15]],
    [0, 1],
    "rows beyond the vocabulary are boundaries of no bytes",
  )
  t.end()
})

void test("a toy stream: 30 bytes, target by target", (t) => {
  const table = buildByteTable(pieces)
  const targets = Array.from(STREAM).slice(1)
  t.same(
    targets.map((token, i) => bytesOf(table, token, STREAM[i]!)),
    PER_TARGET,
  )
  t.equal(countBytes(table, STREAM, { start: 1 }), 30)
  t.equal(countBytes(table, STREAM), 30, "the first token is a boundary of no bytes")
  for (let cut = 1; cut < STREAM.length; cut++) {
    const parts =
      countBytes(table, STREAM, { start: 1, end: cut }) + countBytes(table, STREAM, { start: cut })
    t.equal(parts, 30, `cut at ${cut}: the predecessor is taken across the edge`)
  }
  t.equal(countBytes(table, STREAM.subarray(1), { previous: 1 }), 30)
  t.equal(
    countBytes(table, STREAM.subarray(2, 4), { previous: -1 }),
    9,
    "no predecessor counts as a boundary: ing + cafe with its space",
  )
  t.equal(
    countBytes(table, STREAM.subarray(3, 4), { previous: -1 }),
    5,
    "a leading space after nothing is not counted",
  )
  t.end()
})

void test("every id of the embedded model as python3-sentencepiece answers it", async (t) => {
  // Made by scripts/byte-table-golden.py with python3-sentencepiece 0.1.97.
  const golden = (await readFile(new URL("sp1024.byte-table.golden", import.meta.url), "utf8"))
    .trim()
    .split("\n")
  const table = buildByteTable((await readSentencePiece(EMBEDDED_TOKENIZER)).pieces)
  t.equal(golden.length, 1024)
  t.same(
    golden.map((_, id) => `${table.base[id]} ${table.lead[id]} ${table.boundary[id]}`),
    golden,
  )
})

void test("an id outside the table is refused with its position", (t) => {
  const table = buildByteTable(pieces)
  t.throws(() => countBytes(table, Uint16Array.of(1, 7, 99)), /token 99 at position 2 is outside its 14 rows/)
  t.throws(() => bytesOf(table, 14, 1), /token 14 is outside/)
  t.end()
})

void test("the table's sum equals the UTF-8 length of the decoded text, for any tokens of the real vocabulary", async (t) => {
  const { pieces: real } = await readSentencePiece(EMBEDDED_TOKENIZER)
  const table = buildByteTable(real)
  for (let salt = 0; salt < 50; salt++) {
    const tokens = Uint16Array.from(integersBelow(stream(salt, "sample"), [], real.length, 400))
    t.equal(countBytes(table, tokens), decodeTokens(real, tokens).length, `sample ${salt}`)
  }
})

void test("62 million tokens: the total is the sum of its blocks", (t) => {
  const table = buildByteTable(pieces)
  const block = Uint16Array.from({ length: 1 << 20 }, (_, i) => (i * 7919) % 14)
  const tokens = new Uint16Array(62_021_846)
  for (let at = 0; at < tokens.length; at += block.length)
    tokens.set(block.subarray(0, Math.min(block.length, tokens.length - at)), at)
  const whole = Math.floor(tokens.length / block.length)
  const rest = block.subarray(0, tokens.length - whole * block.length)
  // A block begins with token 0; what follows the seam between two blocks is counted as in the stream.
  const pair = countBytes(table, tokens.subarray(0, 2 * block.length))
  const seam = pair - 2 * countBytes(table, block)
  // derived: the sums over the blocks and over the seams between them, exact in integers
  t.equal(
    countBytes(table, tokens),
    whole * countBytes(table, block) + countBytes(table, rest) + whole * seam,
  )
  t.end()
})
