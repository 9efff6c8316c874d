/** The problems of a file that a person wrote, all of them at once. */
import type { Position } from "./json.js"
import { visibleLine } from "./visible.js"

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

/** One problem as one sentence. */
export const formatProblem = (problem: Problem): string => {
  const { pointer, expected, found, nearest, hint, position } = problem
  const place = pointer === "" ? "(whole document)" : pointer
  const line = position === undefined ? "" : `${position.line}:${position.column} `
  const didYouMean = nearest === undefined ? "" : ` Did you mean ${nearest}?`
  return visibleLine(
    `${line}${place}: expected ${expected}, found ${found}.${didYouMean}${hint === undefined ? "" : ` ${hint}`}`,
  )
}

/** Problems of a file that are told; beyond them no near word is looked for. */
export const SHOWN = 100

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
