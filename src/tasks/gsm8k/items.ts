/** GSM8K: grade-school word problems whose answer is one number. */
import { pythonFloat } from "../python-text.js"
import { parseJsonLines, requireText } from "../records.js"
import { strictGold, tolerantGold } from "./answers.js"

export interface Gsm8kItem {
  readonly id: string
  readonly question: string
  /** The worked solution, which ends with "#### NUMBER"; absent where a file of generations has the number alone. */
  readonly answer?: string
  /** The number as such a file has it; null where its own rule found none. */
  readonly groundTruth?: number | null
  /** A program whose value is the answer, where that is all there is: a row of TinyGSM. */
  readonly program?: string
}

export const gsm8kItems = (text: string, subject: string): readonly Gsm8kItem[] =>
  parseJsonLines(text, subject).map(({ value, place }, index) => ({
    id: String(index),
    question: requireText(value, "question", place),
    answer: requireText(value, "answer", place),
  }))

export const goldOf = (item: Gsm8kItem, rule: "strict" | "tolerant"): number | undefined => {
  if (item.answer === undefined) return item.groundTruth ?? undefined
  return rule === "strict" ? strictGold(item.answer) : tolerantGold(item.answer)
}

/** The answer in GSM8K's own form; undefined where only an unreadable number is known. */
export const answerText = ({ answer, groundTruth }: Gsm8kItem): string | undefined =>
  answer ?? (typeof groundTruth === "number" ? `#### ${groundTruth}` : undefined)

/** The item that a line of generations carries with it: lm-evaluation-harness has the document, FlexMDM the number. */
export const gsm8kItemOf = (fields: Readonly<Record<string, unknown>>, id: string): Gsm8kItem | undefined => {
  const { question, answer, ground_truth: truth } = fields
  if (typeof answer === "string" && answer.includes("####"))
    return { id, question: typeof question === "string" ? question : "", answer }
  const number = typeof truth === "string" ? pythonFloat(truth.replaceAll(",", "")) : truth
  if (typeof number !== "number" && number !== null) return undefined
  return {
    id,
    question: typeof question === "string" ? question : "",
    groundTruth: Number.isFinite(number) ? number : null,
  }
}
