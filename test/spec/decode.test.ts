import * as Schema from "effect/Schema"
import { test } from "tap"
import { decodeJson, problemsOf } from "../../src/spec/decode.js"
import { formatProblem, SpecError } from "../../src/spec/spec-error.js"

const Shape = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("circle"), radius: Schema.Finite.check(Schema.isGreaterThan(0)) }),
  Schema.Struct({
    kind: Schema.Literal("square"),
    side: Schema.Int,
    tilted: Schema.optionalKey(Schema.Boolean),
  }),
])
const Drawing = Schema.Struct({
  name: Schema.String.annotate({ description: "What it shows." }),
  colour: Schema.Literals(["red", "green", "blue"]),
  pair: Schema.Tuple([Schema.Finite, Schema.Finite]),
  shapes: Schema.NonEmptyArray(Shape),
}).check(
  Schema.makeFilter((drawing) =>
    drawing.pair[0] < drawing.pair[1] ? undefined : { path: ["pair", 0], issue: "a number below the second" },
  ),
)

const problems = (text: string) => {
  try {
    decodeJson(Drawing, text, "drawing.json")
  } catch (error) {
    if (error instanceof SpecError) return error.problems
    throw error
  }
  return []
}
const lines = (text: string) => problems(text).map(formatProblem)

test("a valid document decodes", async (t) => {
  const drawing = { name: "a", colour: "red", pair: [1, 2], shapes: [{ kind: "square", side: 3 }] }
  t.same(decodeJson(Drawing, JSON.stringify(drawing), "drawing.json"), drawing)
})

test("all problems come at once, each with place, expectation, finding and nearest word", async (t) => {
  const text = `{
  "nmae": "a",
  "colour": "gren",
  "pair": [1, "2"],
  "shapes": [
    { "kind": "cirle", "radius": -1 },
    { "kind": "square", "side": 1.5, "tiltd": true },
    { "radius": 1 }
  ]
}`
  t.same(lines(text), [
    `2:3 /nmae: expected one of the keys name, colour, pair, shapes, found the unknown key "nmae". Did you mean "name"?`,
    `1:1 /name: expected a string, found nothing. name: What it shows.`,
    `3:3 /colour: expected "red", "green" or "blue", found "gren". Did you mean "green"?`,
    `4:15 /pair/1: expected a finite number, found "2".`,
    `6:7 /shapes/0/kind: expected "circle" or "square", found "cirle". Did you mean "circle"?`,
    `6:24 /shapes/0/radius: expected a value greater than 0, found -1.`,
    `7:38 /shapes/1/tiltd: expected one of the keys kind, side, tilted, found the unknown key "tiltd". Did you mean "tilted"?`,
    `7:25 /shapes/1/side: expected an integer, found 1.5.`,
    `8:5 /shapes/2/kind: expected "circle" or "square", found nothing.`,
  ])
})

test("a check on the whole is reported where it points, once the parts are right", async (t) => {
  t.same(lines(`{"name":"a","colour":"red","pair":[2,1],"shapes":[{"kind":"square","side":3}]}`), [
    `1:36 /pair/0: expected a number below the second, found 2.`,
  ])
})

test("lengths of lists and tuples", async (t) => {
  t.same(lines(`{"name":"a","colour":"red","pair":[1,2,3],"shapes":[]}`), [
    `1:28 /pair: expected a list of 2, found a list of 3.`,
    `1:43 /shapes: expected a list of at least 1, found an empty list.`,
  ])
})

test("the wrong type of the whole document", async (t) => {
  t.same(lines(`[1]`), [`1:1 (whole document): expected an object, found a list of 1.`])
  t.same(lines(`null`), [`1:1 (whole document): expected an object, found null.`])
})

test("a name that is far from every valid one gets no suggestion", async (t) => {
  t.equal(
    problems(`{"name":"a","colour":"xyzzy","pair":[1,2],"shapes":[{"kind":"square","side":3}]}`)[0]?.nearest,
    undefined,
  )
})

test("keys that objects inherit are neither present nor valid", async (t) => {
  const found = problemsOf(Drawing, JSON.parse(`{"__proto__": 1, "toString": 2}`)).told.map(
    ({ pointer }) => pointer,
  )
  t.same(found, ["/__proto__", "/toString", "/name", "/colour", "/pair", "/shapes"])
})

test("the message heads the list with the file and the count", async (t) => {
  t.throws(
    () => decodeJson(Schema.Struct({ c: Schema.optionalKey(Schema.Int) }), `{"a":1,"b":2}`, "x.json"),
    {
      name: "SpecError",
      file: "x.json",
      message: /^x\.json: 2 problems\n {2}1:2 \/a: /,
    },
  )
})
