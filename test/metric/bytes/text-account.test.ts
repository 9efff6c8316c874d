/**
 * Bytes of text behind tokens. `text-bytes.golden` holds texts, their UTF-8 length, and their pieces as
 * python3-sentencepiece 0.1.97 gives them for one small model of every kind (scripts/text-bytes-golden.py).
 */
import { readFile } from "node:fs/promises"
import { fc, fuzz } from "../../fuzz.js"
import { test } from "tap"
import type { TablePiece } from "../../../src/metric/bytes/byte-table.js"
import { accountNotes, accountText, type TextAccount } from "../../../src/metric/bytes/text-account.js"
import {
  buildTextTable,
  countTextBytes,
  decodeText,
  type TextRules,
  type TokenRun,
} from "../../../src/metric/bytes/text-bytes.js"

interface Golden {
  readonly model: string
  readonly addDummyPrefix: boolean
  readonly removeExtraWhitespaces: boolean
  readonly replaces: boolean
  readonly whitespaceAsSuffix: boolean
  readonly pieces: readonly (readonly [string, TablePiece["type"]])[]
  /** Ids from 1; 0 is the boundary. */
  readonly documents: readonly (readonly number[])[]
  readonly sourceBytes: number
  readonly decodedBytes: number
  readonly unknown: number
  readonly unknownBytes: number
}

const golden = JSON.parse(
  await readFile(new URL("text-bytes.golden", import.meta.url), "utf8"),
) as readonly Golden[]

const IDENTITY: TextRules = {
  stated: true,
  name: "identity",
  replaces: false,
  denormalizes: false,
  addDummyPrefix: true,
  removeExtraWhitespaces: false,
  escapeWhitespaces: true,
  whitespaceAsSuffix: false,
}

const whole = (tokens: readonly number[]): TokenRun => ({
  tokens: Uint16Array.from(tokens),
  previous: -1,
  following: -1,
})

const piecesOf = ({ pieces }: Golden): readonly TablePiece[] => [
  { piece: "<s>", type: "control" },
  ...pieces.map(([piece, type]) => ({ piece, type })),
]
const rulesOf = ({ addDummyPrefix, removeExtraWhitespaces, replaces, whitespaceAsSuffix }: Golden) => ({
  ...IDENTITY,
  addDummyPrefix,
  removeExtraWhitespaces,
  replaces,
  whitespaceAsSuffix,
  name: replaces ? "nmt_nfkc" : "identity",
})
const streamOf = ({ documents }: Golden): readonly number[] => documents.flatMap((each) => [0, ...each])
const kinds = ({ findings }: TextAccount): readonly string[] => findings.map(({ kind }) => kind)

for (const each of golden) {
  void test(`${each.model}: the bytes are those of the text`, (t) => {
    const account = accountText({
      pieces: piecesOf(each),
      rules: rulesOf(each),
      runs: [whole(streamOf(each))],
    })
    const normalises = each.removeExtraWhitespaces
    const sentinels = each.model === "sentinel"
    // Where nothing is normalised, the source's own length less that of the unknown characters; otherwise what
    // python3-sentencepiece decodes the very ids to.
    t.equal(account.bytes, normalises ? each.decodedBytes : each.sourceBytes - each.unknownBytes)
    t.equal(
      account.standing,
      each.unknown > 0 || sentinels ? "none" : normalises ? "normalised text" : "exact",
    )
    t.equal(account.findings.find(({ kind }) => kind === "unknown-tokens")?.count ?? 0, each.unknown)
    t.equal(kinds(account).includes("private-use-pieces"), sentinels)
    t.equal(kinds(account).includes("normalisation"), normalises)
    t.equal(kinds(account).includes("whitespace-suffix"), each.whitespaceAsSuffix)
    t.equal(kinds(account).includes("inner-spaces"), ["runs", "runs-nodummy", "inner"].includes(each.model))
    if (account.bytes !== account.publishedBytes && account.standing !== "none")
      t.match(accountNotes(account).at(-1), /published byte-table rule, .* counts \d+ bytes/)
    t.end()
  })
}

void test("a slice counts what the whole counts, wherever it is cut", (t) => {
  for (const each of golden) {
    const [pieces, rules, stream] = [piecesOf(each), rulesOf(each), streamOf(each)]
    const table = buildTextTable(pieces, rules)
    const all = countTextBytes(table, whole(stream))
    for (let cut = 0; cut <= stream.length; cut++) {
      const parts: readonly TokenRun[] = [
        { tokens: stream.slice(0, cut), previous: -1, following: stream[cut] ?? -1 },
        { tokens: stream.slice(cut), previous: stream[cut - 1] ?? -1, following: -1 },
      ]
      const sum = parts.reduce((n, run) => n + countTextBytes(table, run), 0)
      if (sum !== all) t.fail(`${each.model} cut at ${cut}: ${sum} of ${all}`)
    }
  }
  t.end()
})

void test("the table and the independent decoding agree, for any tokens and any rules", (t) => {
  const pieces: readonly TablePiece[] = [
    { piece: "<s>", type: "control" },
    { piece: "\u2581", type: "normal" },
    { piece: "\u2581the", type: "normal" },
    { piece: "the\u2581", type: "normal" },
    { piece: "\u2581\u2581\u2581\u2581", type: "normal" },
    { piece: "a\u2581b", type: "normal" },
    { piece: "<unk>", type: "unknown" },
    { piece: "<0x41>", type: "byte" },
    { piece: "    ", type: "user-defined" },
    { piece: " x", type: "normal" },
    { piece: "é", type: "normal" },
    { piece: "unused", type: "unused" },
  ]
  const neighbour = fc.integer({ min: -1, max: pieces.length - 1 })
  fc.assert(
    fc.property(
      fc.array(fc.nat(pieces.length - 1), { maxLength: 30 }),
      neighbour,
      neighbour,
      fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean()),
      (tokens, previous, following, [dummy, extra, escape, suffix]) => {
        const rules: TextRules = {
          ...IDENTITY,
          addDummyPrefix: dummy,
          removeExtraWhitespaces: extra,
          escapeWhitespaces: escape,
          whitespaceAsSuffix: suffix,
        }
        const run = { tokens, previous, following }
        return countTextBytes(buildTextTable(pieces, rules), run) === decodeText(pieces, rules, run).length
      },
    ),
    fuzz(2000),
  )
  t.end()
})

const byte = (value: number): TablePiece => ({
  piece: `<0x${value.toString(16).toUpperCase().padStart(2, "0")}>`,
  type: "byte",
})

void test("byte pieces that form no UTF-8 are counted; a character cut by the slice is none of them", (t) => {
  const pieces = [
    { piece: "<s>", type: "control" } as const,
    ...[0xe2, 0x98, 0x83, 0xff, 0xed, 0xa0, 0x80, 0xc0].map(byte),
  ]
  const account = (tokens: readonly number[], previous = -1, following = -1): TextAccount =>
    accountText({ pieces, rules: IDENTITY, runs: [{ tokens, previous, following }] })
  const broken = (...given: Parameters<typeof account>): number =>
    account(...given).findings.find(({ kind }) => kind === "bytes-not-utf8")?.count ?? 0
  t.equal(broken([0, 1, 2, 3]), 0, "U+2603")
  t.equal(account([0, 1, 2, 3]).standing, "exact")
  t.equal(broken([0, 1, 2, 0]), 2, "cut by a boundary")
  t.equal(broken([0, 4, 1, 2, 3]), 1, "FF")
  t.equal(broken([0, 5, 6, 7]), 3, "a surrogate")
  t.equal(broken([0, 8, 7]), 2, "an overlong form")
  t.equal(broken([1, 2], 0, 3), 0, "the rest stands behind the slice")
  t.equal(broken([2, 3, 0], 1, -1), 0, "the beginning stands before it")
  t.equal(account([0, 4, 1, 2, 3]).standing, "pieces")
  t.equal(account([0, 4, 1, 2, 3]).bytes, 4)
  t.end()
})

void test("a space spelled in byte tokens is not conserved, and there is no denominator", (t) => {
  const pieces: readonly TablePiece[] = [
    { piece: "<s>", type: "control" },
    { piece: "\u2581the", type: "normal" },
    ...[0xe2, 0x96, 0x81].map(byte),
  ]
  const account = accountText({ pieces, rules: IDENTITY, runs: [whole([0, 1, 2, 3, 4, 1])] })
  t.equal(account.standing, "none")
  // "the" 3, the spelled space 3 for 1, " the" 4.
  t.match(
    accountNotes(account)[0],
    /does not conserve the text: it counts 10 bytes where the decoded tokens have 8/,
  )
  t.end()
})

/** A document of one piece, twice. */
const twice = (piece: string, type: TablePiece["type"] = "user-defined"): TextAccount =>
  accountText({
    pieces: [
      { piece: "<s>", type: "control" },
      { piece, type },
    ],
    rules: IDENTITY,
    runs: [whole([0, 1, 1])],
  })

void test("stand-ins: private use of every plane and controls; ordinary user-defined pieces are text", (t) => {
  for (const piece of ["\uE000", "\uF8FF", "\u{F0000}", "\u{10FFFD}", "\u0001", "a\uE123", "\uFDD0"])
    t.equal(twice(piece).standing, "none", JSON.stringify(piece))
  for (const piece of ["\n", "\t", "    ", "<think>", "é"]) {
    t.equal(twice(piece).standing, "exact", JSON.stringify(piece))
    t.same(kinds(twice(piece)), ["user-defined-pieces"])
  }
  const learnt = twice("\uE000", "normal")
  t.equal(learnt.standing, "exact")
  t.match(learnt.findings, [{ kind: "private-use-characters", count: 2 }])
  t.end()
})

void test("rules: every way to normalise is said; unchanged text stays exact", (t) => {
  const pieces: readonly TablePiece[] = [
    { piece: "<s>", type: "control" },
    { piece: "\u2581a", type: "normal" },
  ]
  const of = (rules: Partial<TextRules>, intact = false): TextAccount =>
    accountText({ pieces, rules: { ...IDENTITY, ...rules }, runs: [whole([0, 1, 1])], intact })
  for (const name of ["nmt_nfkc", "nfkc_cf", "nmt_nfkc_cf", ""]) {
    const account = of({ replaces: true, name })
    t.equal(account.standing, "normalised text", name)
    t.match(accountNotes(account)[0], name === "" ? /rules of its own/ : new RegExp(`\\(${name}\\)`))
  }
  t.match(accountNotes(of({ removeExtraWhitespaces: true })), [
    /removes spaces at the ends and repeated ones/,
  ])
  t.equal(of({ denormalizes: true }).standing, "normalised text")
  const intact = of({ replaces: true, name: "nmt_nfkc" }, true)
  t.equal(intact.standing, "exact")
  t.match(accountNotes(intact), [/exactly as many bytes as its source text/])
  t.match(accountNotes(of({ addDummyPrefix: false })), [/that 1 documents open with/, /counts 3 bytes/])
  const literal = accountText({
    pieces: [
      { piece: "<s>", type: "control" },
      { piece: " a", type: "normal" },
    ],
    rules: { ...IDENTITY, escapeWhitespaces: false },
    runs: [whole([0, 1, 1])],
  })
  // The first space is the tokenizer's own: 1 + 2.
  t.equal(literal.bytes, 3)
  t.match(accountNotes(literal)[0], /escape_whitespaces = false/)
  t.end()
})
