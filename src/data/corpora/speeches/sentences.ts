/**
 * Text into sentences and groups of sentences, by rules fixed here: the result must not depend on the version of a
 * Unicode library, since prepared shards are compared byte for byte.
 */

/** A full stop after these does not end a sentence. */
const ABBREVIATIONS = new Set(
  "Mr Mrs Ms Dr Messrs Hon Gen Col Capt Lieut Lt Maj Sgt Gov Sen Rep Rev St Jr Sr No Nos Art Sec vs viz".split(
    " ",
  ),
)

const BOUNDARY = /([.!?]["'”’)\]]*) (?=["'“‘([]*[A-Z0-9])/g

/** Control characters go, every run of white space becomes one space, none is left at the ends. */
export const tidy = (text: string): string =>
  text
    .normalize("NFKC")
    .replaceAll(/\s+/g, " ")
    // oxlint-disable-next-line no-control-regex
    .replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "")
    .trim()

const endsInAbbreviation = (text: string): boolean => {
  const word = /([A-Za-z]+)\.$/.exec(text)?.[1]
  return word !== undefined && (/^[A-Z]$/.test(word) || ABBREVIATIONS.has(word))
}

/** Sentences of tidy text; joined with single spaces they are the text again. */
export const splitSentences = (text: string): string[] => {
  const sentences: string[] = []
  let start = 0
  for (const match of text.matchAll(BOUNDARY)) {
    const end = match.index + match[1]!.length
    if (endsInAbbreviation(text.slice(start, end))) continue
    sentences.push(text.slice(start, end))
    start = end + 1
  }
  if (start < text.length) sentences.push(text.slice(start))
  return sentences
}

/** Consecutive groups of `size` sentences, each joined with spaces; the last may be smaller. */
export const groupSentences = (sentences: readonly string[], size: number): string[] => {
  const groups: string[] = []
  for (let start = 0; start < sentences.length; start += size) {
    groups.push(sentences.slice(start, start + size).join(" "))
  }
  return groups
}
