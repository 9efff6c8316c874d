/** The graders of GSM8K: four readings of a text, and its program run. */
import type { Graded, Grader } from "../task.js"
import {
  harnessEqual,
  harnessFlexible,
  harnessStrict,
  INVALID,
  lastNumber,
  strictAnswer,
  tolerantAnswer,
  xlmGold,
} from "./answers.js"
import { answerText, goldOf, type Gsm8kItem } from "./items.js"
import { executionGrader, publishedExecutionGrader } from "../programs.js"

const numeric =
  (extract: (text: string) => number | undefined, rule: "strict" | "tolerant") =>
  (item: Gsm8kItem, text: string): Graded => {
    const [found, gold] = [extract(text), goldOf(item, rule)]
    const extracted = found === undefined ? null : String(found)
    // NaN equals nothing, as in Python.
    const correct = found !== undefined && gold !== undefined && found === gold
    if (gold === undefined) return { correct, extracted, failure: "unscorable" }
    return { correct, extracted, ...(found === undefined ? { failure: "unextracted" as const } : {}) }
  }

const harness =
  (extract: (text: string) => string) =>
  (item: Gsm8kItem, text: string): Graded => {
    const found = extract(text)
    const answer = answerText(item)
    if (answer === undefined) return { correct: false, extracted: found, failure: "unscorable" }
    if (found === INVALID) return { correct: false, extracted: null, failure: "unextracted" }
    return { correct: harnessEqual(found, answer), extracted: found }
  }

const reading = (
  about: Omit<Grader<Gsm8kItem>, "grade">,
  grade: (item: Gsm8kItem, text: string) => Graded,
): Grader<Gsm8kItem> => ({ ...about, grade: (item, { text }) => grade(item, text) })

export const GSM8K_GRADERS: readonly Grader<Gsm8kItem>[] = [
  reading(
    {
      id: "strict-repo",
      title: "first box or <answer>, as published",
      rule: "first boxed answer, else first <answer> block, parsed as a number; exact float equality; on prompt and completion (eval_gsm8k/parse_and_get_acc.py)",
      published: "brianlck/FlexMDM",
    },
    numeric(strictAnswer, "strict"),
  ),
  reading(
    {
      id: "tolerant",
      title: "the same, commas and signs read",
      rule: "first usable boxed answer, else the last number of the first <answer> block, commas removed; gold with its sign; exact float equality",
    },
    numeric(tolerantAnswer, "tolerant"),
  ),
  reading(
    {
      id: "last-number",
      title: "last number of the text",
      rule: "last number of the text, thousands separators removed; gold with its sign; exact float equality",
    },
    numeric(lastNumber, "tolerant"),
  ),
  reading(
    {
      id: "strict-match",
      title: "first ####, lm-evaluation-harness",
      rule: 'strict-match of lm-evaluation-harness gsm8k: first "#### NUMBER"; equality of text without commas, $ and a final full stop',
      published: "EleutherAI/lm-evaluation-harness",
    },
    harness(harnessStrict),
  ),
  reading(
    {
      id: "flexible",
      title: "last number-like text, lm-evaluation-harness",
      rule: "flexible-extract of lm-evaluation-harness gsm8k: last match of a number; equality of text without commas, $ and a final full stop",
      published: "EleutherAI/lm-evaluation-harness",
    },
    harness(harnessFlexible),
  ),
  executionGrader<Gsm8kItem>((item) => goldOf(item, "tolerant")),
  publishedExecutionGrader<Gsm8kItem>((item) => {
    const answer = answerText(item)
    return answer === undefined ? undefined : xlmGold(answer)
  }),
]
