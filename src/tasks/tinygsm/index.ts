/** TinyGSM (Liu et al. 2023, arXiv 2312.09241): word problems answered by programs. */
import { xlmGold } from "../gsm8k/answers.js"
import { gsm8kItemOf, gsm8kItems, goldOf, answerText, type Gsm8kItem } from "../gsm8k/items.js"
import { GSM8K } from "../gsm8k/index.js"
import { programCases } from "../program-preflight.js"
import { executionGrader, FUNCTION, publishedExecutionGrader } from "../programs.js"
import type { Task } from "../task.js"
import { PROMPT_END, referenceGold } from "./items.js"

/**
 * GSM8K's questions answered by programs, as a model trained on TinyGSM answers them: the prompt is the question and a
 * line feed, the answer is `simple_math_problem`. An item of GSM8K says its answer; a row of TinyGSM, or of data in its
 * form, says it by a program, which is run once.
 */
export const TINYGSM: Task<Gsm8kItem> = {
  id: "tinygsm",
  title: "GSM8K by programs",
  quantity: "accuracy",
  published: GSM8K.published,
  items: gsm8kItems,
  itemOf: (fields, id) => gsm8kItemOf({ ground_truth: numberIn(fields), ...fields }, id) ?? rowOf(fields, id),
  settle: async (item, run) =>
    item.program === undefined || item.groundTruth !== undefined || item.answer !== undefined
      ? item
      : { ...item, groundTruth: numberOrNull(await referenceGold({ code: item.program }, run)) },
  gold: (item) => {
    const gold = goldOf(item, "tolerant")
    return gold === undefined ? undefined : String(gold)
  },
  keys: GSM8K.keys,
  cluster: GSM8K.cluster,
  prompt: ({ question }) => ({
    prefix: `${question.trim()}${PROMPT_END}`,
    apart: [question.trim(), PROMPT_END],
  }),
  pair: () => undefined,
  graders: [
    executionGrader<Gsm8kItem>((item) => goldOf(item, "tolerant")),
    publishedExecutionGrader<Gsm8kItem>((item) => {
      // Its prediction data hold the value of the row's program as text, and "" for an integer 0, which is falsy.
      if (item.program !== undefined && item.groundTruth === 0) return ""
      const answer = answerText(item)
      return answer === undefined ? undefined : xlmGold(answer)
    }),
  ],
  usual: ["execution", "execution-published"],
  canonical: (item) => {
    if (item.program !== undefined) return { text: item.program }
    const gold = goldOf(item, "tolerant")
    return gold === undefined ? undefined : { text: `def ${FUNCTION}():\n    return ${gold}\n` }
  },
  preflight: programCases({ id: "preflight", question: "", answer: "#### 42" }, 42),
}

/** A row of TinyGSM as a corpus holds it: its prompt, and a program for a target. */
const rowOf = ({ prompt, target }: Readonly<Record<string, unknown>>, id: string): Gsm8kItem | undefined =>
  typeof prompt === "string" && typeof target === "string" && target.includes(`def ${FUNCTION}(`)
    ? { id, question: prompt.trim(), program: target }
    : undefined

const numberOrNull = (value: number | bigint | undefined): number | null =>
  value === undefined ? null : Number(value)

/** xlm-core's prediction files have the gold number as text in `answer`, older ones in `truth`. */
const numberIn = (fields: Readonly<Record<string, unknown>>): number | undefined => {
  const text = fields["answer"] ?? fields["truth"]
  const value =
    typeof text === "number" ? text : typeof text === "string" && text !== "" ? Number(text) : Number.NaN
  return Number.isFinite(value) ? value : undefined
}
