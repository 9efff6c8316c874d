/**
 * A strict JSON reader (RFC 8259) that knows where everything stands.
 *
 * `JSON.parse` gives no line of a syntax error in every Node version, silently keeps the last of two equal keys,
 * and forgets positions; a spec is written by hand, so all three matter.
 */
import { child, keysOf } from "./pointer.js"

/** Line and column, both counted from 1; columns count UTF-16 units. */
export interface Position {
  readonly line: number
  readonly column: number
}

export interface ParsedJson {
  readonly value: unknown
  /** Keys of the largest object in the document: to list those of a large one takes long. */
  readonly mostKeys: number
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
const [TAB, LINE_FEED, RETURN] = [0x09, 0x0a, 0x0d]
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

/** Where the members of an object or a list start, in the order of the text. */
interface Members {
  readonly starts: number[]
  /** Of an object. */
  readonly keys?: string[]
}

/** Of objects as large as {@link LARGE}, and only of those. */
const keysRead = new WeakMap<object, readonly string[]>()
const LARGE = 1000

/** Keeps the own keys of a large object, which must not be changed from then on. */
export const rememberKeys = (value: object, keys: readonly string[]): void => void keysRead.set(value, keys)

/** The own keys of an object; where it was read from a text, those of a large one need not be collected again. */
export const ownKeys = (value: object): readonly string[] => keysRead.get(value) ?? Object.keys(value)

/** Which member of `container` a key of a pointer names; undefined where none. */
const memberAt = (container: object, { keys }: Members, key: string): number | undefined => {
  if (keys === undefined) return Object.hasOwn(container, key) ? Number(key) : undefined
  const index = keys.indexOf(key)
  return index < 0 ? undefined : index
}

/** By their first letters. */
const WORDS: ReadonlyMap<string | undefined, readonly [string, boolean | null]> = new Map([
  ["t", ["true", true]],
  ["f", ["false", false]],
  ["n", ["null", null]],
])

/**
 * Reads one JSON document; throws {@link JsonSyntaxError}.
 *
 * @param options.nonFinite also read `NaN`, `Infinity` and `-Infinity`, which Python's `json` writes
 */
export const parseJson = (text: string, options: { readonly nonFinite?: boolean } = {}): ParsedJson => {
  // Pointers of every place, as text, would cost more than everything else.
  const placed = new Map<object, Members>()
  const path: (string | number)[] = []
  const positionAt = positionsIn(text)
  let at = text.startsWith("\uFEFF") ? 1 : 0
  let mostKeys = 0

  const fail = (expected: string, offset = at, found?: string): never => {
    const end = offset >= text.length
    throw new JsonSyntaxError(
      positionAt(offset),
      path.reduce<string>(child, ""),
      expected,
      found ??
        (end ? "the end of the file" : JSON.stringify(String.fromCodePoint(text.codePointAt(offset)!))),
    )
  }
  const skip = () => {
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code !== SPACE && code !== TAB && code !== LINE_FEED && code !== RETURN) return
    }
  }
  const string = (expected: string): string => {
    if (text[at] !== '"') return fail(expected)
    // Character by character: an expression would be matched anew at each of a million escapes.
    let end = at + 1
    let escaped = false
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end)
      if (code === QUOTE || code < SPACE) break
      if (code !== BACKSLASH) continue
      escaped = true
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
        hit === "\\" ? "an escape such as \\n, \\\\ or \\u00e9" : "a closing quote",
        end,
        // Control characters end a string: JSON wants them escaped.
        hit === undefined ? undefined : JSON.stringify(text.slice(end, end + (hit === "\\" ? 2 : 1))),
      )
    }
    const start = at
    at = end + 1
    return escaped ? (JSON.parse(text.slice(start, at)) as string) : text.slice(start + 1, end)
  }
  const object = (depth: number): unknown => {
    const result: Record<string, unknown> = {}
    at++
    skip()
    if (text[at] === "}") return (at++, result)
    const starts: number[] = []
    const keys: string[] = []
    placed.set(result, { starts, keys })
    for (;;) {
      skip()
      const start = at
      const key = string(text[at] === "}" ? "another key after the comma" : "a key in double quotes")
      // No value of JSON is undefined; to ask for the own key alone takes as long as to set it.
      if (result[key] !== undefined && Object.hasOwn(result, key))
        fail("every key once", start, `the key ${JSON.stringify(key)} again`)
      skip()
      if (text[at] !== ":") fail(`':' after the key ${JSON.stringify(key)}`)
      at++
      path.push(key)
      const value = read(depth + 1)
      starts.push(start)
      keys.push(key)
      if (key === "__proto__")
        Object.defineProperty(result, key, { value, enumerable: true, writable: true, configurable: true })
      else result[key] = value
      skip()
      if (text[at] !== "}" && text[at] !== ",") fail("',' or '}'")
      path.pop()
      if (text[at++] !== "}") continue
      mostKeys = Math.max(mostKeys, keys.length)
      if (keys.length >= LARGE) rememberKeys(result, keys)
      return result
    }
  }
  const array = (depth: number): unknown => {
    const result: unknown[] = []
    at++
    skip()
    if (text[at] === "]") return (at++, result)
    const starts: number[] = []
    placed.set(result, { starts })
    for (;;) {
      skip()
      if (text[at] === "]") fail("another value after the comma")
      path.push(result.length)
      starts.push(at)
      result.push(read(depth + 1))
      skip()
      if (text[at] !== "]" && text[at] !== ",") fail("',' or ']'")
      path.pop()
      if (text[at++] === "]") return result
    }
  }
  const read = (depth: number): unknown => {
    if (depth > MAX_DEPTH) fail(`at most ${MAX_DEPTH} levels of nesting`)
    skip()
    const first = text[at]
    if (first === "{") return object(depth)
    if (first === "[") return array(depth)
    if (first === '"') return string("a string")
    const known = WORDS.get(first)
    if (known !== undefined && text.startsWith(known[0], at)) {
      at += known[0].length
      return known[1]
    }
    if (options.nonFinite === true)
      for (const word of ["NaN", "Infinity", "-Infinity"])
        if (text.startsWith(word, at)) {
          at += word.length
          return Number(word)
        }
    NUMBER.lastIndex = at
    if (!NUMBER.test(text)) return fail("a JSON value")
    const digits = text.slice(at, NUMBER.lastIndex)
    const number = Number(digits)
    if (!Number.isFinite(number)) fail("a number within the range of a double", at, digits)
    at = NUMBER.lastIndex
    return number
  }

  skip()
  const start = at
  const value = read(0)
  skip()
  if (at < text.length) fail("the end of the file")
  return {
    value,
    mostKeys,
    locate: (pointer) => {
      if (pointer === "") return positionAt(start)
      if (!pointer.startsWith("/")) return undefined
      let [inner, offset]: [unknown, number] = [value, start]
      for (const key of keysOf(pointer)) {
        const members = typeof inner === "object" && inner !== null ? placed.get(inner) : undefined
        if (members === undefined) return undefined
        const member = memberAt(inner as object, members, key)
        const found = member === undefined ? undefined : members.starts[member]
        if (found === undefined) return undefined
        offset = found
        inner = (inner as Record<string, unknown>)[key]
      }
      return positionAt(offset)
    },
  }
}
