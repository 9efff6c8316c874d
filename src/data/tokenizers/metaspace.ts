/**
 * Metaspace steps of a tokenizer.json, and splitting at white space, as the encoding library needs them: it knows neither the splitting of words
 * before each mark of a space, which is done unless the file says `"split": false`, nor the `add_prefix_space` of files
 * older than `prepend_scheme`. What is white space is Unicode's property, which JavaScript's differs from in U+FEFF and
 * U+0085.
 */
import { SPACE } from "./normalizer.js"

interface Step {
  readonly type?: string
  readonly [key: string]: unknown
}

/** A pre-tokenizer whose steps, also inside sequences, say all that they do. */
export const spelledOut = (step: Step | null | undefined): Step | null | undefined => {
  if (step === null || step === undefined) return step
  const inner = step["pretokenizers"]
  if (Array.isArray(inner)) return { ...step, pretokenizers: (inner as readonly Step[]).map(spelledOut) }
  if (step.type === "WhitespaceSplit")
    return { type: "Split", pattern: { Regex: "\\p{White_Space}+" }, behavior: "Removed", invert: false }
  if (step.type !== "Metaspace") return step
  const {
    replacement = SPACE,
    add_prefix_space: add,
    prepend_scheme = add === false ? "never" : "always",
  } = step
  const whole = { ...step, replacement, prepend_scheme }
  if (step["split"] === false) return whole
  const mark = `\\u{${(replacement as string).codePointAt(0)!.toString(16)}}`
  const words = {
    type: "Split",
    pattern: { Regex: `${mark}[^${mark}]*|[^${mark}]+` },
    behavior: "Isolated",
    invert: true,
  }
  return { type: "Sequence", pretokenizers: [whole, words] }
}
