import { readFile } from "node:fs/promises"
import { test } from "tap"
import { mergePatch } from "../../src/spec/merge-patch.js"
import { formatProblem, SpecError } from "../../src/spec/spec-error.js"
import { cellExperiment, decodeSpec, loadSpec } from "../../src/spec/spec-file.js"
import { cellsOf, type Sweep } from "../../src/spec/sweep.js"

const SWEEP: Sweep = {
  grid: [
    { name: "heads", pointer: "/model/heads", values: [2, 4] },
    { name: "weight", pointer: "/objective/weight", values: ["dsigma", "nelbo"] },
  ],
  seeds: [0, 7],
  streams: "paired",
}

test("every combination for every seed, seeds fastest", async (t) => {
  t.same(
    cellsOf(SWEEP).map(({ name }) => name),
    [
      "heads=2,weight=dsigma,seed=0",
      "heads=2,weight=dsigma,seed=7",
      "heads=2,weight=nelbo,seed=0",
      "heads=2,weight=nelbo,seed=7",
      "heads=4,weight=dsigma,seed=0",
      "heads=4,weight=dsigma,seed=7",
      "heads=4,weight=nelbo,seed=0",
      "heads=4,weight=nelbo,seed=7",
    ],
  )
})

test("paired cells of one seed share it; independent cells never do", async (t) => {
  t.same(new Set(cellsOf(SWEEP).map(({ runSeed }) => runSeed)), new Set([0, 7]))
  const independent = cellsOf({ ...SWEEP, streams: "independent" }).map(({ runSeed }) => runSeed)
  t.equal(new Set(independent).size, independent.length)
})

test("a cell's experiment has its settings and seed, and its own fingerprint", async (t) => {
  const spec = await loadSpec("specs/ablation_heads.json", "laptop")
  const cells = cellsOf(spec.sweep!)
  t.equal(cells.length, spec.sweep!.grid![0].values.length * spec.sweep!.seeds.length)
  for (const cell of cells) {
    const { model, training } = cellExperiment(spec, cell)
    t.equal(model.heads, cell.settings[0]?.value)
    t.equal(training.seed, cell.seed)
  }
})

test("cells that cannot be are found when the file is read", async (t) => {
  const text = await readFile("specs/ablation_heads.json", "utf8")
  const problems = (sweep: unknown): readonly string[] => {
    const document = mergePatch(JSON.parse(text), { sweep, profiles: { laptop: null, ci: null } })
    try {
      decodeSpec(JSON.stringify(document), "x.json", "paper")
    } catch (error) {
      if (error instanceof SpecError)
        return error.problems.map(({ position: _position, ...rest }) => formatProblem(rest))
      throw error
    }
    return []
  }
  t.same(problems({ grid: [{ name: "heads", pointer: "/model/heads", values: [2, 7] }] }), [
    "/sweep/grid/0/values/1: expected a divisor of the width 512, found 7. In cell heads=7,seed=0 at /model/heads.",
  ])
  t.same(problems({ grid: [{ name: "x", pointer: "/modle/heads", values: [2] }] }), [
    `/sweep/grid/0/pointer: expected a pointer to a place in this experiment, found "/modle/heads".`,
  ])
  t.match(problems({ grid: [{ name: "x", pointer: "/model/hedas", values: [2] }] })[0], /unknown key "hedas"/)
  t.match(problems({ grid: [{ name: "x", pointer: "model", values: [2] }] })[0], /JSON pointer/)
})
