/** What a task is: items, prompts, graders and what its figures mean. Models know nothing of it, nor it of them. */
import type { Contract } from "../metric/contract/contract.js"
import { DataError } from "../files/errors.js"
import type { Sandbox } from "./sandbox/sandbox.js"

/** A generation as it is graded, wherever it was made. */
export interface Generation {
  readonly text: string
  /** The prompt, where the file has it; a text that begins with it is no longer empty for that reason. */
  readonly prompt?: string
  /** The text is a whole program, not a part to be put between others. */
  readonly whole?: true
}

export type Failure =
  /** Nothing in the text could be taken as an answer. */
  | "unextracted"
  /** The program passed a limit of time. */
  | "timed-out"
  /** The program raised, ended, or gave no plain value. */
  | "error"
  /** The item has no answer that this rule could compare with: it stays in the denominator. */
  | "unscorable"

/** One verdict with its evidence. */
export interface Graded {
  readonly correct: boolean
  /** What was taken as the answer: a number as text, or the program that ran. */
  readonly extracted: string | null
  readonly failure?: Failure
  /** What the program gave, or the error in one line. */
  readonly value?: string
  /** Processor seconds, where a program ran. */
  readonly cpu?: number
}

export interface Grader<I> {
  readonly id: string
  readonly title: string
  /** The rule in one sentence, as the contract has it. */
  readonly rule: string
  /** Whose rule it is, where it is not ours: "brianlck/FlexMDM" and the like. */
  readonly published?: string
  /** Seconds that a program of this grader has; absent where none runs. */
  readonly seconds?: number
  readonly grade: (item: I, generation: Generation, run: Run) => Graded | Promise<Graded>
}

/** What a grader that runs programs is given; others get the same and leave it. */
export interface Run {
  /** @throws SandboxError when there is none */
  readonly sandbox: Sandbox | undefined
  /** Times the usual limit: 2 when a program that came near it is run again. */
  readonly patience: number
}

/** The published test set: where it is, and the digest that says it is that one. */
export interface PublishedSet {
  readonly name: string
  readonly split: string
  readonly url: string
  readonly sha256: string
  readonly items: number
  readonly licence: string
}

/** What an item is known by in files of generations. */
export interface ItemKeys {
  readonly id: string
  readonly question?: string
}

export interface Prompt {
  readonly prefix: string
  readonly suffix?: string
  /** Parts of the prefix that are tokenised each on its own, as training has them; the whole prefix at once when absent. */
  readonly apart?: readonly string[]
}

/** One check of the graders before they grade. */
export interface PreflightCase<I> {
  readonly name: string
  readonly grader: string
  readonly item: I
  readonly generation: Generation
  /** What a sound grader says. */
  readonly correct: boolean
}

export interface Task<I = unknown> {
  readonly id: string
  readonly title: string
  readonly quantity: "accuracy" | "pass-rate"
  /** Absent for items that are generated: files of generations say themselves what they are about. */
  readonly published?: PublishedSet
  /** The items of a test set's bytes (already unpacked). @throws DataError naming the line */
  readonly items: (text: string, subject: string) => readonly I[]
  /**
   * An item from what a line of generations says itself, or a document of a corpus, whose fields are `prompt` and
   * `target`; undefined where the test set is needed.
   */
  readonly itemOf?: (fields: Readonly<Record<string, unknown>>, id: string) => I | undefined
  /**
   * Works out what an item is graded by, where it says so only by a program of its own. Absent where every item says it.
   * @throws SandboxError where there is no sandbox, or it fails
   */
  readonly settle?: (item: I, run: Run) => Promise<I>
  /** The item's answer as graders compare with it; undefined where it is the text of the item itself, or unknown. */
  readonly gold?: (item: I) => string | undefined
  readonly keys: (item: I) => ItemKeys
  /** Items that are not independent of each other, such as the lines of one problem. */
  readonly cluster: (item: I) => string
  readonly prompt: (item: I) => Prompt
  readonly pair: (item: I) => { readonly prompt: string; readonly target: string } | undefined
  readonly graders: readonly Grader<I>[]
  /** Ids of those that are used when none is named. */
  readonly usual: readonly string[]
  /** Shortest texts that show what the graders must pass and refuse; one run of them precedes every grading. */
  readonly preflight: readonly PreflightCase<I>[]
  /** The item's own answer as a generation: every sound grader passes it. */
  readonly canonical: (item: I) => Generation | undefined
}

/** What tasks share whose items are generated. @param why no test set holds them */
export const generatedItems = (
  why: string,
): Pick<Task<{ readonly id: string }>, "quantity" | "keys" | "cluster"> & {
  readonly items: (text: string, subject: string) => never
} => ({
  quantity: "accuracy",
  items: (_text, subject) => {
    throw new DataError("invalid", subject, `${why}; leave --data out.`)
  },
  keys: ({ id }) => ({ id }),
  cluster: ({ id }) => id,
})

export type { Contract }
