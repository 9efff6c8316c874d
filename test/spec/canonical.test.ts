import { fc } from "../fuzz.js"
import { test } from "tap"
import { canonicalJson } from "../../src/spec/canonical.js"

test("the examples of RFC 8785, section 3.2", async (t) => {
  const value = {
    numbers: [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    string: "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"/",
    literals: [null, true, false],
  }
  t.equal(
    canonicalJson(value),
    `{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA'B\\"\\\\\\\\\\"/"}`,
  )
  // Keys are ordered by UTF-16 units (section 3.2.3).
  const keys = { "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6, "\u00f6": 7 }
  t.same(
    [...canonicalJson(keys).matchAll(/:(\d)/g)].map((match) => match[1]),
    ["2", "4", "6", "7", "1", "5", "3"],
  )
  t.equal(canonicalJson(-0), "0")
})

test("what JSON cannot say is refused", async (t) => {
  for (const value of [NaN, Infinity, 1n, () => 0, "\ud800", { "\udc00": 1 }])
    t.throws(() => canonicalJson(value), TypeError)
})

const shuffled = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(shuffled)
    : typeof value === "object" && value !== null
      ? Object.fromEntries(
          Object.entries(value)
            .reverse()
            .map(([key, inner]) => [key, shuffled(inner)]),
        )
      : value

test("the order of keys changes nothing; any other change does; the text reads back", async (t) => {
  const json = fc.jsonValue({ maxDepth: 3, stringUnit: "grapheme" })
  fc.assert(
    fc.property(json, json, (a, b) => {
      const text = canonicalJson(a)
      const equal = JSON.stringify(shuffled(shuffled(a))) === JSON.stringify(shuffled(shuffled(b)))
      return (
        canonicalJson(shuffled(a)) === text &&
        canonicalJson(JSON.parse(text)) === text &&
        (!equal || text === canonicalJson(b)) &&
        canonicalJson([a, b]) === `[${text},${canonicalJson(b)}]`
      )
    }),
  )
  t.pass()
})
