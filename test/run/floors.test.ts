/** Floors are of exactly the tokens that an evaluation scored, in every alignment; text of a network's own has none. */
import { readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import t from "tap"
import { readTokens } from "../../src/data/corpora/corpus.js"
import { evaluatorPart } from "../../src/evaluators/index.js"
import { registerTraced } from "../../src/families/traced.js"
import { unigramBits } from "../../src/metric/code/floors.js"
import { readRun } from "../../src/run/directory.js"
import { readFloors } from "../../src/run/floors.js"
import { registerTask } from "../../src/tasks/index.js"
import { invoke } from "../cli/harness.js"
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
