/** What each task generates as texts, and the pieces that spell them: one object a kind, and everything asks it. */
import * as Schema from "effect/Schema"
import {
  balancedWord,
  BALANCED_LENGTHS,
  bracketNats,
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

/** A kind of generated data. */
interface GeneratedKind<T extends { readonly kind: string }> {
  readonly kind: T["kind"]
  readonly schema: Schema.Codec<T>
  /** What contracts call the data. */
  dataset(task: T): string
  /** Whether its items have prompts. */
  prompts(task: T): boolean
  source(task: T): GeneratedSource
  /** -ln of the probability of a target given its prompt, by ids; absent where it is not known. */
  nats?(task: T, target: readonly number[]): number
  /** Raised when shards made from equal inputs would differ; 1 when absent. */
  readonly recipe?: number
}

const BRACKET_PIECES = { [OPEN]: "(", [CLOSE]: ")" } as const

const Brackets = Schema.Struct({
  kind: Schema.Literal("brackets"),
  words: Schema.Literals(["opening", "balanced"]).annotate({
    description:
      "opening: opening brackets alone, as the published generator writes. balanced: uniform balanced words of a length.",
  }),
}).annotate({ description: "Bracket strings, without prompts." })

const lengthsOf = ({ words }: typeof Brackets.Type) =>
  words === "balanced" ? BALANCED_LENGTHS : PUBLISHED_LENGTHS

const brackets: GeneratedKind<typeof Brackets.Type> = {
  kind: "brackets",
  schema: Brackets,
  dataset: ({ words }) => `brackets-${words}`,
  prompts: () => false,
  source: (task) => ({
    pieces: [BRACKET_PIECES[OPEN], BRACKET_PIECES[CLOSE]],
    draw: (draws) => {
      const length = drawLength(lengthsOf(task), draws)
      const word = task.words === "balanced" ? balancedWord(length, draws) : openingWord(length)
      return { target: word.map((token) => BRACKET_PIECES[token as 0 | 1]).join("") }
    },
  }),
  nats: (task, target) => bracketNats(lengthsOf(task), target, task.words),
}

// The space stands behind a number: one that opened a document would not be counted by the published byte table.
const spell = (nodes: readonly number[]): string => nodes.map((node) => `${node} `).join("")

const Star = Schema.Struct({
  kind: Schema.Literal("star"),
  level: Schema.Literals(["easy", "medium", "hard"]).annotate({
    description: "Shape and size of the graphs, as in star-small, star-medium and star-hard.",
  }),
}).annotate({ description: "Star graphs: the path from a source to a goal, given the edges." })

const star: GeneratedKind<typeof Star.Type> = {
  kind: "star",
  schema: Star,
  dataset: ({ level }) => `star-${level}`,
  prompts: () => true,
  source: ({ level }) => ({
    pieces: Array.from({ length: STAR_LEVELS[level].vocabulary }, (_, node) => `${node} `),
    draw: (draws) => {
      const graph = starGraph(level, draws)
      return { prompt: spell(starPrompt(graph)), target: spell(starTarget(graph)) }
    },
  }),
  // One path leads from the source to the goal.
  nats: () => 0,
}

const WordProblems = Schema.Struct({
  kind: Schema.Literal("word-problems"),
}).annotate({ description: "Word problems in the form of TinyGSM: a program, given a question." })

const wordProblems: GeneratedKind<typeof WordProblems.Type> = {
  kind: "word-problems",
  schema: WordProblems,
  dataset: ({ kind }) => kind,
  prompts: () => true,
  source: () => ({
    pieces: WORD_PIECES,
    draw: (draws) => {
      const { question, program } = wordProblem(draws)
      return { prompt: `${question}\n`, target: program }
    },
  }),
}

const Primer = Schema.Struct({
  kind: Schema.Literal("primer"),
  part: Schema.Literals(["text", "math", "code"]).annotate({
    description:
      "text: sums and functions without prompts, to be pretrained on. math: a question, and its answer as reasoning and a box. code: what a function does, and its body.",
  }),
}).annotate({ description: "A small language for chains of stages; all of its parts have one tokenizer." })

const primer: GeneratedKind<typeof Primer.Type> = {
  kind: "primer",
  schema: Primer,
  dataset: ({ part }) => `primer-${part}`,
  prompts: ({ part }) => part !== "text",
  source: ({ part }) => ({
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
  }),
  recipe: 3,
}

export const GENERATED_KINDS = [brackets, star, wordProblems, primer] as const

type TaskOf<P> = P extends { readonly schema: Schema.Codec<infer T> } ? T : never
/** What is generated, of any kind. */
export type GeneratedTask = TaskOf<(typeof GENERATED_KINDS)[number]>

/** The kind of a task. */
export const generatedKind = (task: GeneratedTask): GeneratedKind<GeneratedTask> =>
  // Each kind is only ever given its own tasks.
  GENERATED_KINDS.find(({ kind }) => kind === task.kind) as unknown as GeneratedKind<GeneratedTask>

export const generatedSource = (task: GeneratedTask): GeneratedSource => generatedKind(task).source(task)

/** The control pieces that follow a source's own: the boundary of documents, and what ends a prompt. */
export const CONTROL_PIECES = ["<s>", "<sep>"] as const

/** Ids of the corpus's own tokenizer. */
export const generatedIds = (task: GeneratedTask) => {
  const texts = generatedSource(task).pieces.length
  return { vocabSize: texts + CONTROL_PIECES.length, boundaryId: texts, separatorId: texts + 1 }
}

/** Item `index` of a split. */
export const generatedItem = (
  { task, seed }: { readonly task: GeneratedTask; readonly seed: number },
  split: GeneratedSplit,
  index: number,
): GeneratedItem => generatedSource(task).draw(drawsOf(seed, split, index), split)
