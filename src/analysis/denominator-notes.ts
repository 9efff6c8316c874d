/** Notes about what a figure per byte divides by, and about which part of the split it is of. */
import { accountNotes } from "../metric/bytes/text-account.js"
import type { EvaluationSummary } from "./language-model.js"

const WITHHELD =
  "No bits per byte: the tokens do not say how many bytes their text has; bits per token stand alone."

/** What was found about the bytes of an evaluation's targets. */
export const denominatorNotes = ({ text }: Pick<EvaluationSummary, "text">): readonly string[] =>
  text === undefined ? [] : [...(text.standing === "none" ? [WITHHELD] : []), ...accountNotes(text)]

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(2)} %`

/** Scored targets over the tokens of the split, and what the rule that cuts windows leaves out. */
export const coverageNotes = ({
  scored,
  evaluation,
}: Pick<EvaluationSummary, "scored" | "evaluation">): readonly string[] => {
  // Evidence of earlier versions does not say what was left out.
  if (scored?.leftOut === undefined) return []
  const { targets, split, leftOut } = scored
  const share = `Scored: ${targets} of the split's ${split} tokens (${percent(targets, split)}).`
  if (leftOut.tokens === 0) return [share]
  const { documents, ofDocuments, tokens } = leftOut
  if (documents === undefined || ofDocuments === undefined || evaluation.windows.alignment === "raw-stream")
    return [
      `${share} ${tokens} ${tokens === 1 ? "token at its end fills" : "tokens at its end fill"} no window.`,
    ]
  if (evaluation.windows.alignment === "documents")
    return [`${share} The others are given, or part documents from one another.`]
  return [
    documents === 0
      ? `${share} ${tokens} ${tokens === 1 ? "token is" : "tokens are"} no target by the rule that cuts documents.`
      : `${share} Document chunks lie between two boundary tokens, which leaves out ${documents} of ${ofDocuments} documents and ${tokens} tokens.`,
  ]
}
