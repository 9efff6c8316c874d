import { fc, fuzz } from "../fuzz.js"
import { test } from "tap"
import { child } from "../../src/spec/pointer.js"
import { JsonSyntaxError, parseJson } from "../../src/spec/json.js"
import { formatProblem } from "../../src/spec/spec-error.js"

const message = (text: string): string => {
  try {
    parseJson(text)
  } catch (error) {
    if (error instanceof JsonSyntaxError) return error.message
    throw error
  }
  return "accepted"
}

test("agrees with JSON.parse on every JSON text", async (t) => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      t.same(JSON.stringify(parseJson(text).value), JSON.stringify(JSON.parse(text)))
    }),
    fuzz(300),
  )
  t.pass("300 texts")
})

test("accepts nothing that JSON.parse refuses", async (t) => {
  const text = fc.string({ unit: fc.constantFrom(...'{}[]",:0123.eE+-tfn\\u \n\u0000'), maxLength: 12 })
  let refused = 0
  fc.assert(
    fc.property(text, (some) => {
      let valid = true
      try {
        JSON.parse(some)
      } catch {
        valid = false
        refused++
      }
      return valid || message(some) !== "accepted"
    }),
    fuzz(3000),
  )
  t.ok(refused > 1000, "the texts are mostly invalid")
})

test("a syntax error has line, column, expectation and finding", async (t) => {
  t.same(message(`{\n  "a": 1\n  "b": 2\n}`), `line 3, column 3: expected ',' or '}', found "\\""`)
  t.same(message(`{"a": [1, 2,]}`), `line 1, column 13: expected another value after the comma, found "]"`)
  t.same(message(`{"a": 1,}`), `line 1, column 9: expected another key after the comma, found "}"`)
  t.same(message(`{a: 1}`), `line 1, column 2: expected a key in double quotes, found "a"`)
  t.same(message(`{"a" 1}`), `line 1, column 6: expected ':' after the key "a", found "1"`)
  t.same(message(`{"a": "x`), `line 1, column 9: expected a closing quote, found the end of the file`)
  t.same(
    message(`"a\\x"`),
    `line 1, column 3: expected an escape such as \\n, \\\\ or \\u00e9, found "\\\\x"`,
  )
  t.same(message(`[1] 2`), `line 1, column 5: expected the end of the file, found "2"`)
  t.same(message(``), `line 1, column 1: expected a JSON value, found the end of the file`)
  t.same(message(`[1e999]`), `line 1, column 2: expected a number within the range of a double, found 1e999`)
})

test("a key given twice is refused, where JSON.parse would keep the last", async (t) => {
  t.same(message(`{"a": 1,\n "a": 2}`), `line 2, column 2: expected every key once, found the key "a" again`)
})

test("deep nesting is a sentence, not a stack overflow", async (t) => {
  t.match(message("[".repeat(100_000)), /at most 200 levels/)
})

test("a string of megabytes, escapes included, is read whole", async (t) => {
  // Expected: JSON.parse of the same text.
  for (const text of [`{"a":"${"x".repeat(4e6)}"}`, `{"a":"${"x\\n".repeat(2e6)}"}`])
    t.ok(JSON.stringify(parseJson(text).value) === JSON.stringify(JSON.parse(text)))
  t.match(message(`"${"x\\n".repeat(2e6)}`), /a closing quote/)
})

test("control characters of a problem never reach a terminal", async (t) => {
  const told = formatProblem({
    pointer: "/no\u001b[2J",
    expected: "a\u0007",
    found: "\u202ex",
    hint: "\u009b",
  })
  t.equal(told, "/no\\u001b[2J: expected a\\u0007, found \\u202ex. \\u009b")
})

test("every place can be located", async (t) => {
  const { locate } = parseJson(`{\n "a/b": [10,\n  {"~": true}]\n}`)
  t.same(locate(""), { line: 1, column: 1 })
  t.same(locate("/a~1b"), { line: 2, column: 2 })
  t.same(locate("/a~1b/0"), { line: 2, column: 10 })
  t.same(locate("/a~1b/1/~0"), { line: 3, column: 4 })
  t.equal(locate("/nowhere"), undefined)
})

test("every place of a text is found again, and no other", (t) => {
  /** Every pointer below a value, with the text that stands at its place. */
  const places = (value: unknown, pointer: string): readonly (readonly [string, string])[] =>
    typeof value !== "object" || value === null
      ? []
      : Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
          const at = child(pointer, key)
          const text = JSON.stringify(Array.isArray(value) ? inner : key)
          return [[at, text] as const, ...places(inner, at)]
        })
  fc.assert(
    fc.property(fc.json(), (text) => {
      const { value, locate } = parseJson(text)
      for (const [pointer, starts] of places(value, "")) {
        const position = locate(pointer)
        // fc.json writes one line; numbers may be written otherwise than JSON.stringify does, their first digit not.
        t.ok(
          position?.line === 1 && text.slice(position.column - 1).startsWith(starts.slice(0, 1)),
          `${pointer} in ${text}`,
        )
        t.equal(locate(`${pointer}/no such key`), undefined)
      }
    }),
    fuzz(200),
  )
  const { locate } = parseJson('{"b": {"10": 1, "2": [7, {"~/": 0}]},\n "a": 1}')
  t.same(
    ["", "/b", "/b/10", "/b/2", "/b/2/0", "/b/2/1/~0~1", "/a"].map((pointer) => locate(pointer)?.column),
    [1, 2, 8, 17, 23, 27, 2],
  )
  for (const pointer of ["b", "/c", "/b/2/length", "/b/2/2", "/b/2/01", "/a/0", "/b/toString"])
    t.equal(locate(pointer), undefined, pointer)
  t.end()
})
