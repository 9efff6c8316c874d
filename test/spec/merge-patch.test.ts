import { fc, fuzz } from "../fuzz.js"
import { test } from "tap"
import { differencesOf, mergePatch, patchBetween } from "../../src/spec/merge-patch.js"

test("the examples of RFC 7396, appendix A", async (t) => {
  const examples: readonly (readonly [unknown, unknown, unknown])[] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [
      ["a", "b"],
      ["c", "d"],
      ["c", "d"],
    ],
    [{ a: "b" }, ["c"], ["c"]],
    [{ a: "foo" }, null, null],
    [{ a: "foo" }, "bar", "bar"],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]
  for (const [target, patch, result] of examples) t.same(mergePatch(target, patch), result)
})

const json = fc.jsonValue({ maxDepth: 3 })
const object = fc.dictionary(fc.string({ maxLength: 3 }), json, { maxKeys: 4 })

test("laws: the empty patch changes nothing but the form; a patch applied twice is applied once", async (t) => {
  fc.assert(
    fc.property(object, object, (target, patch) => {
      const once = mergePatch(target, patch)
      t.same(JSON.stringify(mergePatch(target, {})), JSON.stringify(target))
      t.same(mergePatch(once, patch), once)
      return true
    }),
    fuzz(100),
  )
})

test("a key named __proto__ stays a key", async (t) => {
  const merged = mergePatch({}, JSON.parse(`{"__proto__": {"x": 1}}`)) as object
  t.same(Object.keys(merged), ["__proto__"])
  t.equal(Object.getPrototypeOf(merged), Object.prototype)
})

test("differences are the smallest places", async (t) => {
  t.same(differencesOf({ a: 1, b: { c: [1, 2] }, d: 1 }, { a: 1, b: { c: [1, 3] }, e: 2 }), [
    { pointer: "/b/c/1", before: 2, after: 3 },
    { pointer: "/d", before: 1, after: undefined },
    { pointer: "/e", before: undefined, after: 2 },
  ])
  t.same(differencesOf([1], [1, 2]), [{ pointer: "", before: [1], after: [1, 2] }])
})

test("the patch between two documents makes the second of the first", (t) => {
  const value = fc.letrec<{ any: unknown }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      fc.integer({ min: 0, max: 2 }),
      fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 2 }),
      fc.dictionary(fc.constantFrom("a", "b", "c"), tie("any")),
    ),
  })).any
  fc.assert(
    fc.property(value, value, (before, after) => {
      t.same(mergePatch(before, patchBetween(before, after)), after)
    }),
    fuzz(300),
  )
  t.same(patchBetween({ a: 1, b: { c: 1, d: 2 } }, { b: { c: 1, d: 3 } }), { a: null, b: { d: 3 } })
  t.end()
})
