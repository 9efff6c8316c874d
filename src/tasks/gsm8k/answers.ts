/**
 * Extraction rules for GSM8K, as pure functions of text.
 *
 * Each published rule is followed to the letter, faults included: the number that a paper prints is a number of its
 * grader. What they differ in is told in docs/graders.md.
 */
import { asciiDigits, plainNumbers, pythonFloat, strip } from "../python-text.js"

const BOX = "\\boxed{"
const BOX_END = /[\n}]/g

/** The contents of every \boxed{...} on one line, up to the first closing brace, found in one pass. */
function* boxes(text: string): Generator<string> {
  let at = 0
  for (let open = text.indexOf(BOX); open >= 0; open = text.indexOf(BOX, at)) {
    const start = (BOX_END.lastIndex = open + BOX.length)
    const end = BOX_END.exec(text)
    if (end === null) return
    if (end[0] === "}") yield strip(text.slice(start, end.index))
    at = end.index + 1
  }
}

const answerBlock = (text: string): string | undefined => {
  const start = text.indexOf("<answer>")
  const end = start < 0 ? -1 : text.indexOf("</answer>", start + 8)
  return end < 0 ? undefined : strip(text.slice(start + 8, end))
}

const fromBlock = (inside: string | undefined): number | undefined =>
  inside === undefined || inside === "" ? undefined : (pythonFloat(inside) ?? plainNumbers(inside).at(-1))

const isFiller = (inside: string): boolean => inside === "" || /^\.+$/.test(inside)

/** brianlck/FlexMDM, parse_gsm_answers: first usable box as a float or its first number, else the first <answer>. */
export const strictAnswer = (text: string): number | undefined => {
  for (const inside of boxes(text)) {
    if (isFiller(inside)) continue
    const found = pythonFloat(inside) ?? plainNumbers(inside)[0]
    if (found !== undefined) return found
  }
  return fromBlock(answerBlock(text))
}

/** The gold of the same repository (dllm-reasoning/d1): digits and commas after ####, no sign; undefined for -3. */
export const strictGold = (answer: string): number | undefined => {
  const match = /####[\s]*\$?([\p{Nd},]+(?:\.\p{Nd}+)?)/u.exec(answer)
  return match === null ? undefined : pythonFloat(match[1]!.replaceAll(",", ""))
}

/** As {@link strictAnswer}, with commas taken out before a number is read. */
export const tolerantAnswer = (text: string): number | undefined => {
  for (const inside of boxes(text)) {
    const plain = inside.replaceAll(",", "")
    if (isFiller(plain)) continue
    const found = pythonFloat(plain) ?? plainNumbers(plain)[0]
    if (found !== undefined) return found
  }
  return fromBlock(answerBlock(text)?.replaceAll(",", ""))
}

/** What stands after the last ####, without commas and $, sign kept. */
export const tolerantGold = (answer: string): number | undefined => {
  const marked = answer.split("####")
  return marked.length < 2 ? undefined : pythonFloat(marked.at(-1)!.replaceAll(/[,$]/g, ""))
}

const LAST = /(?<![\p{Nd}.])-?(?:\p{Nd}{1,3}(?:,\p{Nd}{3})+(?![\p{Nd}])|\p{Nd}+)(?:\.\p{Nd}+)?/gu

/** The last number of the text, thousands separators understood; a minus between digits is no sign. */
export const lastNumber = (text: string): number | undefined => {
  const found = Array.from(text.matchAll(LAST), ([number]) => number).at(-1)
  return found === undefined ? undefined : pythonFloat(found.replaceAll(",", ""))
}

/** lm-evaluation-harness writes this where a filter finds nothing. */
export const INVALID = "[invalid]"

/** Its strict-match: the first "#### " with a number. */
export const harnessStrict = (text: string): string => {
  const found = /#### (-?[0-9.,]+)/.exec(text)?.[1]
  return found === undefined ? INVALID : strip(found)
}

/** Its flexible-extract: the last thing like a number. */
export const harnessFlexible = (text: string): string => {
  const found = Array.from(text.matchAll(/(-?[$0-9.,]{2,})|(-?[0-9]+)/g)).at(-1)
  return found === undefined ? INVALID : strip(found[1] ?? found[2]!)
}

const MARK = "#### "

const ignored = (text: string): string => {
  const plain = text.replaceAll(/[,$]/g, "")
  const mark = plain.lastIndexOf(MARK)
  return (mark < 0 ? plain : plain.slice(mark + MARK.length)).replace(/\.(?=\n?$)/, "").toLowerCase()
}

/** Its exact_match with what it ignores: commas, $, everything up to "#### ", a final full stop, case. */
export const harnessEqual = (extracted: string, answer: string): boolean =>
  ignored(extracted) === ignored(answer)

const SIGNED = "[-+]?\\p{Nd}[\\p{Nd},]*\\.?\\p{Nd}*"

/** xlm-core's gold: the first signed number after ####, else the last number; "" where there is none. */
export const xlmGold = (answer: string): string => {
  const marked = new RegExp(`####\\s*(${SIGNED})`, "u").exec(answer)?.[1]
  const found = marked ?? Array.from(answer.matchAll(new RegExp(SIGNED, "gu")), ([number]) => number).at(-1)
  return found?.replaceAll(",", "") ?? ""
}

/** A number that xlm-core's rules would read in a string: the first one, whole within 1e-6. */
export const xlmNumber = (text: string): number | undefined => {
  const digits = new RegExp(SIGNED, "u").exec(text)?.[0].replaceAll(",", "")
  if (digits === undefined) return undefined
  const value = Number(asciiDigits(digits))
  return Math.abs(value - Math.round(value)) < 1e-6 ? Math.round(value) : value
}
