/**
 * A small language for chains of stages on small machines: sums in words, and functions of a few lines after a sentence
 * that says what they do. Its texts are what a network is pretrained on, its questions and functions what it is tuned
 * for; all of them are spelled with one set of pieces. Nothing in it is copied.
 */
import type { Draws, GeneratedSplit } from "../generated.js"

/** Largest number in a question; answers go from 0 to twice that. */
export const LARGEST = 10

const NAMES = ["Ann", "Ben", "Eva", "Max"] as const
const THINGS = ["apples", "books", "coins", "pens"] as const

export const REASONING = ["<reasoning>", "</reasoning>\n<answer>\\boxed{", "}</answer>"] as const

/** Marks of a gap: in place, and of a row whose middle comes last. */
export const GAP = ["<gap>", "<prefix>", "</prefix>", "<suffix>", "</suffix>"] as const

export interface Sum {
  readonly question: string
  /** Such as `3 + 4 = 7`. */
  readonly equation: string
  readonly answer: number
}

/** One of so many questions and descriptions is held out: no training item of any part has it. */
const HELD_OUT_EVERY = 8

/** Whether a question or description belongs to the held-out items: by its FNV-1a hash (32 bits). */
export const isHeldOut = (text: string): boolean => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
  return hash % HELD_OUT_EVERY === 0
}

/** The first that belongs to the split. */
const ofSplit = <A>(split: GeneratedSplit, draw: () => A, textOf: (drawn: A) => string): A => {
  for (;;) {
    const drawn = draw()
    if (isHeldOut(textOf(drawn)) === (split !== "train")) return drawn
  }
}

const upTo = (draws: Draws, n: number): number => 1 + draws.below(n)

const anySum = (draws: Draws): Sum => {
  const who = NAMES[draws.below(NAMES.length)]!
  const what = THINGS[draws.below(THINGS.length)]!
  const a = upTo(draws, LARGEST)
  const more = draws.below(2) === 0
  const b = more ? upTo(draws, LARGEST) : upTo(draws, a)
  const answer = more ? a + b : a - b
  return {
    question: more
      ? `${who} has ${a} ${what} and gets ${b} more. How many now?`
      : `${who} has ${a} ${what} and loses ${b}. How many now?`,
    equation: `${a} ${more ? "+" : "-"} ${b} = ${answer}`,
    answer,
  }
}

/**
 * A sum or a difference of numbers up to `LARGEST`, in a sentence; no answer is below 0. A held-out question is in no
 * training item, its numbers are, under other names.
 */
export const drawSum = (draws: Draws, split: GeneratedSplit): Sum =>
  ofSplit(
    split,
    () => anySum(draws),
    ({ question }) => question,
  )

/** The answer as a tuned network is to write it. */
export const answerText = ({ equation, answer }: Sum): string =>
  `${REASONING[0]} ${equation} ${REASONING[1]}${answer}${REASONING[2]}`

export type Step = readonly [operation: "add" | "take", by: number]

export interface Program {
  /** What the function does, in words. */
  readonly description: string
  /** The function's body, one assignment a line. */
  readonly body: string
  readonly steps: readonly Step[]
}

const STEPS = [2, 3] as const

const anyProgram = (draws: Draws): Program => {
  const steps = Array.from({ length: STEPS[draws.below(STEPS.length)]! }, (): Step => [
    draws.below(2) === 0 ? "add" : "take",
    upTo(draws, LARGEST),
  ])
  return {
    steps,
    description: `${steps.map(([name, by]) => `${name} ${by}`).join(" then ")}:\n`,
    body: [...steps.map(([name, by]) => `y ${name === "add" ? "+=" : "-="} ${by}`), "return y"].join("\n"),
  }
}

/** A function whose description is in no item of the other split. */
export const drawProgram = (draws: Draws, split: GeneratedSplit): Program =>
  ofSplit(
    split,
    () => anyProgram(draws),
    ({ description }) => description,
  )

/**
 * What a body gives for y, line by line; undefined where a line is none of the language, or it does not end with
 * `return y`.
 */
export const runBody = (body: string, y: number): number | undefined => {
  const lines = body.split("\n")
  if (lines.pop() !== "return y") return undefined
  let value = y
  for (const line of lines) {
    const found = /^y ([+-])= (\d+)$/.exec(line)
    if (found === null) return undefined
    value += (found[1] === "+" ? 1 : -1) * Number(found[2])
  }
  return value
}

/** A text of pretraining: a sum told and worked out, or a function. */
export const drawText = (draws: Draws, split: GeneratedSplit): string => {
  if (draws.below(2) === 0) {
    const { description, body } = drawProgram(draws, split)
    return `${description}${body}`
  }
  const { question, equation } = drawSum(draws, split)
  return `${question}\n${equation}`
}

/** Longest match first, as the literal tokenizer takes them. */
export const PRIMER_PIECES: readonly string[] = [
  ...REASONING,
  ...GAP,
  "\n",
  " ",
  ...NAMES.map((name) => `${name} has `),
  ...THINGS.map((thing) => ` ${thing} and `),
  "gets ",
  "loses ",
  " more. How many now?",
  ". How many now?",
  "add ",
  "take ",
  " then ",
  ":\n",
  "y += ",
  "y -= ",
  "return y",
  " + ",
  " - ",
  " = ",
  ...Array.from({ length: 2 * LARGEST + 1 }, (_, i) => String(i)),
]
