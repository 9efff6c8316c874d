/** The tasks of the small language: sums to be answered in a box, and functions with a gap. */
import { generatedItems, type Grader, type Task } from "../task.js"
import { runBody } from "./language.js"

export interface PrimerItem {
  readonly id: string
  /** A question, or the text before a gap. */
  readonly prompt: string
  /** What should follow it. */
  readonly target: string
  /** The text behind a gap; nothing follows when absent. */
  readonly rest?: string
}

const boxOf = (text: string): string | null => /\\boxed\{(\d+)\}/.exec(text)?.[1] ?? null

const boxed: Grader<PrimerItem> = {
  id: "boxed",
  title: "the number in the box",
  rule: "the whole number in the first box of the text is the one in the item's own answer",
  grade: ({ target }, { text }) => {
    const extracted = boxOf(text)
    return extracted === null
      ? { correct: false, extracted, failure: "unextracted" }
      : { correct: extracted === boxOf(target), extracted }
  },
}

/** Inputs that a function is run on. */
const INPUTS = [0, 1, 7, 100] as const

/** The body of a function whose description ends the first line. */
const bodyOf = (text: string): string => text.slice(text.indexOf(":\n") + 2)

const runs: Grader<PrimerItem> = {
  id: "runs",
  title: "the function does what the item's does",
  rule: "prompt, text and rest together are a function of the language that gives what the item's gives on 0, 1, 7 and 100",
  grade: ({ prompt, target, rest = "" }, { text }) => {
    const made = bodyOf(`${prompt}${text}${rest}`)
    const own = bodyOf(`${prompt}${target}${rest}`)
    const values = INPUTS.map((y) => runBody(made, y))
    return values.includes(undefined)
      ? { correct: false, extracted: made, failure: "error", value: "no function of the language" }
      : { correct: INPUTS.every((y, i) => values[i] === runBody(own, y)), extracted: made }
  },
}

const exact: Grader<PrimerItem> = {
  id: "exact-match",
  title: "exact match",
  rule: "the text is the item's own",
  grade: ({ target }, { text }) => ({
    correct: text === target,
    extracted: text === "" ? null : text,
    ...(text === "" ? { failure: "unextracted" as const } : {}),
  }),
}

const taskOf = (
  about: Pick<Task<PrimerItem>, "id" | "title" | "graders" | "usual" | "preflight">,
): Task<PrimerItem> => ({
  ...about,
  ...generatedItems("texts of the small language are generated, and a file of generations says its own"),
  itemOf: ({ prompt, target, rest }, id) =>
    typeof prompt === "string" && typeof target === "string"
      ? { id, prompt, target, ...(typeof rest === "string" ? { rest } : {}) }
      : undefined,
  prompt: ({ prompt, rest }) => ({ prefix: prompt, ...(rest === undefined ? {} : { suffix: rest }) }),
  pair: ({ prompt, target }) => ({ prompt, target }),
  canonical: ({ target }) => ({ text: target }),
})

const SUM: PrimerItem = {
  id: "preflight",
  prompt: "Ann has 3 pens and gets 4 more. How many now?",
  target: "<reasoning> 3 + 4 = 7 </reasoning>\n<answer>\\boxed{7}</answer>",
}
const GAP: PrimerItem = {
  id: "preflight",
  prompt: "add 3 then take 1:\ny += ",
  target: "3\ny",
  rest: " -= 1\nreturn y",
}

export const PRIMER_MATH = taskOf({
  id: "primer-math",
  title: "Sums of the small language",
  graders: [boxed, exact],
  usual: ["boxed"],
  preflight: [
    { name: "the answer", grader: "boxed", item: SUM, generation: { text: SUM.target }, correct: true },
    {
      name: "another number",
      grader: "boxed",
      item: SUM,
      generation: { text: "\\boxed{8}" },
      correct: false,
    },
    {
      name: "a box that begins alike",
      grader: "boxed",
      item: SUM,
      generation: { text: "\\boxed{70}" },
      correct: false,
    },
    { name: "no box", grader: "boxed", item: SUM, generation: { text: "7" }, correct: false },
    { name: "nothing", grader: "boxed", item: SUM, generation: { text: "" }, correct: false },
    {
      name: "the same text",
      grader: "exact-match",
      item: SUM,
      generation: { text: SUM.target },
      correct: true,
    },
    { name: "less text", grader: "exact-match", item: SUM, generation: { text: "7" }, correct: false },
  ],
})

export const PRIMER_CODE = taskOf({
  id: "primer-code",
  title: "Gaps in functions of the small language",
  graders: [runs, exact],
  usual: ["runs", "exact-match"],
  preflight: [
    { name: "the middle", grader: "runs", item: GAP, generation: { text: GAP.target }, correct: true },
    { name: "another number", grader: "runs", item: GAP, generation: { text: "4\ny" }, correct: false },
    { name: "a line cut in two", grader: "runs", item: GAP, generation: { text: "3" }, correct: false },
    { name: "nothing", grader: "runs", item: GAP, generation: { text: "" }, correct: false },
    {
      name: "the same text",
      grader: "exact-match",
      item: GAP,
      generation: { text: GAP.target },
      correct: true,
    },
    { name: "another text", grader: "exact-match", item: GAP, generation: { text: "4\ny" }, correct: false },
  ],
})
