/** Text as it was before a corpus spaced its marks out. */

type Rule = (text: string) => string

const swap =
  (mark: RegExp, plain: string): Rule =>
  (text) =>
    text.replace(mark, plain)

/**
 * WikiText (Merity et al. 2016): marks inside numbers and words stand between at signs, all others between blanks, and
 * headings between equality signs.
 */
const WIKITEXT: readonly Rule[] = [
  swap(/ @([-,.])@ /g, "$1"),
  (text) => text.replace(/=(?: =)+/g, (marks) => marks.replaceAll(" ", "")),
  swap(/s ' /g, "s' "),
  swap(/ '(s|re|ve|ll|d|m|t)\b/g, "'$1"),
  swap(/ ([:;.!?,])(?=\s|$)/g, "$1"),
  swap(/\(\s*([^)]*?)\s*\)/g, "($1)"),
  swap(/\[\s*([^\]]*?)\s*\]/g, "[$1]"),
  swap(/\{\s*([^}]*?)\s*\}/g, "{$1}"),
  swap(/"\s*([^"]*?)\s*"/g, '"$1"'),
  swap(/ ° /g, "°"),
  swap(/[ \t]+$/gm, ""),
]

export const DETOKENISERS = {
  wikitext: (text: string): string => WIKITEXT.reduce((found, rule) => rule(found), text),
} as const

export type Detokeniser = keyof typeof DETOKENISERS
