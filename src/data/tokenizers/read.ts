/** Tokenizer files of every form, told apart by their beginning. */
import { readFile } from "node:fs/promises"
import { fromSystemError } from "../../files/errors.js"
import { isTokenizerJsonFile, jsonModelOf } from "./tokenizer-json.js"
import { isPieceFile, parsePieceFile } from "./piece-file.js"
import { parseSentencePiece, type SentencePieceModel } from "./sentencepiece.js"

/** @throws DataError when the file is missing or of no known form */
export const readModel = async (path: string): Promise<SentencePieceModel> => {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw fromSystemError(error, path, "reading the tokenizer")
  })
  if (isPieceFile(bytes)) return parsePieceFile(bytes, path)
  return isTokenizerJsonFile(bytes) ? jsonModelOf(bytes, path) : parseSentencePiece(bytes, path)
}
