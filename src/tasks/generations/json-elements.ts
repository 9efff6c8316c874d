/** The elements of one array of a JSON document that need not fit the memory. */
import { parsePythonJson } from "../python-json.js"

export interface Element {
  readonly value: unknown
  /** From 0. */
  readonly index: number
}

/** What else the document's object holds, filled while its elements are read. */
export type Rest = Record<string, unknown>

/** The document does not have the form; `offset` in characters. */
export class ElementError extends Error {
  readonly offset: number
  constructor(message: string, offset: number) {
    super(message)
    this.name = "ElementError"
    this.offset = offset
  }
}

const parse = (text: string, offset: number): unknown => {
  try {
    return parsePythonJson(text)
  } catch (error) {
    throw new ElementError(
      `it is not JSON (${error instanceof Error ? error.message : String(error)})`,
      offset,
    )
  }
}

/**
 * Elements of a document that is an array, or of the array under `key` of one that is an object; the other fields go to
 * `rest`. Values are cut out by counting brackets outside strings and then parsed, one at a time.
 */
export async function* jsonElements(
  parts: AsyncIterable<string>,
  key: string,
  rest: Rest,
): AsyncGenerator<Element> {
  let depth = 0
  let inString = false
  let escaped = false
  /** Depth of the array's elements; 0 while it is not open. */
  let elementDepth = 0
  let topIsArray = false
  let name: string | undefined
  let expectsName = false
  let pieces: string[] = []
  let index = 0
  let offset = 0
  let done = false
  const token = (): string => {
    const text = pieces.join("").trim()
    pieces = []
    return text
  }
  for await (const part of parts) {
    let from = 0
    const keep = (to: number): void => {
      if (to > from) pieces.push(part.slice(from, to))
    }
    for (let at = 0; at < part.length; at++) {
      const character = part.charCodeAt(at)
      if (inString) {
        if (escaped) escaped = false
        else if (character === 0x5c) escaped = true
        else if (character === 0x22) inString = false
        continue
      }
      switch (character) {
        case 0x22: // "
          if (depth === 0) throw new ElementError("it is neither an object nor an array", offset + at)
          inString = true
          break
        case 0x5b: // [
        case 0x7b: // {
          if (done) throw new ElementError("there is more after its end", offset + at)
          depth++
          if (depth === 1) {
            topIsArray = character === 0x5b
            expectsName = !topIsArray
            elementDepth = topIsArray ? 1 : 0
            from = at + 1
          } else if (depth === 2 && character === 0x5b && !topIsArray && name === key) {
            elementDepth = 2
            keep(at)
            pieces = []
            from = at + 1
          }
          break
        case 0x3a: // :
          if (depth === 1 && expectsName) {
            keep(at)
            const parsed = parse(token(), offset + at)
            if (typeof parsed !== "string") throw new ElementError("a field's name is no text", offset + at)
            name = parsed
            expectsName = false
            from = at + 1
          }
          break
        case 0x2c: // ,
        case 0x5d: // ]
        case 0x7d: {
          const closes = character !== 0x2c
          if (depth === elementDepth && depth > 0) {
            keep(at)
            const text = token()
            if (text !== "") yield { value: parse(text, offset + at), index: index++ }
            else if (!closes || index > 0) throw new ElementError("an element is missing", offset + at)
            from = at + 1
            if (closes && elementDepth === 2) {
              elementDepth = 0
              name = undefined
            }
          } else if (depth === 1 && !topIsArray) {
            keep(at)
            const text = token()
            if (name !== undefined) rest[name] = parse(text, offset + at)
            else if (text !== "") throw new ElementError("a field has no name", offset + at)
            name = undefined
            expectsName = true
            from = at + 1
          }
          if (closes) {
            depth--
            if (depth < 0) throw new ElementError("a bracket closes nothing", offset + at)
            done = depth === 0
          }
          break
        }
        default:
          if (depth === 0 && character > 0x20)
            throw new ElementError(
              done ? "there is more after its end" : "it is neither an object nor an array",
              offset + at,
            )
      }
    }
    keep(part.length)
    if (done || depth === 0) pieces = []
    offset += part.length
  }
  if (!done) throw new ElementError("it ends in the middle", offset)
}
