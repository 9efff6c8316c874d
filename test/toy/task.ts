/** A task that stands in this file alone: words of one letter. What it generates is what it grades. */
import type { Draws } from "../../src/tasks/generated.js"
import { generatedItems, type Task } from "../../src/tasks/task.js"

export const LETTERS = ["a", "b", "c", "d", "e"] as const
export const WORD = 7

/** A letter, seven times. */
export const drawWord = (draws: Draws): string => LETTERS[draws.below(LETTERS.length)]!.repeat(WORD)

interface Word {
  readonly id: string
}

const item: Word = { id: "preflight" }

export const oneLetter: Task<Word> = {
  id: "one-letter",
  title: "Words of one letter",
  ...generatedItems("words have no test set: each is judged by itself"),
  itemOf: (_fields, id) => ({ id }),
  prompt: () => ({ prefix: "" }),
  pair: () => undefined,
  graders: [
    {
      id: "same",
      title: "words of one letter",
      rule: `the text is ${WORD} letters or more, all of them the same`,
      grade: (_item, { text }) => ({
        correct: text.length >= WORD && new Set(text).size === 1,
        extracted: text === "" ? null : text,
      }),
    },
  ],
  usual: ["same"],
  canonical: () => ({ text: "a".repeat(WORD) }),
  preflight: [
    { name: "one letter", grader: "same", item, generation: { text: "aaaaaaa" }, correct: true },
    { name: "two letters", grader: "same", item, generation: { text: "aaaabaa" }, correct: false },
    { name: "too short", grader: "same", item, generation: { text: "aaa" }, correct: false },
  ],
}
