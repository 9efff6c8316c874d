/** The task of bracket strings: whether what was written is balanced. */
import { generatedItems, type Grader, type PreflightCase, type Task } from "../task.js"
import { CLOSE, isBalanced, OPEN } from "./words.js"

export interface BracketItem {
  readonly id: string
}

const IDS: Readonly<Record<string, number>> = { "(": OPEN, ")": CLOSE }

const balanced: Grader<BracketItem> = {
  id: "balanced",
  title: "balanced words",
  rule: "the text is brackets alone and at least one pair, every one closes, and none closes before it opens",
  grade: (_item, { text }) => {
    const word = Array.from(text.trim(), (character) => IDS[character] ?? -1)
    return {
      correct: word.length > 0 && isBalanced(word),
      extracted: word.length === 0 ? null : text.trim(),
      ...(word.length === 0 ? { failure: "unextracted" as const } : {}),
    }
  },
}

const item: BracketItem = { id: "preflight" }
const cases = (texts: readonly string[], correct: boolean): readonly PreflightCase<BracketItem>[] =>
  texts.map((text) => ({
    name: JSON.stringify(text),
    grader: "balanced",
    item,
    generation: { text },
    correct,
  }))

export const BRACKETS: Task<BracketItem> = {
  id: "brackets",
  title: "Balanced brackets",
  ...generatedItems("brackets have no test set: every text is judged by itself"),
  itemOf: (_fields, id) => ({ id }),
  prompt: () => ({ prefix: "" }),
  pair: () => undefined,
  graders: [balanced],
  usual: ["balanced"],
  canonical: () => ({ text: "()" }),
  preflight: [...cases(["()", "(())()"], true), ...cases(["(", ")(", "())", "(a)", ""], false)],
}
