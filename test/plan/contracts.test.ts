import { readdir } from "node:fs/promises"
import { test } from "tap"
import { compareContracts } from "../../src/metric/contract/compare.js"
import { contractOf } from "../../src/evaluators/index.js"
import { NOT_STATED } from "../../src/metric/contract/fields.js"
import type { Contract } from "../../src/metric/contract/contract.js"
import { plannedContracts } from "../../src/plan/plan.js"
import { runSummaries } from "../../src/analysis/run-table.js"
import { readRun } from "../../src/run/directory.js"
import { experimentOf } from "../../src/run/experiment-of.js"

const FOLDER = "docs/results/evidence"

/** A contract without what only the data or the machine can tell, and without the seed, which evidence does not hold. */
const known = ({ data, tokenizer, denominator, precision: _p, seeds: _s, ...rest }: Contract): unknown => ({
  ...rest,
  data: data === NOT_STATED ? data : { ...data, slice: "", coverage: "", export: "" },
  tokenizer: tokenizer === NOT_STATED ? tokenizer : { ...tokenizer, digest: "" },
  denominator: denominator === NOT_STATED ? denominator : { ...denominator, tokens: "", bytes: "" },
})

test("a run's measured contracts are its planned ones, up to what a plan cannot know", async (t) => {
  const names = await readdir(FOLDER)
  // One run of each experiment: the nets are the same for its seeds and cells.
  const first = [...new Map(names.map((name) => [name.replace(/^[^-]*-|-[^-]*$/g, ""), name])).values()]
  t.ok(first.length >= 5)
  for (const name of first) {
    const run = await readRun(`${FOLDER}/${name}`)
    const experiment = experimentOf(run)
    // Texts that were drawn have no code length.
    const drawn = new Set(experiment.evaluations.flatMap(({ id, kind }) => (kind === "samples" ? [id] : [])))
    const planned = new Map(
      plannedContracts(experiment).flatMap(({ evaluation, contract }) =>
        drawn.has(evaluation) ? [] : [[evaluation, contract]],
      ),
    )
    const measured = (await runSummaries(run)).filter(({ evaluationId }) => planned.has(evaluationId))
    t.equal(measured.length, planned.size, `${name}: every evaluation was measured`)
    for (const { evaluationId, evaluation, context } of measured) {
      const contract = contractOf(evaluation, { ...context, denominator: { kind: "byte-table" } })
      t.same(known(contract), known(planned.get(evaluationId)!), `${name} ${evaluationId}`)
      const { axes } = compareContracts(contract, planned.get(evaluationId)!)
      t.same(
        axes.filter(({ relation }) => relation === "different"),
        [],
        `${name} ${evaluationId}: comparable with its own plan`,
      )
    }
  }
})
