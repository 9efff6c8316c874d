/** HumanEval-infill, single line (Bavarian et al. 2022, arXiv 2207.14255): the line that is missing, checked by tests. */
import { stripEnd } from "../python-text.js"
import { execute, withoutAnswer } from "../programs.js"
import { parseJsonLines, requireText } from "../records.js"
import type { Job } from "../sandbox/sandbox.js"
import type { Generation, Graded, Grader, PreflightCase, Task } from "../task.js"

export interface InfillItem {
  readonly id: string
  readonly entry: string
  readonly prefix: string
  readonly suffix: string
  readonly canonical: string
  /** Defines `check(candidate)`. */
  readonly test: string
}

/** The published limit. */
const SECONDS = 3
/** Between prefix, middle and suffix in the prompts of FlexMDM; its files hold the whole text. */
export const BOUNDARY = "<infill-boundary>"

export const infillItems = (text: string, subject: string): readonly InfillItem[] =>
  parseJsonLines(text, subject).map(({ value, place }) => ({
    id: requireText(value, "task_id", place),
    entry: requireText(value, "entry_point", place),
    prefix: requireText(value, "prompt", place),
    suffix: requireText(value, "suffix", place),
    canonical: requireText(value, "canonical_solution", place),
    test: requireText(value, "test", place),
  }))

/** The middle of a text that has both boundaries, else the text. */
export const middleOf = (text: string): string => {
  const parts = text.split(BOUNDARY)
  return parts.length === 3 ? parts[1]! : text
}

/** A middle that lacks its final newline loses the blanks at its end and gets one; others stay. */
export const withNewline = (middle: string): string =>
  middle.endsWith("\n") ? middle : `${stripEnd(middle)}\n`

const programOf = (item: InfillItem, middle: string): string => item.prefix + middle + item.suffix

type Prepare = (middle: string) => string

const sourceOf = (item: InfillItem, { text, whole }: Generation, prepare: Prepare): string =>
  whole === true ? text : programOf(item, prepare(middleOf(text)))

const verdict = (answer: Readonly<Record<string, unknown>>, extracted: string, cpu: number): Graded => {
  if (answer["passed"] === true) return { correct: true, extracted, cpu }
  const error = typeof answer["error"] === "string" ? answer["error"] : "no verdict"
  return {
    correct: false,
    extracted,
    failure: error === "timed out" ? "timed-out" : "error",
    value: error,
    cpu,
  }
}

const graded =
  (prepare: Prepare, job: (item: InfillItem, source: string, patience: number) => Job) =>
  async (item: InfillItem, generation: Generation, run: Parameters<Grader<InfillItem>["grade"]>[2]) => {
    const source = sourceOf(item, generation, prepare)
    const execution = await execute(run, job(item, source, run.patience), SECONDS)
    const middle = generation.whole === true ? source : prepare(middleOf(generation.text))
    return execution.status === "answered"
      ? verdict(execution.answer, middle, execution.cpu)
      : withoutAnswer(execution, middle)!
  }

const tested = (item: InfillItem, source: string): Job => ({
  kind: "check",
  source,
  entry: item.entry,
  reference: programOf(item, item.canonical),
  test: item.test,
})

const together = (item: InfillItem, source: string, patience: number): Job => ({
  kind: "published-check",
  source: `${source}\n${item.test}\ncheck(${item.entry})`,
  seconds: SECONDS * patience,
})

const same: Prepare = (middle) => middle

const RULE = `prefix, completion and suffix as one program in a sandbox, its function called by the tests from a process of their own, plain values of exact type alone passing; ${SECONDS} s of processor time`

export const INFILL_GRADERS: readonly Grader<InfillItem>[] = [
  {
    id: "raw",
    title: "as generated",
    rule: `${RULE}; completion as generated`,
    seconds: SECONDS,
    grade: graded(same, tested),
  },
  {
    id: "newline",
    title: "final newline restored",
    rule: `${RULE}; a completion without its final newline loses the blanks at its end and gets one`,
    seconds: SECONDS,
    grade: graded(withNewline, tested),
  },
  {
    id: "official",
    title: "as generated, published rules",
    rule: "official execution, prompt + completion + suffix + tests, 3 s; middle extraction not released",
    published: "openai/human-eval-infilling",
    seconds: SECONDS,
    grade: graded(same, together),
  },
  {
    id: "official-newline",
    title: "final newline restored, published rules",
    rule: "official execution, prompt + completion + suffix + tests, 3 s; a completion without its final newline loses the blanks at its end and gets one",
    published: "openai/human-eval-infilling",
    seconds: SECONDS,
    grade: graded(withNewline, together),
  },
]

const EXAMPLE: InfillItem = {
  id: "preflight",
  entry: "doubled",
  prefix: "def doubled(values):\n    result = []\n    for value in values:\n",
  suffix: "    return result\n",
  canonical: "        result.append(2 * value)\n",
  test: "def check(candidate):\n    assert candidate([]) == []\n    assert candidate([1, 2.5]) == [2, 5.0]\n",
}

const cases = (grader: string, newline: boolean): readonly PreflightCase<InfillItem>[] =>
  (
    [
      ["the canonical solution", EXAMPLE.canonical, true],
      ["the same without its newline", EXAMPLE.canonical.trimEnd(), newline],
      ["another solution", "        result.append(3 * value)\n", false],
      ["a broken one", "        result.append((2 * value)\n", false],
      ["an empty one", "", false],
      ["one that ends at once", "        raise SystemExit(0)\n", false],
    ] as const
  ).map(([name, text, correct]) => ({
    name: `${grader}: ${name}`,
    grader,
    item: EXAMPLE,
    generation: { text },
    correct,
  }))

const ALWAYS_EQUAL = `class Any:\n    def __eq__(self, other):\n        return True\ndef doubled(values):\n    return Any()\n`

export const HUMANEVAL_INFILL: Task<InfillItem> = {
  id: "humaneval-infill",
  title: "HumanEval-infill, single line",
  quantity: "pass-rate",
  published: {
    name: "HumanEval-infill single-line",
    split: "test",
    url: "https://github.com/openai/human-eval-infilling/raw/88062ff9859c875d04db115b698ed4b0f0395170/data/HumanEval-SingleLineInfilling.jsonl.gz",
    sha256: "1277073e7ddce163ef68598c2bca777f688a53df99422f097e37362090f88e1f",
    items: 1033,
    licence: "MIT",
  },
  items: infillItems,
  keys: ({ id }) => ({ id }),
  // The lines of one problem share its tests: SingleLineInfilling/HumanEval/0/L1 belongs to HumanEval/0.
  cluster: ({ id }) => id.replace(/\/L\d+$/, ""),
  prompt: ({ prefix, suffix }) => ({ prefix, suffix }),
  pair: ({ prefix, canonical }) => ({ prompt: prefix, target: canonical }),
  graders: INFILL_GRADERS,
  usual: ["raw", "newline"],
  canonical: ({ canonical }) => ({ text: canonical }),
  preflight: [
    ...cases("raw", false),
    ...cases("newline", true),
    ...cases("official", false),
    ...cases("official-newline", true),
    ...["raw", "newline"].map((grader) => ({
      name: `${grader}: an object that equals everything`,
      grader,
      item: EXAMPLE,
      generation: { text: ALWAYS_EQUAL, whole: true as const },
      correct: false,
    })),
  ],
}
