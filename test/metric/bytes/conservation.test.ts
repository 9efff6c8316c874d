import { fc, fuzz } from "../../fuzz.js"
import { test } from "tap"
import {
  buildByteTable,
  countBytes,
  type ByteTable,
  type TablePiece,
} from "../../../src/metric/bytes/byte-table.js"
import { conservation, detokenise, type Conservation } from "../../../src/metric/bytes/conservation.js"

const SPACE = "\u2581"
const byte = (value: number): TablePiece => ({
  piece: `<0x${value.toString(16).toUpperCase().padStart(2, "0")}>`,
  type: "byte",
})
const normal = (piece: string): TablePiece => ({ piece, type: "normal" })
const control = (piece: string): TablePiece => ({ piece, type: "control" })

/** Ids: 0 <s>, 1 the, 2 " the", 3 " ", 4..6 bytes E2 96 81, 7 byte 41 (A), 8 "a b" inside one piece, 9 <unk>. */
const PIECES: readonly TablePiece[] = [
  control("<s>"),
  normal("the"),
  normal(`${SPACE}the`),
  normal(SPACE),
  byte(0xe2),
  byte(0x96),
  byte(0x81),
  byte(0x41),
  normal(`a${SPACE}b`),
  { piece: "<unk>", type: "unknown" },
]
const TABLE = buildByteTable(PIECES)

const termsOf = (report: Conservation): Record<string, readonly [number, number]> =>
  Object.fromEntries(report.terms.map(({ name, count, bytes }) => [name, [count, bytes]]))

void test("a clean stream is conserved", (t) => {
  // "the the A" with a document start: 3 + 4 + 1 + 1 bytes.
  const tokens = Uint16Array.of(0, 1, 2, 3, 7)
  const report = conservation({ pieces: PIECES, table: TABLE, tokens })
  t.equal(new TextDecoder().decode(detokenise(PIECES, tokens)), "the the A")
  t.match(report, { tableBytes: 9, textBytes: 9, decodedBytes: 9, surplus: 0, inflation: 1, terms: [] })
  t.strictSame(report.largest, [])
  t.end()
})

void test("a vocabulary without a lone U+2581: three bytes for one", (t) => {
  // parameter-golf issue #897. "the A the": 3 + 1 + 1 + 4 = 9 bytes, of which the first space is spelled in bytes.
  const tokens = Uint16Array.of(0, 1, 4, 5, 6, 7, 2)
  const report = conservation({ pieces: PIECES, table: TABLE, tokens })
  t.equal(new TextDecoder().decode(detokenise(PIECES, tokens)), "the A the")
  t.match(report, { tableBytes: 11, textBytes: 9, surplus: 2 })
  t.strictSame(termsOf(report), { "space-spelled-in-bytes": [1, 2] })
  t.match(
    report.byType.find((row) => row.type === "byte"),
    { tokens: 4, tableBytes: 4, textBytes: 2, surplus: 2 },
  )
  t.match(
    report.byType.find((row) => row.type === "normal"),
    { surplus: 0 },
  )
  // Two bytes of the three alone are no space, nor is a triple cut by the slice's end.
  t.equal(conservation({ pieces: PIECES, table: TABLE, tokens: Uint16Array.of(1, 4, 5, 1) }).surplus, 0)
  t.equal(conservation({ pieces: PIECES, table: TABLE, tokens: Uint16Array.of(4, 5, 6, 4, 5, 6) }).surplus, 4)
  t.end()
})

void test("27 byte tokens counted three bytes each", (t) => {
  // parameter-golf PR #1271 and its relatives: the row of a byte token held the three bytes of U+FFFD.
  const pieces = [control("<s>"), normal("word"), ...Array.from({ length: 27 }, (_, i) => byte(0x80 + i))]
  const table = buildByteTable(pieces)
  const wrong: ByteTable = { ...table, base: table.base.map((bytes, id) => (id >= 2 ? 3 : bytes)) }
  const tokens = Uint16Array.from([0, ...Array.from({ length: 27 }, (_, i) => i + 2), 1, 1])
  t.equal(conservation({ pieces, table, tokens }).surplus, 0)
  const report = conservation({ pieces, table: wrong, tokens })
  // 27 + 8 bytes of text; 27 * 2 too many.
  t.match(report, { textBytes: 35, tableBytes: 89, surplus: 54 })
  t.strictSame(termsOf(report), { "byte-token-over-one": [27, 54] })
  t.strictSame(
    report.byType.map((row) => [row.type, row.surplus]),
    [
      ["control", 0],
      ["normal", 0],
      ["byte", 54],
    ],
  )
  t.equal(report.largest.length, 10)
  t.match(report.largest[0], { id: 2, type: "byte", count: 1, surplus: 2 })
  t.end()
})

void test("the leading space counted twice, boundaries with bytes, other rows", (t) => {
  const tokens = Uint16Array.of(0, 1, 2, 2, 0, 2)
  const twice = { ...TABLE, base: TABLE.base.map((bytes, id) => bytes + (TABLE.lead[id] ?? 0)) }
  // Three " the": one too many each; the last follows a boundary, where the true space is not counted.
  t.strictSame(termsOf(conservation({ pieces: PIECES, table: twice, tokens })), {
    "leading-space-twice": [3, 3],
    "leading-space-after-boundary": [1, -1],
  })
  // "<s>" counted as three characters.
  const marked = { ...TABLE, base: TABLE.base.map((bytes, id) => (id === 0 ? 3 : bytes)) }
  t.strictSame(termsOf(conservation({ pieces: PIECES, table: marked, tokens })), {
    "boundary-with-bytes": [2, 6],
    "leading-space-after-boundary": [1, -1],
  })
  // A constant of 4 bytes per token.
  const constant = {
    base: TABLE.base.map(() => 4),
    lead: new Uint8Array(PIECES.length),
    boundary: new Uint8Array(PIECES.length),
  }
  const report = conservation({ pieces: PIECES, table: constant, tokens })
  t.match(report, { tableBytes: 24, decodedBytes: 15, surplus: 9 })
  t.end()
})

void test("U+2581 inside a piece, unknown tokens and a text of one's own", (t) => {
  const tokens = Uint16Array.of(1, 8, 9, 8)
  // the + a b + ? + a b: the tokens decode to 9 bytes; the source had a two-byte letter for the unknown token.
  const report = conservation({ pieces: PIECES, table: TABLE, tokens, textBytes: 11 })
  t.match(report, { tableBytes: 13, decodedBytes: 9, textBytes: 11, surplus: 2 })
  t.strictSame(termsOf(report), { "space-inside-a-piece": [2, 4], "text-not-in-tokens": [1, -2] })
  t.end()
})

void test("bytes on two sides of a boundary spell nothing together", (t) => {
  const tokens = Uint16Array.of(4, 0, 5, 6)
  t.same([...detokenise(PIECES, tokens)], [0xe2, 0x96, 0x81])
  t.match(conservation({ pieces: PIECES, table: TABLE, tokens }), {
    tableBytes: 3,
    decodedBytes: 3,
    surplus: 0,
  })
  t.end()
})

void test("table = text + terms, exactly, for any table and any tokens", (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(PIECES.length - 1), { maxLength: 40 }),
      fc.array(fc.record({ base: fc.nat(5), lead: fc.boolean(), boundary: fc.boolean() }), {
        minLength: PIECES.length,
        maxLength: PIECES.length,
      }),
      fc.integer({ min: -1, max: PIECES.length - 1 }),
      (ids, rows, previous) => {
        const table = {
          base: Uint16Array.from(rows, (r) => r.base),
          lead: Uint8Array.from(rows, (r) => Number(r.lead)),
          boundary: Uint8Array.from(rows, (r) => Number(r.boundary)),
        }
        const tokens = Uint16Array.from(ids)
        const report = conservation({ pieces: PIECES, table, tokens, previous })
        const terms = report.terms.reduce((sum, term) => sum + term.bytes, 0)
        return (
          report.tableBytes === countBytes(table, tokens, { previous }) &&
          report.decodedBytes === detokenise(PIECES, tokens).length &&
          report.tableBytes === report.textBytes + terms &&
          report.byType.reduce((sum, row) => sum + row.surplus, 0) === report.surplus
        )
      },
    ),
    fuzz(500),
  )
  t.throws(
    () => conservation({ pieces: PIECES, table: TABLE, tokens: Uint16Array.of(1, 77) }),
    /token 77 at position 1 is outside/,
  )
  t.throws(() => detokenise(PIECES, [1, 77]), /token 77 at position 1/)
  t.end()
})
