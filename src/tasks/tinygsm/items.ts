/** Rows of TinyGSM itself: a question and the program that answers it. */
import { decodePlain } from "../sandbox/values.js"
import { execute, FUNCTION, numberOf, SECONDS } from "../programs.js"
import { parseJsonLines, requireText } from "../records.js"
import type { Run } from "../task.js"

export interface TinyGsmItem {
  readonly id: string
  readonly question: string
  readonly code: string
}

export const tinyGsmItems = (text: string, subject: string): readonly TinyGsmItem[] =>
  parseJsonLines(text, subject).map(({ value, place }, index) => ({
    id: String(index),
    question: requireText(value, "question", place),
    code: requireText(value, "code", place),
  }))

/** Stands behind every question, tokenised on its own. */
export const PROMPT_END = "\n"

/** What a model is trained on: tokenised apart, without special tokens. */
export const tinyGsmPair = ({
  question,
  code,
}: Pick<TinyGsmItem, "question" | "code">): { readonly prompt: string; readonly target: string } => ({
  prompt: `${question.trim()}${PROMPT_END}`,
  target: code.trim(),
})

/**
 * The gold of a row: what its own program gives, run once in the sandbox. Undefined where it gives no number; such a row
 * cannot be scored, and a metric keeps it in its denominator.
 *
 * @throws SandboxError when the sandbox fails, or is not there
 */
export const referenceGold = async (
  { code }: Pick<TinyGsmItem, "code">,
  run: Run,
): Promise<number | bigint | undefined> => {
  const execution = await execute(run, { kind: "call", source: code.trim(), function: FUNCTION }, SECONDS)
  if (execution.status !== "answered") return undefined
  const value = Object.hasOwn(execution.answer, "value") ? decodePlain(execution.answer["value"]) : undefined
  return value === undefined ? undefined : numberOf(value)
}
