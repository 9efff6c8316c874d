/** The text of a tokenizer.json of all bytes as GPT-2 spells them, one merge, and special pieces from id 257 on. */
const shown = (byte: number): boolean =>
  (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174

export const byteLevelTokenizer = (specials: readonly string[]): string => {
  let moved = 256
  const characters = Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint(shown(byte) ? byte : moved++),
  )
  const level = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true }
  return JSON.stringify({
    version: "1.0",
    added_tokens: specials.map((content, k) => ({
      id: 257 + k,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: level,
    post_processor: null,
    decoder: level,
    model: {
      type: "BPE",
      vocab: Object.fromEntries([...characters, "de"].map((piece, id) => [piece, id])),
      merges: ["d e"],
    },
  })
}
