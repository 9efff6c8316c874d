import { createHash } from "node:crypto"
import { test } from "tap"
import { EMBEDDED_TOKENIZER } from "../../../src/data/assets.js"
import { jsonModel } from "../../../src/data/tokenizers/json-pieces.js"
import { parsePieceFile, pieceFile } from "../../../src/data/tokenizers/piece-file.js"
import { readModel } from "../../../src/data/tokenizers/read.js"
import { parseTokenizerJson } from "../../../src/data/tokenizers/tokenizer-json.js"
import { textRulesOf } from "../../../src/data/tokenizers/text-rules.js"
import { accountText } from "../../../src/metric/bytes/text-account.js"
import { buildTextTable, countTextBytes, decodeText } from "../../../src/metric/bytes/text-bytes.js"
import { modelTokenizer } from "../../../src/data/tokenizers/tokenizer.js"

// Byte-level BPE, made by hand: "Ġ" stands for a space. " low" is Ġ l o w, merged by (l,o), (lo,w), (Ġ,low).
const VOCAB = ["l", "o", "w", "e", "r", "Ġ", "lo", "low", "Ġlow", "er", "<|endoftext|>"]
const json = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [
    {
      id: 10,
      content: "<|endoftext|>",
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    },
  ],
  normalizer: null,
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: "",
    end_of_word_suffix: "",
    fuse_unk: false,
    byte_fallback: false,
    vocab: Object.fromEntries(VOCAB.map((piece, id) => [piece, id])),
    merges: ["l o", "lo w", "Ġ low", "e r"],
  },
}
const bytes = Buffer.from(JSON.stringify(json))
const parse = (value: unknown, added: readonly string[] = []) =>
  parseTokenizerJson(Buffer.from(typeof value === "string" ? value : JSON.stringify(value)), {
    id: "tiny",
    subject: "tokenizer.json",
    added,
  })

test("tokenizer.json: ids, text, size and digest", async (t) => {
  const tiny = parse(json)
  t.same([...tiny.encode("lower low")], [7, 9, 8])
  t.equal(tiny.decode([7, 9, 8]), "lower low")
  t.equal(tiny.decode([7, 10, 8]), "low low", "special pieces have no text")
  t.equal(tiny.size, 11)
  t.equal(tiny.digest, createHash("sha256").update(bytes).digest("hex"))
  t.same([...tiny.encode("")], [])
})

test("tokenizer.json: special pieces are added behind the last id, and change the digest", async (t) => {
  const more = parse(json, ["<|mask|>", "<|pad|>"])
  t.same(more.added, { "<|mask|>": 11, "<|pad|>": 12 })
  t.equal(more.size, 13)
  t.same([...more.encode("low<|mask|> low<|pad|>")], [7, 11, 8, 12])
  t.equal(more.decode([7, 11, 8, 12]), "low low")
  t.not(more.digest, parse(json).digest)
  t.not(more.digest, parse(json, ["<|pad|>", "<|mask|>"]).digest)
  t.throws(() => parse(json, ["<|endoftext|>"]), /"<\|endoftext\|>" is there already/)
  t.throws(() => parse(json, ["low"]), /"low" is there already/)
  t.throws(() => parse(json, ["<|x|>", "<|x|>"]), /is there already/)
})

test("tokenizer.json: what is none is refused with the cure", async (t) => {
  t.throws(() => parse('{"model"'), /tokenizer\.json: the tokenizer is cut or not JSON/)
  t.throws(() => parse({ vocab: {} }), /model\.vocab is missing; give the file of that name/)
  t.throws(() => parse({ ...json, model: { ...json.model, type: "Dream" } }), /"Dream" has no encoder here/)
})

test("one interface over model files: SentencePiece and literal pieces", async (t) => {
  const sp = modelTokenizer("sp1024", await readModel(EMBEDDED_TOKENIZER))
  const text = "We choose to go to the Moon."
  t.equal(sp.decode(sp.encode(text)), text)
  t.equal(sp.size, sp.pieces?.length)
  const model = parsePieceFile(Buffer.from(pieceFile(["a", " b", "ab"], ["<s>"])), "pieces.json")
  const own = modelTokenizer("own", model)
  t.same([...own.encode("ab ba")], [2, 1, 0])
  t.equal(own.decode([2, 1, 0, 3]), "ab ba")
  t.equal(own.size, 4)
  t.throws(() => own.encode("x"), /no piece spells "x"/)
  t.throws(() => parsePieceFile(Buffer.from("{"), "pieces.json"), /pieces\.json: the piece file is cut/)
  t.throws(() => parsePieceFile(Buffer.from('{"version":2}'), "pieces.json"), /no piece file of version 1/)
})

test("a tokenizer.json says the bytes of its pieces, parts of characters among them", async (t) => {
  // By GPT-2's table: "é" is C3 A9, spelled Ã ©; "\u2581" is E2 96 81, spelled â ĸ ģ; "Ġ" a space.
  const vocab = ["a", "Ġa", "Ã", "©", "Ã©", "âĸ", "ģ", "ĠÃ", "<|endoftext|>"]
  const { pieces, normalizer } = jsonModel(
    {
      ...json,
      added_tokens: [{ id: 8, content: "<|endoftext|>", special: true }],
      model: { type: "BPE", vocab: Object.fromEntries(vocab.map((piece, id) => [piece, id])) },
    },
    vocab.length,
  )
  t.same(
    pieces.map(({ piece, type }) => [piece, type]),
    [
      ["a", "normal"],
      [" a", "normal"],
      ["<0xC3>", "byte"],
      ["<0xA9>", "byte"],
      ["é", "normal"],
      ["<0xE2><0x96>", "byte"],
      ["<0x81>", "byte"],
      ["<0x20><0xC3>", "byte"],
      ["<|endoftext|>", "control"],
    ],
  )
  const rules = textRulesOf({ normalizer, whitespaceAsSuffix: false })
  // "a é\u2581", a boundary, " a": 1 + 3 + 3 bytes, then 2.
  const run = { tokens: [0, 7, 3, 5, 6, 8, 1], previous: -1, following: -1 }
  t.equal(Buffer.from(decodeText(pieces, rules, run)).toString(), "a é\u2581 a")
  t.equal(countTextBytes(buildTextTable(pieces, rules), run), 9)
  const account = accountText({ pieces, rules, runs: [run] })
  t.same([account.bytes, account.publishedBytes, account.standing], [9, 9, "exact"])
})

test("word pieces do not say their text: there is no byte count", async (t) => {
  const { pieces, normalizer } = jsonModel(
    { model: { type: "WordPiece", vocab: { un: 0, "##able": 1 } }, decoder: { type: "WordPiece" } },
    2,
  )
  const rules = textRulesOf({ normalizer, whitespaceAsSuffix: false })
  const runs = [{ tokens: [0, 1], previous: -1, following: -1 }]
  t.equal(accountText({ pieces, rules, runs }).standing, "none")
})
