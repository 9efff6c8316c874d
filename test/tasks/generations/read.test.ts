import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { fc, fuzz } from "../../fuzz.js"
import tap, { test } from "tap"
import type { Stored } from "../../../src/tasks/generations/formats.js"
import { jsonElements, type Rest } from "../../../src/tasks/generations/json-elements.js"
import { generationsFile, readGenerations } from "../../../src/tasks/generations/read.js"

const folder = await mkdtemp(join(tmpdir(), "repro-generations-"))
tap.teardown(() => rm(folder, { recursive: true }))
let files = 0

const read = async (content: string | Uint8Array) => {
  const path = join(folder, `file-${files++}`)
  await writeFile(path, content)
  const file = generationsFile(path)
  const stored: Stored[] = []
  for await (const each of readGenerations(file)) stored.push(each)
  return { file, stored }
}
const lines = (...records: readonly unknown[]): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join("")

test("FlexMDM's document: its generations one by one, the rest beside them", async (t) => {
  const document = {
    generations: [
      { question: "q1", prompt_input: "<|startoftext|>p", generations: "p \\boxed{1}", ground_truth: 1 },
      { question: "q2", generations: '], \\"{', ground_truth: null },
    ],
    metrics: { wall_time: 1.5 },
    checkpoint_path: "c",
    gen_length: 256,
    diffusion_steps: 128,
    block_length: 32,
  }
  for (const text of [
    JSON.stringify(document),
    JSON.stringify(document, null, 2),
    `\n ${JSON.stringify(document)}\n`,
  ]) {
    const { file, stored } = await read(text)
    t.equal(file.format, "flexmdm")
    t.same(
      stored.map(({ names, generation }) => [names, generation]),
      [
        [{ question: "q1" }, { text: "p \\boxed{1}", prompt: "<|startoftext|>p" }],
        [{ question: "q2" }, { text: '], \\"{' }],
      ],
    )
    t.equal(stored[1]!.fields["ground_truth"], null)
    const { generations: _, ...about } = document
    t.same(file.about, about)
  }
  // A first line that is longer than what is looked at.
  const long = { generations: [{ question: "q".repeat(9000), generations: "1", ground_truth: 1 }] }
  t.equal((await read(JSON.stringify(long))).stored.length, 1)
})

const harnessLine = (filter: string, exact: number) => ({
  doc_id: 4,
  doc: { question: "q", answer: "a #### 3" },
  target: "a #### 3",
  arguments: [["prompt", {}]],
  resps: [["#### 3"]],
  filtered_resps: ["3"],
  filter,
  metrics: ["exact_match"],
  exact_match: exact,
})

test("lm-evaluation-harness: a line for each document and filter, every response a sample", async (t) => {
  const { file, stored } = await read(
    lines(harnessLine("strict-match", 1), harnessLine("flexible-extract", 0)),
  )
  t.equal(file.format, "lm-eval")
  t.same(
    stored.map(({ filter, recorded }) => [filter, recorded]),
    [
      ["strict-match", { "strict-match": true }],
      ["flexible-extract", { flexible: false }],
    ],
  )
  t.same(stored[0]!.names, { id: "4", question: "q" })
  t.equal(stored[0]!.fields["answer"], "a #### 3")
  const several = await read(lines({ ...harnessLine("x", 1), resps: [["a", "b"], ["c"]] }))
  t.same(
    several.stored.map(({ generation }) => generation.text),
    ["a", "b", "c"],
  )
})

test("HumanEval, its results, EvalPlus, xlm-core and plain lines", async (t) => {
  const human = await read(lines({ task_id: "T/0", completion: "x\n", passed: false, result: "failed: " }))
  t.equal(human.file.format, "human-eval")
  t.match(human.stored, [{ names: { id: "T/0" }, recorded: { official: false } }])
  const plus = await read(lines({ task_id: "T/0", solution: "def f(): ..." }))
  t.equal(plus.file.format, "evalplus")
  t.same(plus.stored[0]!.generation, { text: "def f(): ...", whole: true })
  const xlm = await read(lines({ generated_text: " ", text: "whole", answer: "3", correct: true, id: 2 }))
  t.equal(xlm.file.format, "xlm")
  t.match(xlm.stored, [{ generation: { text: "whole" }, recorded: { "execution-published": true } }])
  const plain = await read(
    `\n${lines({ index: 0, output: "a", finish_reason: "length" }, { item: "b", text: "" })}`,
  )
  t.equal(plain.file.format, "plain")
  t.match(plain.stored, [
    { names: { id: "0" }, truncated: true },
    { names: { id: "b" }, generation: { text: "" } },
  ])
  const packed = await read(gzipSync(lines({ id: 1, completion: "\u00e9" }).trimEnd()))
  t.equal(packed.stored[0]!.generation.text, "\u00e9")
  const array = await read(JSON.stringify([{ id: 1, completion: "x" }]))
  t.equal(array.stored.length, 1)
})

test("Python's NaN and infinities are no numbers, in a document and in lines", async (t) => {
  const words =
    '{"generations": [{"question": "q", "generations": "NaN \\"Infinity", "ground_truth": NaN}], "x": [-Infinity]}'
  for (const text of [words, words.replaceAll(", ", ",\r\n")]) {
    const { file, stored } = await read(text)
    t.match(stored, [{ generation: { text: 'NaN "Infinity' }, fields: { ground_truth: null } }])
    t.same(file.about, { x: [null] })
  }
  const { stored } = await read(
    '{"id": 1, "completion": "a", "p": NaN}\r\n{"id": 2, "completion": "NaN", "p": Infinity}\r\n',
  )
  t.match(stored, [{ fields: { p: null } }, { generation: { text: "NaN" }, fields: { p: null } }])
})

test("a number is a name as well, and a verdict may be a truth value", async (t) => {
  const { stored } = await read(lines({ id: 1.5, completion: "a" }, { id: "1.5", completion: "b" }))
  t.same(
    stored.map(({ names }) => names.id),
    ["1.5", "1.5"],
  )
  const harness = await read(lines({ ...harnessLine("strict-match", 1), exact_match: true }))
  t.same(harness.stored[0]!.recorded, { "strict-match": true })
})

test("what is no file of generations is refused with its place", async (t) => {
  const cases: readonly (readonly [string | Uint8Array, RegExp])[] = [
    ["", /it is empty/],
    ["  \n", /it is empty/],
    [lines({ id: 1, score: 2 }), /line 1: it is no form.*fields id, score.*Known/s],
    [lines({ id: 1, completion: "a" }, { id: 2 }), /line 2: it is not a record of plain/],
    [`${lines({ id: 1, completion: "a" })}{"id": 2, `, /line 2: it is not JSON/],
    [lines({ id: 1, completion: "a" }, [1]), /line 2: each line must be one JSON object/],
    ['{"generations": []}', /no generations/],
    ['{"metrics": {}}', /no generations|no form/],
    ['{"generations": [{"question": "q", "generations": "x", "ground_truth": 1}, {"que', /is the file whole/],
    ['{"generations": [3]}', /generation 1: a generation must be a JSON object/],
    [Uint8Array.of(0x7b, 0xff, 0xfe), /not UTF-8/],
    [Buffer.from("\ufeff{}", "utf16le"), /UTF-16.*save it as UTF-8/],
    [lines({ id: 1, completion: "a" }, { id: 2, completion: null }), /line 2.*completion \(null\)/],
    [lines({ ...harnessLine("x", 1), resps: [] }), /lm-evaluation-harness.*resps \(a list\)/],
    [lines({ ...harnessLine("x", 1), resps: [[["-1.5", false]]] }), /line 1: it is not a record of lm-eval/],
    ['{"id": 1, "completion": "a", "p": NaN', /line 1: it is not JSON/],
  ]
  for (const [content, message] of cases)
    await t.rejects(read(content), { name: "DataError", message }, String(content).slice(0, 40))
})

const pieces = async function* (text: string, cuts: readonly number[]): AsyncGenerator<string> {
  let from = 0
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    const to = Math.min(text.length, cut)
    yield text.slice(from, to)
    from = Math.max(from, to)
  }
  yield text.slice(from)
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const collect = async (text: string, cuts: readonly number[]) => {
  const rest: Rest = {}
  const values: unknown[] = []
  for await (const { value } of jsonElements(pieces(text, cuts), "list", rest)) values.push(value)
  return { values, rest }
}

test("elements are what JSON.parse gives, wherever the pieces are cut", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue(), { maxLength: 5 }),
      fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 }),
      fc.array(fc.nat(400), { maxLength: 6 }),
      fc.constantFrom(undefined, 1),
      async (list, fields, cuts, indent) => {
        const rest = Object.fromEntries(
          Object.entries(fields).filter(([key]) => key !== "list" && key !== "__proto__"),
        )
        const inObject = await collect(JSON.stringify({ ...rest, list }, null, indent), cuts)
        t.strictSame(plain(inObject), plain({ values: list, rest }))
        t.strictSame(plain((await collect(JSON.stringify(list, null, indent), cuts)).values), plain(list))
      },
    ),
    fuzz(200),
  )
  for (const broken of [
    "[1,,2]",
    "[1,2",
    "[1]]",
    '{"list": [1}',
    "[1] x",
    "3",
    '"x"',
    "{1: 2}",
    "[1 2]",
    '{"list":[1,]}',
  ])
    await t.rejects(collect(broken, []), { name: "ElementError" }, broken)
})
