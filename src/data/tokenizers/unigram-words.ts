/**
 * Unigram models of tokenizer.json as their reference encodes each word: characters that no piece spells are one unknown
 * piece where they stand together, and are spelled by their bytes where the model says so and has a piece for every one
 * of these. The encoding library knows no bytes here, and joins unknown characters across words.
 */
import type { Tokenizer } from "@huggingface/tokenizers"

type Model = NonNullable<Tokenizer["model"]>

const byteNames = (text: string): readonly string[] =>
  Array.from(Buffer.from(text), (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`)

/** The library's model, made to do so. */
export const asReferenceUnigram = (model: Model, byteFallback: boolean): void => {
  const { tokens_to_ids: ids, unk_token_id: unknown } = model
  const isUnknown = (piece: string): boolean => {
    const id = ids.get(piece)
    return id === undefined || id === unknown
  }
  const spelled = (piece: string): readonly string[] => {
    if (!byteFallback || ids.has(piece)) return [piece]
    const bytes = byteNames(piece)
    return bytes.every((byte) => ids.has(byte)) ? bytes : [piece]
  }
  const piecesOf = model.encode.bind(model)
  const encodeWord = (word: string): readonly string[] => {
    const fused: string[] = []
    let open = false
    for (const piece of piecesOf([word])) {
      const strange = isUnknown(piece)
      if (open && strange) fused.push(fused.pop()! + piece)
      else fused.push(piece)
      open = strange
    }
    return fused.flatMap(spelled)
  }
  model.encode = (words: string[]) => words.flatMap(encodeWord)
  // Done word by word above.
  model.fuse_unk = false
}
