/** What is wrong with a document: the first problems in words, and how many more there are. */
import { SHOWN, type Problem } from "./spec-error.js"

export interface Problems {
  /** At most {@link SHOWN}. */
  readonly told: readonly Problem[]
  /** Those beyond. */
  readonly more: number
}

/**
 * Gathers problems in the order in which they are found. Those beyond {@link SHOWN} are counted, not worded: in a
 * document of hundreds of thousands, words and near words would take most of the time.
 */
export class ProblemList implements Problems {
  readonly told: Problem[] = []
  more = 0
  /** Problems that were added, kept or not. */
  found = 0
  readonly #keeps: ((pointer: string) => boolean) | undefined

  /** @param keeps whether a problem at a place counts; each does when absent */
  constructor(keeps?: (pointer: string) => boolean) {
    this.#keeps = keeps
  }

  add(pointer: () => string, words: () => Omit<Problem, "pointer">): void {
    this.found++
    if (this.#keeps !== undefined && !this.#keeps(pointer())) return
    if (this.told.length < SHOWN) this.told.push({ pointer: pointer(), ...words() })
    else this.more++
  }

  append(problems: readonly Problem[], more = 0): void {
    for (const { pointer, ...words } of problems)
      this.add(
        () => pointer,
        () => words,
      )
    this.found += more
    this.more += more
  }

  /** Beyond what is told, nothing more need be looked for. */
  get isFull(): boolean {
    return this.more > 0
  }
}
