/** How a SentencePiece model's text became pieces, as byte counts need it. */
import type { TextRules } from "../../metric/bytes/text-bytes.js"
import type { SentencePieceModel } from "./sentencepiece.js"

export const textRulesOf = ({
  normalizer,
  whitespaceAsSuffix,
}: Pick<SentencePieceModel, "normalizer" | "whitespaceAsSuffix">): TextRules => ({
  stated: normalizer.stated,
  name: normalizer.name,
  replaces: normalizer.rules.length > 0,
  denormalizes: normalizer.denormalizes,
  addDummyPrefix: normalizer.addDummyPrefix,
  removeExtraWhitespaces: normalizer.removeExtraWhitespaces,
  escapeWhitespaces: normalizer.escapeWhitespaces,
  whitespaceAsSuffix,
  ...(normalizer.lossy === true ? { lossy: true } : {}),
})
