/** Texts that are hard to tokenise, the same for the same seed; as a script: texts.ts COUNT SEED prints JSON. */
import { fileURLToPath } from "node:url"
import { fc } from "../fuzz.js"

const WORDS =
  "We hold these truths to be self-evident, that all men are created equal -- in 1776, the Union's (U. S.) Congress: $1,234,567.89! “Liberty” — l’État naïve café ﬁnance ﬂag Ⅳ ½ ² ㎏ Ａｂｃ ｶﾞ 한국어 中文字 עברית العربية हिन्दी 👩‍👩‍👧 e\u0301 a\u0308\u0323 \u2581 ▁the ▁▁ <unk> <s> <0x41> \u00ad \ufeff \u200b \u3000 \u00a0 \t \r\n"

const text = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...WORDS.split(" ")) },
      { weight: 2, arbitrary: fc.constantFrom("", " ", "  ", "\u3000", "\n") },
      { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 6 }) },
      { weight: 2, arbitrary: fc.string({ unit: "grapheme", maxLength: 6 }) },
      { weight: 2, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 12 }) },
      { weight: 1, arbitrary: fc.nat().map(String) },
    ),
    { maxLength: 24 },
  )
  .chain((parts) => fc.constantFrom("", " ", " ").map((separator) => parts.join(separator)))

export const sampleTexts = (count: number, seed: number): string[] =>
  fc.sample(text, { numRuns: count, seed })

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(JSON.stringify(sampleTexts(Number(process.argv[2]), Number(process.argv[3]))))
}
