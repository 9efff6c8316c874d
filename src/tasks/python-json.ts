/** JSON as Python's `json` writes it: with NaN and infinities, which the standard does not have. */

const TEXT_OR_WORD = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b/g

/**
 * The value of a JSON text, in which NaN, Infinity and -Infinity are read as null: they say that there is no number.
 *
 * @throws SyntaxError
 */
export const parsePythonJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error
    return JSON.parse(text.replace(TEXT_OR_WORD, (found) => (found.startsWith('"') ? found : "null")))
  }
}
