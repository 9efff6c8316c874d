/** One sampled text as evidence holds it. */
import type { GeneratedItem } from "../evidence.js"

/**
 * - complete: a row that grows had room left.
 * - full: it fills its canvas, so that the text may have been cut short.
 * - boundary: a next-token network wrote the token that ends a text.
 * - length: it did not within the length of the text.
 * - filled: every place of a row of fixed length is filled, as it must be.
 */
export type SampleExit = "complete" | "full" | "boundary" | "length" | "filled"

/** One verdict, without the seconds that a program took: they differ from run to run. */
export interface SampleVerdict {
  readonly correct: boolean
  readonly extracted: string | null
  readonly failure?: string
  readonly value?: string
}

export interface SampleItem extends GeneratedItem {
  /** Index of what was given: the row of the validation split, or the number of the sample. */
  readonly item: number
  /** Of the stream `sample`; with the item it determines the text. */
  readonly seed: number
  /** Given tokens, at the beginning and at the end, and tokens that there was room for in all. */
  readonly given: number
  readonly room: number
  readonly exit: SampleExit
  /** Of a response of fixed length: tokens that end a text, and others behind the first of them. */
  readonly ends?: number
  readonly behind?: number
  /**
   * Of a row of fixed length whose network writes the end of text again behind a text: tokens up to the first end, which
   * is one of them. What stands behind is read by nobody.
   */
  readonly content?: number
  /** Of a row that grows: masks that the last step revealed together, steps or events that asked for more than fits. */
  readonly revealedLast?: number
  readonly overflows?: number
  /** Of event-driven sampling. */
  readonly events?: number
  readonly proposals?: number
  readonly violations?: number
  /** What the text should have been, where the data say it. */
  readonly target?: string
  /** The answer that graders compare with, where it is not the target itself: the value of a program. */
  readonly gold?: string
  /** Text behind a gap. */
  readonly rest?: string
  /** By grader. */
  readonly graders?: Readonly<Record<string, SampleVerdict>>
}
