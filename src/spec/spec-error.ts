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

/** Characters of a pointer that are told: a key may be of any length. */
const LONGEST_PLACE = 500

const shortened = (pointer: string): string =>
  pointer.length > LONGEST_PLACE ? `${pointer.slice(0, LONGEST_PLACE - 3)}...` : pointer

/** One problem as one sentence. */
export const formatProblem = (problem: Problem): string => {
  const { pointer, expected, found, nearest, hint, position } = problem
  const place = pointer === "" ? "(whole document)" : shortened(pointer)
  const line = position === undefined ? "" : `${position.line}:${position.column} `
  const didYouMean = nearest === undefined ? "" : ` Did you mean ${nearest}?`
  return visibleLine(
    `${line}${place}: expected ${expected}, found ${found}.${didYouMean}${hint === undefined ? "" : ` ${hint}`}`,
  )
}

/** Problems of a file that are told; beyond them they are counted. */
export const SHOWN = 100

/**
 * The problems of a file, one per line below a heading.
 *
 * @param more problems beyond those given
 */
export const formatProblems = (file: string, problems: readonly Problem[], more = 0): string => {
  const count = problems.length + more
  const untold = Math.max(0, count - SHOWN)
  return [
    `${file}: ${count === 1 ? "1 problem" : `${count} problems`}`,
    ...problems.slice(0, SHOWN).map((problem) => `  ${formatProblem(problem)}`),
    ...(untold > 0 ? [`  and ${untold} more`] : []),
  ].join("\n")
}

/** A file of the wrong form. `problems` is never empty: all of them, or the first {@link SHOWN} and how many `more`. */
export class SpecError extends Error {
  readonly _tag = "SpecError"
  readonly file: string
  readonly problems: readonly Problem[]
  readonly more: number

  constructor(file: string, problems: readonly Problem[], more = 0) {
    super(formatProblems(file, problems, more))
    this.name = "SpecError"
    this.file = file
    this.problems = problems.slice(0, SHOWN)
    this.more = more + problems.length - this.problems.length
  }
}
