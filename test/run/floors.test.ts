/** Floors are of exactly the tokens that an evaluation scored, in every alignment; text of a network's own has none. */
import { readFile, readdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import t from "tap"
import { readTokens } from "../../src/data/corpora/corpus.js"
import { writeShard } from "../../src/data/rows/shards.js"
import { pieceFile } from "../../src/data/tokenizers/piece-file.js"
import { evaluatorPart } from "../../src/evaluators/index.js"
import { registerTraced } from "../../src/families/traced.js"
import { unigramBits } from "../../src/metric/code/floors.js"
import { readRun } from "../../src/run/directory.js"
import { readFloors } from "../../src/run/floors.js"
import { registerTask } from "../../src/tasks/index.js"
import { invoke } from "../cli/harness.js"
import { growingSpec } from "../evaluators/samples-run.js"
import { toy } from "../toy/family.js"
import { toySpec } from "../toy/spec.js"
import { LETTERS, oneLetter } from "../toy/task.js"

t.setTimeout(540_000)

const elbo = (id: string, windows: object): object => ({
  kind: "discrete-elbo",
  id,
  windows,
  steps: 4,
  seed: 3,
  draws: 1,
})

void t.test("each alignment has floors of its own targets", async (t) => {
  const removals = [registerTraced(toy), registerTask(oneLetter)]
  const { folder, spec } = await toySpec({
    training: { stepsPerGroup: 2 },
    evaluations: [
      elbo("raw", { length: 6, count: 7, alignment: "raw-stream" }),
      elbo("chunks", { length: 8, count: 5, alignment: "document-chunks" }),
      elbo("again", { length: 8, count: 5, alignment: "document-chunks" }),
      { kind: "samples", id: "words", count: 2, seeds: [0], sampling: { sampler: "ancestral" } },
    ],
  })
  const runs = join(folder, "runs")
  t.teardown(async () => {
    for (const remove of removals) remove()
    await rm(folder, { recursive: true, force: true })
  })
  const ran = await invoke("run", spec, "--profile", "paper", "--runs", runs)
  t.equal(ran.code, 0, ran.stderr)
  const run = await readRun(
    join(
      runs,
      (await readdir(runs)).find((name) => name.includes("toy"))!,
    ),
  )
  const unigrams = (await readFloors(run))!.filter(({ id }) => id === "unigram")
  t.same(
    unigrams.map(({ targets }) => targets?.evaluations),
    [["raw"], ["chunks", "again"]],
    "equal targets together, and none of the samples",
  )
  const train = await readTokens([join(folder, "train.bin")])
  for (const [i, id] of ["raw", "chunks"].entries()) {
    const file = await run.readEvidence(id)
    const { windows, targets } = evaluatorPart({ kind: "discrete-elbo" }).references!(file, id)
    const score = Uint32Array.from(targets, (target) => windows.tokens[target]!)
    // 7 windows of 6; 5 chunks, each a boundary and seven letters.
    t.equal(score.length, id === "raw" ? 42 : 40)
    const vocabSize = LETTERS.length + 1
    const bits = unigramBits({ train, score, previous: [], contextOf: () => undefined, vocabSize })
    const mean = bits.reduce((a, b) => a + b, 0) / score.length
    t.equal(unigrams[i]!.targets?.tokens, score.length)
    t.ok(Math.abs(unigrams[i]!.bitsPerToken! - mean) < 1e-12, `${unigrams[i]!.bitsPerToken} ${mean}`)
  }
})

// Rows of 8 that end with an anchor: a document without a prompt, one with, one without a target, one of two rows; a
// tail that no boundary ends.
const [END, SEPARATOR] = [20, 21]
const DOCUMENTS = [
  [1, 2, 3],
  [4, 5, SEPARATOR, 6, 7],
  [8, SEPARATOR],
  [9, 10, 11, 12, 13, 14, 15, 16, 17],
]
const stream = (documents: readonly (readonly number[])[], tail: readonly number[] = []): Uint16Array =>
  Uint16Array.from([END, ...documents.flatMap((document) => [...document, END]), ...tail])

for (const separator of ["kept", "dropped"] as const)
  void t.test(`whole documents: targets, and the end of each, with separators ${separator}`, async (t) => {
    const train = stream(Array.from({ length: 40 }, (_, k) => [k % 19, SEPARATOR, (k * 3) % 17, k % 5]))
    const { folder, spec } = await growingSpec(
      "star",
      [
        {
          kind: "insertion-nelbo",
          id: "code-length",
          windows: { length: 8, count: 99, alignment: "documents" },
          strata: 2,
          draws: 1,
          seed: 3,
        },
      ],
      { data: { batching: { length: 8, separator } } },
    )
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    const at = (name: string): string => join(folder, name)
    await writeShard(at("train.bin"), train)
    await writeShard(at("val.bin"), stream(DOCUMENTS, [18]))
    await writeFile(
      at("pieces.json"),
      pieceFile(
        Array.from({ length: 20 }, (_, node) => `${node} `),
        ["<s>", "<sep>"],
      ),
    )
    const given = JSON.parse(await readFile(spec, "utf8")) as {
      data: { corpus: object; tokenizer: { model: string } }
    }
    given.data.corpus = {
      kind: "files",
      train: [`file:${at("train.bin")}`],
      validation: [`file:${at("val.bin")}`],
    }
    given.data.tokenizer.model = `file:${at("pieces.json")}`
    await writeFile(spec, JSON.stringify(given))
    const runs = join(folder, "runs")
    const ran = await invoke("run", spec, "--profile", "paper", "--runs", runs)
    t.equal(ran.code, 0, ran.stderr)
    const run = await readRun(
      join(
        runs,
        (await readdir(runs)).find((name) => name.includes("star"))!,
      ),
    )
    const floors = (await readFloors(run))!
    const targets = [1, 2, 3, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17]
    for (const { id, targets: of } of floors) {
      t.same(of?.evaluations, ["code-length"], id)
      t.equal(of?.tokens, targets.length, "the given tokens and the ends are not counted")
    }
    const score = Uint32Array.from([...targets, END, END, END, END])
    const bits = unigramBits({ train, score, previous: [], contextOf: () => undefined, vocabSize: 22 })
    const unigram = floors.find(({ id }) => id === "unigram")!.bitsPerToken!
    t.ok(Math.abs(unigram * targets.length - bits.reduce((a, b) => a + b, 0)) < 1e-9, `${unigram}`)
    const uniform = floors.find(({ id }) => id === "uniform")!
    t.ok(Math.abs(uniform.bitsPerToken! * targets.length - score.length * Math.log2(22)) < 1e-9)
    t.match(uniform.notes, [/ends of 4 documents are charged/])
    t.notOk(
      floors.some(({ id }) => id === "source"),
      "files have no known source",
    )
  })
