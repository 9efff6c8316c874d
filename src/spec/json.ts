/**
 * A strict JSON reader (RFC 8259) that knows where everything stands.
 *
 * `JSON.parse` gives no line of a syntax error in every Node version, silently keeps the last of two equal keys,
 * and forgets positions; a spec is written by hand, so all three matter.
 */
import { child } from "./pointer.js"

/** Line and column, both counted from 1; columns count UTF-16 units. */
export interface Position {
  readonly line: number
  readonly column: number
}

export interface ParsedJson {
  readonly value: unknown
  /** Where the value at a JSON pointer starts (its key, for members of an object). */
  readonly locate: (pointer: string) => Position | undefined
}

/** A syntax error: what was expected and what was found, and where. */
export class JsonSyntaxError extends Error {
  readonly position: Position
  readonly pointer: string
  readonly expected: string
  readonly found: string

  constructor(position: Position, pointer: string, expected: string, found: string) {
    super(`line ${position.line}, column ${position.column}: expected ${expected}, found ${found}`)
    this.name = "JsonSyntaxError"
    this.position = position
    this.pointer = pointer
    this.expected = expected
    this.found = found
  }
}

const MAX_DEPTH = 200
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const [QUOTE, BACKSLASH, SPACE, LETTER_U] = [0x22, 0x5c, 0x20, 0x75]
const SIMPLE_ESCAPES = '"\\/bfnrt'
const ESCAPE = /\\u[0-9a-fA-F]{4}/y

/** Lines and columns of offsets, both from 1. */
const positionsIn = (text: string): ((offset: number) => Position) => {
  let starts: readonly number[] | undefined
  return (offset) => {
    starts ??= [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)]
    let [low, high] = [0, starts.length]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (starts[middle]! <= offset) low = middle
      else high = middle
    }
    return { line: low + 1, column: offset - starts[low]! + 1 }
  }
}

/**
 * Reads one JSON document; throws {@link JsonSyntaxError}.
 *
 * @param options.nonFinite also read `NaN`, `Infinity` and `-Infinity`, which Python's `json` writes
 */
export const parseJson = (text: string, options: { readonly nonFinite?: boolean } = {}): ParsedJson => {
  const offsets = new Map<string, number>()
  const positionAt = positionsIn(text)
  let at = text.startsWith("\uFEFF") ? 1 : 0

  const fail = (pointer: string, expected: string, offset = at, found?: string): never => {
    const end = offset >= text.length
    throw new JsonSyntaxError(
      positionAt(offset),
      pointer,
      expected,
      found ??
        (end ? "the end of the file" : JSON.stringify(String.fromCodePoint(text.codePointAt(offset)!))),
    )
  }
  const skip = () => {
    while (at < text.length && " \t\n\r".includes(text[at]!)) at++
  }
  const string = (pointer: string, expected: string): string => {
    if (text[at] !== '"') return fail(pointer, expected)
    // Character by character: an expression would be matched anew at each of a million escapes.
    let end = at + 1
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end)
      if (code === QUOTE || code < SPACE) break
      if (code !== BACKSLASH) continue
      if (text.charCodeAt(end + 1) !== LETTER_U && SIMPLE_ESCAPES.includes(text[end + 1] ?? "?")) end++
      else {
        ESCAPE.lastIndex = end
        if (!ESCAPE.test(text)) break
        end = ESCAPE.lastIndex - 1
      }
    }
    const hit = text[end]
    if (hit !== '"') {
      return fail(
        pointer,
        hit === "\\" ? "an escape such as \\n, \\\\ or \\u00e9" : "a closing quote",
        end,
        // Control characters end a string: JSON wants them escaped.
        hit === undefined ? undefined : JSON.stringify(text.slice(end, end + (hit === "\\" ? 2 : 1))),
      )
    }
    const whole = text.slice(at, end + 1)
    at = end + 1
    return JSON.parse(whole) as string
  }
  const object = (pointer: string, depth: number): unknown => {
    const result: Record<string, unknown> = {}
    at++
    skip()
    if (text[at] === "}") return (at++, result)
    for (;;) {
      skip()
      const start = at
      const key = string(pointer, text[at] === "}" ? "another key after the comma" : "a key in double quotes")
      if (Object.hasOwn(result, key))
        fail(pointer, "every key once", start, `the key ${JSON.stringify(key)} again`)
      skip()
      if (text[at] !== ":") fail(pointer, `':' after the key ${JSON.stringify(key)}`)
      at++
      const inner = child(pointer, key)
      const value = read(inner, depth + 1)
      offsets.set(inner, start)
      if (key === "__proto__")
        Object.defineProperty(result, key, { value, enumerable: true, writable: true, configurable: true })
      else result[key] = value
      skip()
      if (text[at] === "}") return (at++, result)
      if (text[at] !== ",") fail(inner, "',' or '}'")
      at++
    }
  }
  const array = (pointer: string, depth: number): unknown => {
    const result: unknown[] = []
    at++
    skip()
    if (text[at] === "]") return (at++, result)
    for (;;) {
      const inner = child(pointer, result.length)
      skip()
      if (text[at] === "]") fail(pointer, "another value after the comma")
      result.push(read(inner, depth + 1))
      skip()
      if (text[at] === "]") return (at++, result)
      if (text[at] !== ",") fail(inner, "',' or ']'")
      at++
    }
  }
  const read = (pointer: string, depth: number): unknown => {
    if (depth > MAX_DEPTH) fail(pointer, `at most ${MAX_DEPTH} levels of nesting`)
    skip()
    offsets.set(pointer, at)
    const first = text[at]
    if (first === "{") return object(pointer, depth)
    if (first === "[") return array(pointer, depth)
    if (first === '"') return string(pointer, "a string")
    for (const [word, value] of [
      ["true", true],
      ["false", false],
      ["null", null],
    ] as const) {
      if (text.startsWith(word, at)) {
        at += word.length
        return value
      }
    }
    if (options.nonFinite === true)
      for (const word of ["NaN", "Infinity", "-Infinity"])
        if (text.startsWith(word, at)) {
          at += word.length
          return Number(word)
        }
    NUMBER.lastIndex = at
    const match = NUMBER.exec(text)
    if (match === null) return fail(pointer, "a JSON value")
    const number = Number(match[0])
    if (!Number.isFinite(number)) fail(pointer, "a number within the range of a double", at, match[0])
    at = NUMBER.lastIndex
    return number
  }

  const value = read("", 0)
  skip()
  if (at < text.length) fail("", "the end of the file")
  return {
    value,
    locate: (pointer) => {
      const offset = offsets.get(pointer)
      return offset === undefined ? undefined : positionAt(offset)
    },
  }
}
