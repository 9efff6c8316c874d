/**
 * Text as Python reads it. Published graders are Python: `float` takes 1_000, inf, nan and every script's digits, and
 * refuses what JavaScript's Number takes, such as "" and 0x10; `\d` is Unicode.
 */

const DIGIT = /\p{Nd}/u
const ANY_DIGITS = /\p{Nd}/gu

/** Value of a decimal digit of any script: their blocks are whole runs of ten, from 0 to 9. */
const digitValue = (character: string): number => {
  let first = character.codePointAt(0)!
  const code = first
  while (DIGIT.test(String.fromCodePoint(first - 1))) first--
  return (code - first) % 10
}

/** Every decimal digit as an ASCII one. */
export const asciiDigits = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  /^[\x00-\x7f]*$/.test(text) ? text : text.replace(ANY_DIGITS, (digit) => String(digitValue(digit)))

// What str.isspace says; unlike JavaScript's \s it has U+001C to U+001F and U+0085 and lacks U+FEFF.
// oxlint-disable-next-line no-control-regex
const SPACE = /[\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/
const isSpaceAt = (text: string, index: number): boolean => SPACE.test(text.charAt(index))

/** str.rstrip() */
export const stripEnd = (text: string): string => {
  let end = text.length
  while (isSpaceAt(text, end - 1)) end--
  return text.slice(0, end)
}

/** str.strip() */
export const strip = (text: string): string => {
  let start = 0
  while (isSpaceAt(text, start)) start++
  return stripEnd(text.slice(start))
}

const DIGITS = "\\d+(?:_\\d+)*"
// Each digit can be matched in one way alone: a long text that is no number is refused in one pass.
const FLOAT = new RegExp(`^[+-]?(?:${DIGITS}(?:\\.(?:${DIGITS})?)?|\\.${DIGITS})(?:[eE][+-]?${DIGITS})?$`)
const WORD = /^([+-]?)(inf|infinity|nan)$/i

/** float(text); undefined where Python raises ValueError. */
export const pythonFloat = (text: string): number | undefined => {
  const plain = asciiDigits(strip(text))
  const word = WORD.exec(plain)
  if (word !== null) {
    if (word[2]!.toLowerCase() === "nan") return Number.NaN
    return word[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }
  return FLOAT.test(plain) ? Number(plain.replaceAll("_", "")) : undefined
}

const NUMBERS = /-?\p{Nd}+\.?\p{Nd}*/gu

/** What the pattern -?\d+\.?\d* finds, as numbers. */
export const plainNumbers = (text: string): readonly number[] =>
  Array.from(text.matchAll(NUMBERS), ([found]) => pythonFloat(found)!)
