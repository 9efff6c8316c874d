/** What each task generates as texts, and the pieces that spell them. */
import {
  balancedWord,
  BALANCED_LENGTHS,
  CLOSE,
  drawLength,
  OPEN,
  openingWord,
  PUBLISHED_LENGTHS,
} from "../../../tasks/brackets/words.js"
import { drawsOf, type Draws, type GeneratedSplit } from "../../../tasks/generated.js"
import { STAR_LEVELS, starGraph, starPrompt, starTarget } from "../../../tasks/star/graph.js"
import { answerText, drawProgram, drawSum, drawText, PRIMER_PIECES } from "../../../tasks/primer/language.js"
import { WORD_PIECES, wordProblem } from "../../../tasks/word-problems/problems.js"
import type { Generated } from "./schema.js"

export interface GeneratedItem {
  /** Absent where the task gives none. */
  readonly prompt?: string
  readonly target: string
}

export interface GeneratedSource {
  /** Pieces with text, by id; the control pieces follow. */
  readonly pieces: readonly string[]
  readonly draw: (draws: Draws, split: GeneratedSplit) => GeneratedItem
}

const BRACKET_PIECES = { [OPEN]: "(", [CLOSE]: ")" } as const

const brackets = (balanced: boolean): GeneratedSource => ({
  pieces: [BRACKET_PIECES[OPEN], BRACKET_PIECES[CLOSE]],
  draw: (draws) => {
    const length = drawLength(balanced ? BALANCED_LENGTHS : PUBLISHED_LENGTHS, draws)
    const word = balanced ? balancedWord(length, draws) : openingWord(length)
    return { target: word.map((token) => BRACKET_PIECES[token as 0 | 1]).join("") }
  },
})

// The space stands behind a number: one that opened a document would not be counted by the published byte table.
const spell = (nodes: readonly number[]): string => nodes.map((node) => `${node} `).join("")

const star = (level: keyof typeof STAR_LEVELS): GeneratedSource => ({
  pieces: Array.from({ length: STAR_LEVELS[level].vocabulary }, (_, node) => `${node} `),
  draw: (draws) => {
    const graph = starGraph(level, draws)
    return { prompt: spell(starPrompt(graph)), target: spell(starTarget(graph)) }
  },
})

const wordProblems: GeneratedSource = {
  pieces: WORD_PIECES,
  draw: (draws) => {
    const { question, program } = wordProblem(draws)
    return { prompt: `${question}\n`, target: program }
  },
}

const primer = (part: Extract<Generated["task"], { readonly kind: "primer" }>["part"]): GeneratedSource => ({
  pieces: PRIMER_PIECES,
  draw: (draws, split) => {
    if (part === "text") return { target: drawText(draws, split) }
    if (part === "math") {
      const sum = drawSum(draws, split)
      return { prompt: sum.question, target: answerText(sum) }
    }
    const { description, body } = drawProgram(draws, split)
    return { prompt: description, target: body }
  },
})

export const generatedSource = (task: Generated["task"]): GeneratedSource => {
  switch (task.kind) {
    case "brackets":
      return brackets(task.words === "balanced")
    case "star":
      return star(task.level)
    case "word-problems":
      return wordProblems
    case "primer":
      return primer(task.part)
  }
}

/** The control pieces that follow a source's own: the boundary of documents, and what ends a prompt. */
export const CONTROL_PIECES = ["<s>", "<sep>"] as const

/** Ids of the corpus's own tokenizer. */
export const generatedIds = (task: Generated["task"]) => {
  const texts = generatedSource(task).pieces.length
  return { vocabSize: texts + CONTROL_PIECES.length, boundaryId: texts, separatorId: texts + 1 }
}

/** Item `index` of a split. */
export const generatedItem = (
  { task, seed }: Pick<Generated, "task" | "seed">,
  split: GeneratedSplit,
  index: number,
): GeneratedItem => generatedSource(task).draw(drawsOf(seed, split, index), split)
