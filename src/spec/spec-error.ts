/** The problems of a file that a person wrote, all of them at once. */
import type { Position } from "./json.js"

export interface Problem {
  /** JSON pointer (RFC 6901) of the offending place; the empty string is the whole document. */
  readonly pointer: string
  readonly expected: string
  /** What stands there, as short JSON, or "nothing". */
  readonly found: string
  /** The nearest valid value or key. */
  readonly nearest?: string
  /** How to mend it, where the rest does not say. */
  readonly hint?: string
  readonly position?: Position
}

/** Characters that would steer a terminal or turn the direction of its text, written out. */
const visible = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(4, "0")
    return `\\u${code}`
  })

/** One problem as one sentence. */
export const formatProblem = (problem: Problem): string => {
  const { pointer, expected, found, nearest, hint, position } = problem
  const place = pointer === "" ? "(whole document)" : pointer
  const line = position === undefined ? "" : `${position.line}:${position.column} `
  const didYouMean = nearest === undefined ? "" : ` Did you mean ${nearest}?`
  return visible(
    `${line}${place}: expected ${expected}, found ${found}.${didYouMean}${hint === undefined ? "" : ` ${hint}`}`,
  )
}

/** Problems of a file that are told. */
const SHOWN = 100

/** Every problem of a file, one per line below a heading. */
export const formatProblems = (file: string, problems: readonly Problem[]): string => {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`
  const more = problems.length - SHOWN
  return [
    `${file}: ${count}`,
    ...problems.slice(0, SHOWN).map((problem) => `  ${formatProblem(problem)}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ].join("\n")
}

/** A file of the wrong form. `problems` is never empty and holds all of them. */
export class SpecError extends Error {
  readonly _tag = "SpecError"
  readonly file: string
  readonly problems: readonly Problem[]

  constructor(file: string, problems: readonly Problem[]) {
    super(formatProblems(file, problems))
    this.name = "SpecError"
    this.file = file
    this.problems = problems
  }
}
