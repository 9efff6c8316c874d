/** TinyGSM (Liu et al. 2023, arXiv 2312.09241): word problems answered by programs. */
import { xlmGold } from "../gsm8k/answers.js"
import { gsm8kItemOf, gsm8kItems, goldOf, answerText, type Gsm8kItem } from "../gsm8k/items.js"
import { GSM8K } from "../gsm8k/index.js"
import { programCases } from "../program-preflight.js"
import { executionGrader, FUNCTION, publishedExecutionGrader } from "../programs.js"
import type { Task } from "../task.js"

/**
 * GSM8K's questions answered by programs, as a model trained on TinyGSM answers them: the prompt is the question and a
 * line feed, the answer is `simple_math_problem`.
 */
export const TINYGSM: Task<Gsm8kItem> = {
  id: "tinygsm",
  title: "GSM8K by programs",
  quantity: "accuracy",
  published: GSM8K.published,
  items: gsm8kItems,
  itemOf: (fields, id) => gsm8kItemOf({ ground_truth: numberIn(fields), ...fields }, id),
  keys: GSM8K.keys,
  cluster: GSM8K.cluster,
  prompt: ({ question }) => ({ prefix: `${question.trim()}\n` }),
  pair: () => undefined,
  graders: [
    executionGrader<Gsm8kItem>((item) => goldOf(item, "tolerant")),
    publishedExecutionGrader<Gsm8kItem>((item) => {
      const answer = answerText(item)
      return answer === undefined ? undefined : xlmGold(answer)
    }),
  ],
  usual: ["execution", "execution-published"],
  canonical: (item) => {
    const gold = goldOf(item, "tolerant")
    return gold === undefined ? undefined : { text: `def ${FUNCTION}():\n    return ${gold}\n` }
  },
  preflight: programCases({ id: "preflight", question: "", answer: "#### 42" }, 42),
}

/** xlm-core's prediction files have the gold number as text in `answer`, older ones in `truth`. */
const numberIn = (fields: Readonly<Record<string, unknown>>): number | undefined => {
  const text = fields["answer"] ?? fields["truth"]
  const value =
    typeof text === "number" ? text : typeof text === "string" && text !== "" ? Number(text) : Number.NaN
  return Number.isFinite(value) ? value : undefined
}
