/** `tokenizer.json` files (byte-level BPE, unigram, word pieces), encoded by `@huggingface/tokenizers`. */
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { Tokenizer as Library } from "@huggingface/tokenizers"
import { DataError, fromSystemError } from "../../files/errors.js"
import { spelledOut } from "./metaspace.js"
import { jsonModel, type JsonVocabulary } from "./json-pieces.js"
import type { SentencePieceModel } from "./sentencepiece.js"
import type { Tokenizer } from "./text-tokenizer.js"
import { asReferenceUnigram } from "./unigram-words.js"

type TokenizerJson = JsonVocabulary

const isTokenizerJson = (value: unknown): value is TokenizerJson => {
  const vocab = (value as TokenizerJson | null)?.model?.vocab
  return typeof vocab === "object" && vocab !== null
}

const special = (content: string, id: number) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
})

/** Algorithms of the library; it would read any other as one of them. */
const ALGORITHMS = ["BPE", "Unigram", "WordPiece"]

/** One more than the largest id of the vocabulary and the added tokens. */
const sizeOf = ({ model: { vocab }, added_tokens: added = [] }: TokenizerJson): number => {
  let size = Array.isArray(vocab) ? vocab.length : 0
  if (!Array.isArray(vocab))
    for (const id of Object.values(vocab as Readonly<Record<string, number>>)) size = Math.max(size, id + 1)
  for (const { id } of added) size = Math.max(size, id + 1)
  return size
}

export interface JsonOptions {
  readonly id: string
  /** Named in errors. */
  readonly subject: string
  /** Special pieces that the file lacks, such as <|mask|> and <|pad|>: they get the ids behind the last, in order. */
  readonly added?: readonly string[]
}

export interface JsonTokenizer extends Tokenizer {
  /** Id of each added piece. */
  readonly added: Readonly<Record<string, number>>
}

/** Whether a file is JSON; a SentencePiece model never begins with a brace. */
export const isTokenizerJsonFile = (bytes: Uint8Array): boolean =>
  /^\uFEFF?\s*[{[]/.test(new TextDecoder().decode(bytes.subarray(0, 64)))

/**
 * A tokenizer.json as a model whose pieces say their bytes.
 * @throws DataError as {@link parseTokenizerJson}
 */
export const jsonModelOf = (bytes: Uint8Array, subject: string): SentencePieceModel => {
  const { encode, digest, size } = parseTokenizerJson(bytes, { id: "json", subject })
  const json = JSON.parse(new TextDecoder().decode(bytes)) as JsonVocabulary
  return { ...jsonModel(json, size), digest, encode, json: bytes }
}

/** @throws DataError when it is no tokenizer.json, or already has an added piece */
export const parseTokenizerJson = (
  bytes: Uint8Array,
  { id, subject, added = [] }: JsonOptions,
): JsonTokenizer => {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  } catch (error) {
    throw new DataError("invalid", subject, "the tokenizer is cut or not JSON; fetch it again.", error)
  }
  if (!isTokenizerJson(json))
    throw new DataError(
      "invalid",
      subject,
      "it is no tokenizer.json: model.vocab is missing; give the file of that name, not tokenizer_config.json or vocab.json.",
    )
  const { added_tokens: own = [], model } = json
  if (model.type !== undefined && !ALGORITHMS.includes(model.type))
    throw new DataError(
      "refused",
      subject,
      `its algorithm ${JSON.stringify(model.type)} has no encoder here, only ${ALGORITHMS.join(", ")}; give another tokenizer, or shards that are already tokenised.`,
    )
  const base = sizeOf(json)
  for (const [i, piece] of added.entries())
    if (
      own.some(({ content }) => content === piece) ||
      added.indexOf(piece) !== i ||
      (!Array.isArray(model.vocab) && Object.hasOwn(model.vocab, piece))
    )
      throw new DataError(
        "invalid",
        subject,
        `the piece ${JSON.stringify(piece)} is there already; leave it out of the added ones.`,
      )
  const extended = {
    ...json,
    ...(json.pre_tokenizer === undefined ? {} : { pre_tokenizer: spelledOut(json.pre_tokenizer) }),
    added_tokens: [...own, ...added.map((piece, i) => special(piece, base + i))],
  }
  let library: Library
  try {
    library = new Library(extended, {})
    if (library.model !== null && (model.type === "Unigram" || Array.isArray(model.vocab)))
      asReferenceUnigram(library.model, model.byte_fallback === true)
  } catch (error) {
    throw new DataError(
      "refused",
      subject,
      `it cannot be used (${error instanceof Error ? error.message : String(error)}); give a tokenizer.json of another model.`,
      error,
    )
  }
  const file = createHash("sha256").update(bytes).digest("hex")
  return {
    id,
    digest:
      added.length === 0
        ? file
        : createHash("sha256")
            .update(JSON.stringify([file, ...added]))
            .digest("hex"),
    size: base + added.length,
    added: Object.fromEntries(added.map((piece, i) => [piece, base + i])),
    encode: (text) => Int32Array.from(library.encode(text, { add_special_tokens: false }).ids),
    decode: (ids) =>
      library.decode(Array.from(ids), { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
  }
}

/** @throws DataError as `parseTokenizerJson`, and when the file is missing */
export const readTokenizerJson = async (
  path: string,
  options: Omit<JsonOptions, "subject">,
): Promise<JsonTokenizer> => {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw fromSystemError(error, path, "reading the tokenizer")
  })
  return parseTokenizerJson(bytes, { ...options, subject: path })
}
