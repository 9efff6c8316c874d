/**
 * Generated word problems in the form of TinyGSM: a question, and a Python function without arguments that returns
 * the answer. They are made for small machines, where the real data set does not fit; nothing in them is copied.
 */
import type { Draws } from "../generated.js"

export interface WordProblem {
  readonly question: string
  /** Source of `simple_math_problem`, ready to run. */
  readonly program: string
  readonly answer: number
}

/** Largest number in a question. */
export const LARGEST = 20

const NAMES = ["Ann", "Ben", "Eva", "Max", "Mia", "Tom"] as const
const THINGS = ["apples", "books", "coins", "pens"] as const

interface Template {
  readonly draw: (draws: Draws) => readonly number[]
  readonly question: (who: string, what: string, n: readonly number[]) => string
  readonly lines: (n: readonly number[]) => readonly string[]
  readonly expression: string
  readonly answer: (n: readonly number[]) => number
}

const upTo = (draws: Draws, n: number): number => 1 + draws.below(n)

const TEMPLATES: readonly Template[] = [
  {
    draw: (draws) => [upTo(draws, LARGEST), upTo(draws, LARGEST)],
    question: (who, what, [a, b]) => `${who} has ${a} ${what} and gets ${b} more. How many now?`,
    lines: ([a, b]) => [`a = ${a}`, `b = ${b}`],
    expression: "a + b",
    answer: ([a, b]) => a! + b!,
  },
  {
    draw: (draws) => {
      const a = upTo(draws, LARGEST)
      return [a, upTo(draws, a)]
    },
    question: (who, what, [a, b]) => `${who} has ${a} ${what} and loses ${b}. How many are left?`,
    lines: ([a, b]) => [`a = ${a}`, `b = ${b}`],
    expression: "a - b",
    answer: ([a, b]) => a! - b!,
  },
  {
    draw: (draws) => [upTo(draws, LARGEST), upTo(draws, LARGEST)],
    question: (who, what, [a, b]) => `${who} fills ${a} bags with ${b} ${what} each. How many in all?`,
    lines: ([a, b]) => [`a = ${a}`, `b = ${b}`],
    expression: "a * b",
    answer: ([a, b]) => a! * b!,
  },
]

/** Number of different problems. */
export const PROBLEMS = NAMES.length * THINGS.length * (2 * LARGEST * LARGEST + (LARGEST * (LARGEST + 1)) / 2)

/** One problem: template, name, thing and numbers drawn uniformly. */
export const wordProblem = (draws: Draws): WordProblem => {
  const template = TEMPLATES[draws.below(TEMPLATES.length)]!
  const who = NAMES[draws.below(NAMES.length)]!
  const what = THINGS[draws.below(THINGS.length)]!
  const numbers = template.draw(draws)
  const body = [...template.lines(numbers), `result = ${template.expression}`, "return result"]
  return {
    question: template.question(who, what, numbers),
    program: ["def simple_math_problem():", ...body.map((line) => `    ${line}`)].join("\n"),
    answer: template.answer(numbers),
  }
}

/**
 * Texts that a problem is spelled with, for a tokenizer of whole pieces, longest match first. A number is one piece in
 * question and program alike; the phrases around it are those that byte pairs merge to on this data.
 */
export const WORD_PIECES: readonly string[] = [
  "def simple_math_problem():\n    a = ",
  "\n    b = ",
  "\n    result = ",
  "\n    return result",
  "a",
  "b",
  " + ",
  " - ",
  " * ",
  " has ",
  " and gets ",
  " more. How many now?",
  " and loses ",
  ". How many are left?",
  " fills ",
  " bags with ",
  " each. How many in all?",
  " ",
  "\n",
  ...NAMES,
  ...THINGS,
  ...Array.from({ length: LARGEST }, (_, i) => String(i + 1)),
]
