/** Special ids of a spec against a tokenizer.json, as LLaDA's are: MASK and PAD are pieces of it. */
import t from "tap"
import { requireSpecialIds } from "../../../src/data/corpora/special-ids.js"
import { jsonModelOf } from "../../../src/data/tokenizers/tokenizer-json.js"
import type { Tokenizer } from "../../../src/spec/data.js"
import { byteLevelTokenizer } from "../byte-level.js"

// Ids 257 to 259, behind all bytes and one merge.
const SPECIALS = ["<|endoftext|>", "<|mdm_mask|>", "<|eot_id|>"]
const model = (specials: readonly string[]) =>
  jsonModelOf(Buffer.from(byteLevelTokenizer(specials)), "tokenizer.json")
/** PAD is the end of text, as published; eight rows of the table are spelled by no piece. */
const tokenizer: Tokenizer = {
  id: "llada",
  model: "file:tokenizer.json",
  vocabSize: 268,
  boundaryId: 257,
  maskId: 258,
  padId: 257,
  separatorId: 259,
}
const refused = (specials: readonly string[], change: Partial<Tokenizer>): string => {
  try {
    requireSpecialIds(model(specials), { ...tokenizer, ...change }, "tokenizer.json")
  } catch (error) {
    return (error as Error).message
  }
  return "taken"
}

void t.test("MASK and PAD may be special pieces within the vocabulary", (t) => {
  t.equal(refused(SPECIALS, {}), "taken")
  t.equal(refused(SPECIALS, { maskId: 268, padId: 269 }), "taken", "or lie outside")
  t.end()
})

void t.test("a tokenizer without the special pieces is refused with what it lacks", (t) => {
  t.match(
    refused(SPECIALS.slice(0, 1), { separatorId: 257 }),
    /^tokenizer\.json: data\.tokenizer\.maskId 258 is within the vocabulary of 268, and the tokenizer has no such piece: it has 258 and lacks the special ones of the model\. Give the tokenizer that belongs to the weights\./,
  )
  t.match(
    refused([], {}),
    /data\.tokenizer\.boundaryId 257 is not among its 257 pieces; the tokenizer has no control/,
  )
  t.match(
    refused(SPECIALS, { maskId: 100 }),
    /data\.tokenizer\.maskId 100 is a piece, .*; write an id from 260 on/,
    "an ordinary piece is no MASK",
  )
  t.match(refused(SPECIALS, { separatorId: 265 }), /separatorId 265 is not among its 260 pieces/)
  t.end()
})
