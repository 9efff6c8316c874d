import { execFileSync, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { test } from "tap"
import { EMBEDDED_TOKENIZER, EMBEDDED_TOKENIZER_DIGEST } from "../../../src/data/assets.js"
import { BpeEncoder } from "../../../src/data/tokenizers/bpe.js"
import { parseSentencePiece, readSentencePiece } from "../../../src/data/tokenizers/sentencepiece.js"
import { WireWriter } from "../../../src/files/wire.js"
import { sampleTexts } from "../texts.js"

/** Answers of python3-sentencepiece 0.1.97, made by scripts/sentencepiece-golden.py. */
interface Reference {
  special: { version: string; unk: number; bos: number; eos: number; pad: number; size: number }
  pieces: [piece: string, type: string, score: number][]
  encodings: [text: string, ids: number[]][]
}
const parseReference = (text: string): Reference => {
  const [special, ...rows] = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown)
  const { size } = special as Reference["special"]
  return {
    special: special as Reference["special"],
    pieces: rows.slice(0, size) as Reference["pieces"],
    encodings: rows.slice(size) as Reference["encodings"],
  }
}
const golden = parseReference(readFileSync(new URL("sp1024.golden.ndjson", import.meta.url), "utf8"))
const script = fileURLToPath(new URL("../../../scripts/sentencepiece-golden.py", import.meta.url))
const python = "/usr/bin/python3"
const hasReference = spawnSync(python, ["-c", "import sentencepiece"]).status === 0
const model = await readSentencePiece(EMBEDDED_TOKENIZER)

test("the embedded model is the published kind", async (t) => {
  t.equal(model.digest, EMBEDDED_TOKENIZER_DIGEST)
  t.equal(model.algorithm, "bpe")
  t.same(model.ids, { pad: 0, bos: 1, eos: 2, unknown: 3 })
  t.equal(model.pieces.length, 1024)
  t.equal(model.byteFallback, true)
  t.equal(model.splitDigits, true)
  t.equal(model.characterCoverage, Math.fround(0.999))
  const { name, addDummyPrefix, removeExtraWhitespaces, escapeWhitespaces } = model.normalizer
  t.same(
    { name, addDummyPrefix, removeExtraWhitespaces, escapeWhitespaces },
    { name: "nmt_nfkc", addDummyPrefix: false, removeExtraWhitespaces: true, escapeWhitespaces: true },
  )
  // Without this piece a lone space would be spelled in three byte tokens (parameter-golf issue #897).
  t.same(
    model.pieces.filter(({ piece }) => piece === "\u2581").map(({ type }) => type),
    ["normal"],
  )
})

test("every piece, type and score equals the reference's", async (t) => {
  const { unk, bos, eos, pad } = golden.special
  t.same(model.ids, { unknown: unk, bos, eos, pad })
  t.same(
    model.pieces.map(({ piece, type, score }) => [piece, type, score]),
    golden.pieces,
  )
})

test("text is encoded as the reference encodes it", async (t) => {
  const encoder = new BpeEncoder(model)
  t.equal(golden.encodings.length, 300)
  for (const [text, ids] of golden.encodings) t.same(encoder.encode(text), ids, JSON.stringify(text))
})

test(
  "live: 4000 more texts against python3-sentencepiece",
  { skip: hasReference ? false : "python3-sentencepiece is not installed" },
  async (t) => {
    const texts = sampleTexts(4000, 12)
    const output = execFileSync(python, [script, EMBEDDED_TOKENIZER], {
      input: JSON.stringify(texts),
      maxBuffer: 1 << 28,
    }).toString()
    const reference = parseReference(output)
    const encoder = new BpeEncoder(model)
    const different = reference.encodings.filter(
      ([text, ids]) => encoder.encode(text).join(" ") !== ids.join(" "),
    )
    t.equal(reference.encodings.length, 4000)
    t.same(different, [])
    t.same(
      model.pieces.map(({ piece, type, score }) => [piece, type, score]),
      reference.pieces,
    )
  },
)

test("2000 texts against @sctg/sentencepiece-js, SentencePiece compiled to WebAssembly", async (t) => {
  const { SentencePieceProcessor } = await import("@sctg/sentencepiece-js")
  const processor = new SentencePieceProcessor()
  await processor.load(EMBEDDED_TOKENIZER)
  const encoder = new BpeEncoder(model)
  // The package passes text as a C string, which ends at the first NUL.
  const texts = sampleTexts(2000, 11).filter((text) => !text.includes("\0"))
  t.ok(texts.length > 1500)
  t.same(
    texts.filter((text) => encoder.encode(text).join(" ") !== [...processor.encodeIds(text)].join(" ")),
    [],
  )
})

const bpe = (w: WireWriter) => w.varint(3, 2)

/** A tiny model: pieces as [piece, type number, score]; trainer and normalizer fields written by the caller. */
const tiny = (
  pieces: [string, number, number][],
  trainer: (w: WireWriter) => void = bpe,
  normalizer: (w: WireWriter) => void = (w) => w.varint(3, 0),
) => {
  const writer = new WireWriter()
  for (const [piece, type, score] of pieces) {
    writer.message(1, (w) => w.string(1, piece).float(2, score).varint(3, type))
  }
  return parseSentencePiece(writer.message(2, trainer).message(3, normalizer).finish(), "tiny.model")
}

test("merging follows score, then place; unknown characters merge into one token", async (t) => {
  // Derived by hand: in "aaa" both pairs have the same score, so the left one merges; "bc" outranks "ab".
  const letters = tiny([
    ["<unk>", 2, 0],
    ["a", 1, -3],
    ["b", 1, -3],
    ["c", 1, -3],
    ["aa", 1, -1],
    ["ab", 1, -2],
    ["bc", 1, -1],
    ["\u2581", 1, -4],
  ])
  const encoder = new BpeEncoder(letters)
  t.same(encoder.encode("aaa"), [4, 1])
  t.same(encoder.encode("abc"), [1, 6])
  t.same(encoder.encode("xyz a xx"), [0, 7, 1, 7, 0])
  t.same(encoder.encode(""), [])
  t.same(encoder.encode("  a   a "), [1, 7, 1], "extra spaces go")
})

test("white space follows the model's flags", async (t) => {
  const pieces: [string, number, number][] = [
    ["<unk>", 2, 0],
    ["a", 1, -1],
    ["\u2581", 1, -1],
    ["\u2581\u2581", 1, -1],
    ["\u2581a", 1, 0],
  ]
  const prefix = new BpeEncoder(tiny(pieces, bpe, (w) => w.varint(3, 1)))
  t.same(prefix.encode("a a"), [4, 4], "dummy prefix")
  const keep = new BpeEncoder(tiny(pieces, bpe, (w) => w.varint(3, 0).varint(4, 0)))
  t.same(keep.encode("a  a "), [1, 2, 4, 2], "spaces kept; the better score wins over the longer run")
  t.same(keep.encode("a   "), [1, 3, 2], "a piece of two spaces crosses words")
})

test("files that are not models, and models that cannot encode, are refused with a sentence", async (t) => {
  t.throws(
    () => parseSentencePiece(Buffer.from("<pad>\t0\n<s>\t0\n"), "x.vocab"),
    /x\.vocab: it is not a Sentence/,
  )
  t.throws(() => parseSentencePiece(new Uint8Array(), "x.model"), /no pieces/)
  t.throws(() => tiny([["a", 9, 0]]), /piece type 9 is unknown/)
  await t.rejects(readSentencePiece("/nonexistent/x.model"), /x\.model: there is no such file/)
  t.throws(() => new BpeEncoder(tiny([["a", 1, 0]], (w) => w.varint(3, 1))), /cannot be encoded.*unigram/)
})
