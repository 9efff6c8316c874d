/** Specs that are large beyond reason: what is looked for and told stays bounded, whatever their size. */
import { readFile } from "node:fs/promises"
import { test, type Test } from "tap"
import { parseJson } from "../../src/spec/json.js"
import { decodeSpec } from "../../src/spec/spec-file.js"
import { SpecError } from "../../src/spec/spec-error.js"

const published = JSON.parse(await readFile("specs/mdlm_eos.json", "utf8")) as Record<string, object>

const refusal = (change: object, claims?: ReadonlySet<string>): SpecError => {
  try {
    decodeSpec(JSON.stringify({ ...published, ...change }), "x.json", "paper", claims)
  } catch (error) {
    if (error instanceof SpecError) return error
    throw error
  }
  throw new Error("it was accepted")
}

const keysOf = (count: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`unknown${i}`, i]))

/** A sentence for each of the first hundred, and the number of the others. */
const isBounded = (t: Test, { message, problems }: SpecError, count: number): void => {
  t.equal(problems.length, count)
  t.equal(message.split("\n").length, 102)
  t.match(message, new RegExp(`and ${count - 100} more$`))
  t.ok(
    problems.slice(100).every(({ nearest }) => nearest === undefined),
    "no near word is looked for beyond",
  )
}

test("unknown keys at the root, in an object and in the data", (t) => {
  isBounded(t, refusal(keysOf(150_000)), 150_000)
  isBounded(t, refusal({ training: { ...published["training"], ...keysOf(150_000) } }), 150_000)
  isBounded(t, refusal({ data: { ...published["data"], ...keysOf(20_000) } }), 20_000)
  t.end()
})

test("unknown claims are compared with the ledger for as long as they are told", (t) => {
  let looked = 0
  class Counted extends Set<string> {
    override [Symbol.iterator](): SetIterator<string> {
      looked++
      return super[Symbol.iterator]()
    }
  }
  const claims = Array.from({ length: 20_000 }, (_, i) => `no-such-claim-${i}`)
  isBounded(t, refusal({ claims, profiles: {} }, new Counted(["pr1241-headline"])), 20_000)
  t.equal(looked, 100)
  t.end()
})

test("strings of megabytes, plain and full of escapes", (t) => {
  for (const text of ["x".repeat(12_000_000), '"\\\n\t\u0001é'.repeat(500_000)]) {
    const { value } = parseJson(JSON.stringify({ text }))
    t.equal((value as { text: string }).text === text, true)
  }
  for (const [bad, where] of [
    ['{"a": "\\x"}', 8],
    ['{"a": "\\u12g4"}', 8],
    ['{"a": "b\nc"}', 9],
    ['{"a": "b', 9],
    ['{"a": "\\', 8],
  ] as const)
    t.throws(() => parseJson(bad), { name: "JsonSyntaxError", position: { line: 1, column: where } }, bad)
  t.end()
})
