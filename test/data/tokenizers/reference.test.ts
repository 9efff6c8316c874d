/**
 * Every kind of SentencePiece model against the reference's own encoder: models trained by `spm_train` on the spot,
 * ids from `spm_encode`, equality without tolerance.
 */
import { test } from "tap"
import { encoderOf } from "../../../src/data/tokenizers/encoder.js"
import { readModel } from "../../../src/data/tokenizers/read.js"
import { sampleTexts } from "../texts.js"
import { referenceIds, trainModel } from "./spm.js"

// The tools read lines; what a line cannot hold is left out.
const lines = (count: number, seed: number): string[] =>
  sampleTexts(count, seed).map((text) => text.replaceAll(/[\r\n\0\u0085\u2028\u2029]|\p{Surrogate}/gu, ""))

const WORDS =
  "the of and to in we hold these truths self-evident that all men are created equal Union's liberty l’État naïve café 1776 123 456 holding holder truth trust straight street".split(
    " ",
  )
/** Words in an order that a small generator draws, so that every model has something to merge. */
const TRAINING = Array.from({ length: 400 }, (_, i) =>
  Array.from(
    { length: 12 },
    (__, k) => WORDS[(((i * 12 + k) * 2_654_435_761) % 4_294_967_296) % WORDS.length],
  ).join(" "),
)
const TEXTS = ["", " ", "a", "We hold these truths", "  two  spaces  ", ...lines(400, 11)]

const MODELS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  unigram: { model_type: "unigram", vocab_size: "150" },
  "unigram with byte fallback": { model_type: "unigram", vocab_size: "400", byte_fallback: "true" },
  "unigram, user-defined pieces": {
    model_type: "unigram",
    vocab_size: "150",
    user_defined_symbols: "hold,<x>,Union's,tr",
  },
  "unigram, white space as suffix": {
    model_type: "unigram",
    vocab_size: "150",
    treat_whitespace_as_suffix: "true",
  },
  "unigram, identity, spaces kept": {
    model_type: "unigram",
    vocab_size: "150",
    normalization_rule_name: "identity",
    remove_extra_whitespaces: "false",
    add_dummy_prefix: "false",
  },
  bpe: { model_type: "bpe", vocab_size: "150" },
  "bpe with byte fallback": { model_type: "bpe", vocab_size: "400", byte_fallback: "true" },
  "bpe, user-defined pieces": {
    model_type: "bpe",
    vocab_size: "150",
    user_defined_symbols: "hold,<x>,Union's,tr,e s",
  },
  "bpe, white space as suffix": { model_type: "bpe", vocab_size: "150", treat_whitespace_as_suffix: "true" },
  "bpe across words": { model_type: "bpe", vocab_size: "150", split_by_whitespace: "false" },
  char: { model_type: "char", vocab_size: "150" },
  word: { model_type: "word", vocab_size: "150" },
}

for (const [name, options] of Object.entries(MODELS))
  test(`${name}: ids are those of the reference`, async (t) => {
    const path = trainModel(TRAINING, { hard_vocab_limit: "false", ...options })
    const encoder = encoderOf(await readModel(path))
    const reference = referenceIds(path, TEXTS)
    for (const [i, text] of TEXTS.entries())
      t.same(Array.from(encoder.encode(text)), reference[i], JSON.stringify(text))
  })
