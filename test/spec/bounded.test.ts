/** Specs that are large beyond reason: what is looked for and told stays bounded, whatever their size. */
import { readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import tap, { test, type Test } from "tap"
import { parseJson } from "../../src/spec/json.js"
import { crowdedProblems, MOST_PROFILES } from "../../src/spec/crowded.js"
import { decodeSpec, loadSpec } from "../../src/spec/spec-file.js"
import { cellCount, MOST_CELLS } from "../../src/spec/sweep.js"
import { SpecError } from "../../src/spec/spec-error.js"

tap.setTimeout(300_000)

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
const isBounded = (t: Test, { message, problems, more }: SpecError, count: number): void => {
  t.equal(problems.length, 100, "no words are made beyond")
  t.equal(problems.length + more, count)
  t.equal(message.split("\n").length, 102)
  t.match(message, new RegExp(`^x.json: ${count} problems\n`))
  t.match(message, new RegExp(`and ${count - 100} more$`))
}

test("unknown keys at the root, in an object and in the data", (t) => {
  isBounded(t, refusal(keysOf(150_000)), 150_000)
  isBounded(t, refusal({ training: { ...published["training"], ...keysOf(150_000) } }), 150_000)
  isBounded(t, refusal({ data: { ...published["data"], ...keysOf(20_000) } }), 20_000)
  t.end()
})

test("unknown keys in an overlay, and beside problems of the published configuration", (t) => {
  const overlays = (laptop: object): object => ({ profiles: { ...published["profiles"], laptop } })
  isBounded(t, refusal(overlays(keysOf(20_000))), 20_000)
  isBounded(t, refusal(overlays({ model: keysOf(20_000) })), 20_000)
  // The overlay inherits the wrong width, which is told once, where it stands.
  const model = { ...published["model"], width: "wide" }
  isBounded(t, refusal({ model, ...overlays({ model: keysOf(20_000) }) }), 20_001)
  t.end()
})

test("a file that extends another is refused for its unknown keys before anything is filled in", async (t) => {
  const file = join(t.testdir({}), "x.json")
  const refused = async (spec: object): Promise<SpecError> => {
    await writeFile(file, JSON.stringify(spec))
    try {
      await loadSpec(file, "paper")
    } catch (error) {
      if (error instanceof SpecError) return error
      throw error
    }
    throw new Error("it was accepted")
  }
  const counted = async (spec: object, count: number, place: string): Promise<void> => {
    const { problems, more } = await refused(spec)
    t.equal(problems.length + more, count)
    t.match(problems[0], { pointer: place, position: { line: 1 }, found: /^the unknown key "unknown0"/ })
  }
  const many = keysOf(20_000)
  await counted({ extends: "mdlm_eos", ...many }, 20_000, "/unknown0")
  await counted({ extends: "mdlm_eos", model: { width: 64, ...many } }, 20_000, "/model/unknown0")
  const laptop = { evaluations: [{ kind: "discrete-elbo", ...many }] }
  await counted({ extends: "mdlm_eos", profiles: { mine: many } }, 20_000, "/profiles/mine/unknown0")
  await counted(
    { extends: "mdlm_eos", profiles: { laptop } },
    20_000,
    "/profiles/laptop/evaluations/0/unknown0",
  )
  await counted({ ...published, model: { ...published["model"], ...many } }, 20_000, "/model/unknown0")
  t.match((await refused({ extends: "mdlm_eos", profiles: keysOf(5000) })).problems, [
    { pointer: "/profiles", expected: `at most ${MOST_PROFILES} profiles`, found: "5000 of them" },
  ])
  // A map of names is no object of unknown keys, however large.
  const digests = Object.fromEntries(
    Array.from({ length: 2000 }, (_, i) => [`file:${i}.bin`, "0".repeat(64)]),
  )
  const { told } = crowdedProblems({ data: { corpus: { kind: "files", sha256: digests } } }, 2000)
  t.same(told, [])
  // Nor does any spec that comes with the program have unknown keys, were it as crowded; overlays remove by null.
  for (const name of await readdir("specs"))
    if (name.endsWith(".json"))
      t.same(crowdedProblems(JSON.parse(await readFile(join("specs", name), "utf8")), 2000).told, [], name)
  t.end()
})

test("a network of a billion layers is refused by the number, not by listing their parameters", (t) => {
  const { problems } = refusal({ model: { ...published["model"], layers: 1e9 }, profiles: {} })
  t.match(problems, [{ pointer: "/model/layers", expected: "at most 1000 layers", found: "1000000000" }])
  t.end()
})

test("a key of megabytes is told by its beginning", (t) => {
  const { message, problems } = refusal({ ["k".repeat(12_000_000)]: 1 })
  t.equal(problems.length, 1)
  t.match(message, /unknown key "kkk/)
  t.ok(message.length < 2000)
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

test("a grid of a hundred million cells is counted, not made", (t) => {
  const values = Array.from({ length: 100 }, (_, i) => i + 1)
  const grid = ["layers", "width", "heads", "mlpMultiplier"].map((name) => ({
    name: name.toLowerCase(),
    pointer: `/model/${name}`,
    values,
  }))
  const sweep = { grid, seeds: [0] }
  t.equal(cellCount(sweep as never), 1e8)
  const { problems } = refusal({ sweep, profiles: {} })
  t.match(problems, [{ pointer: "/sweep", expected: `a sweep of at most ${MOST_CELLS} cells` }])
  t.match(problems[0]!.found, /^100000000 of them/)
  t.equal(
    refusal({ sweep: { seeds: Array.from({ length: MOST_CELLS + 1 }, (_, i) => i) } }).problems.length,
    1,
    "told once, not for every profile that inherits it",
  )
  t.end()
})

test("seeds are not looked at one by one: what is wrong in a cell is wrong for each of them", (t) => {
  const seeds = Array.from({ length: 300 }, (_, i) => i)
  const grid = [{ name: "heads", pointer: "/model/heads", values: [4, -1, "x"] }]
  const { problems } = refusal({ sweep: { grid, seeds }, profiles: {} })
  t.same(
    problems.map(({ pointer }) => pointer),
    ["/sweep/grid/0/values/1", "/sweep/grid/0/values/2"],
  )
  t.end()
})

test("names and titles that no folder or table could hold", (t) => {
  for (const [change, pointer, most] of [
    [{ id: "x".repeat(81) }, "/id", 80],
    [{ id: "x".repeat(12_000_000) }, "/id", 80],
    [{ title: "x".repeat(501) }, "/title", 500],
    [{ description: "x".repeat(20_001) }, "/description", 20_000],
  ] as const) {
    const { problems, message } = refusal(change)
    t.match(problems, [{ pointer, expected: `at most ${most} characters` }])
    t.ok(message.length < 500, "and what stands there is not said in full")
  }
  const { experiment } = decodeSpec(
    JSON.stringify({ ...published, id: "x".repeat(80), title: "x".repeat(500) }),
    "x.json",
    "paper",
  )
  t.equal(experiment.id.length, 80)
  t.end()
})
