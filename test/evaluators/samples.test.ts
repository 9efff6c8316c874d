/** Samples as evidence: from a spec to the table, graded, stopped and gone on with. */
import { readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import t from "tap"
import type { Executor } from "../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { evaluate } from "../../src/evaluators/evaluate.js"
import type { KeptPart } from "../../src/evaluators/job.js"
import type { SampleItem } from "../../src/evaluators/samples/item.js"
import { networkOf } from "../../src/families/traced.js"
import { openItems } from "../../src/run/kept-items.js"
import { stoppable, StoppedError } from "../../src/run/passes.js"
import { loadSpec } from "../../src/spec/spec-file.js"
import { initialState } from "../../src/train/state.js"
import { starGraph, starPrompt, starTarget } from "../../src/tasks/star/graph.js"
import { drawsOf } from "../../src/tasks/generated.js"
import { loadCorpus, prepareCorpus, readTokens } from "../../src/data/corpora/corpus.js"
import { invoke } from "../cli/harness.js"
import { growingSpec } from "./samples-run.js"

t.setTimeout(540_000)

const star = {
  kind: "samples",
  id: "paths",
  count: 5,
  seeds: [0, 1],
  from: "validation",
  task: "star",
  sampling: { sampler: "events" },
}

const itemsOf = async (runs: string, run: string, id: string): Promise<readonly SampleItem[]> =>
  (await readFile(join(runs, run, "evidence", `${id}.ndjson`), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as SampleItem)

const nodes = (text: string | undefined): readonly number[] => text!.trim().split(" ").map(Number)

interface Row {
  readonly id: string
  readonly value: number
  readonly unit: string
  readonly interval: { readonly low: number; readonly high: number; readonly method: string } | null
}

void t.test("a run whose texts continue the prompts of star graphs", async (t) => {
  const { folder, spec } = await growingSpec("star", [
    star,
    { kind: "samples", id: "leaps", count: 4, seeds: [3], sampling: { sampler: "tau", steps: 8 } },
  ])
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const runs = join(folder, "runs")
  const ran = await invoke("run", spec, "--profile", "paper", "--runs", runs, "--json")
  t.equal(ran.code, 0, ran.stderr)
  const { run, rows } = JSON.parse(ran.stdout) as { readonly run: string; readonly rows: readonly Row[] }
  const items = await itemsOf(runs, run, "paths")
  t.equal(items.length, 10)
  t.same(
    items.map(({ seed, item }) => [seed, item]),
    [0, 1].flatMap((seed) => [0, 1, 2, 3, 4].map((item) => [seed, item])),
  )
  // The generator itself says what row k of the validation split is.
  for (const { item, prompt, target } of items) {
    const graph = starGraph("easy", drawsOf(7, "validation", item))
    t.same(nodes(prompt), starPrompt(graph))
    t.same(nodes(target), starTarget(graph))
  }
  const row = (id: string): Row => rows.find((each) => each.id === id)!
  const right = items.filter(({ graders }) => graders!["exact-match"]!.correct).length
  t.equal(row("paths/exact-match").value, right / 10)
  t.match(row("paths/exact-match").interval, { method: "Wilson" })
  const mean = items.reduce((sum, { tokens }) => sum + tokens.length, 0) / 10
  t.ok(Math.abs(row("paths/mean-length").value - mean) < 1e-12)
  t.equal(row("paths/forwards").value, items.reduce((sum, { forwards }) => sum + forwards, 0) / 10)
  t.ok(Math.abs(row("paths/entropy").value - row("paths/entropy-bits").value * Math.LN2) < 1e-12)
  // Every path of the level has four edges, so eight tokens: the distance is the mean of |length - 8|.
  const away = items.reduce((sum, { tokens }) => sum + Math.abs(tokens.length - 8), 0) / 10
  t.ok(Math.abs(row("paths/length-wasserstein").value - away) < 1e-9, `${away}`)
  for (const name of ["empty", "capped", "broken", "masked", "length-ks", "seconds"])
    t.ok(row(`paths/${name}`), name)
  t.notOk(row("leaps/exact-match"), "no grader without a task")
  t.equal((await itemsOf(runs, run, "leaps")).length, 4)
  const verified = await invoke("verify", "latest", "--runs", runs)
  t.equal(verified.code, 0, verified.stdout)
  const again = await invoke("table", "latest", "--runs", runs, "--format", "json")
  t.same((JSON.parse(again.stdout) as { rows: readonly Row[] }).rows, rows, "from the evidence alone")
  const evidence = join(runs, run, "evidence")
  const damaged = join(evidence, "paths.ndjson")
  await writeFile(damaged, (await readFile(damaged, "utf8")).replace('"correct":false', '"correct":true'))
  t.equal((await invoke("verify", "latest", "--runs", runs)).code, 1, "a verdict that was changed is found")
})

void t.test("what is refused, and the cure", async (t) => {
  const refused = async (change: object, pattern: RegExp): Promise<void> => {
    const { folder, spec } = await growingSpec("brackets", [
      { ...star, from: "nothing", task: "brackets", ...change },
    ])
    const found = await invoke("run", spec, "--profile", "paper", "--runs", join(folder, "runs"))
    t.not(found.code, 0)
    t.match(`${found.stdout}${found.stderr}`, pattern)
    await rm(folder, { recursive: true, force: true })
  }
  await refused(
    { sampling: { sampler: "ancestral" } },
    /\/evaluations\/0\/sampling\/sampler: expected events, tau, euler, confidence/,
  )
  await refused(
    { sampling: { sampler: "events", steps: 8 } },
    /\/sampling\/steps: expected nothing with the sampler events/,
  )
  await refused({ sampling: { sampler: "tau", hazard: "off" } }, /\/sampling\/hazard/)
  await refused({ seeds: [1, 1] }, /\/seeds\/1: expected each seed once/)
  await refused({ task: "bracket" }, /There is no task "bracket"; did you mean "brackets"/)
  await refused({ graders: ["balance"] }, /no grader of brackets "balance"/)
})

void t.test("stopped between any two passes and gone on with, the items are the same", async (t) => {
  const { folder, spec } = await growingSpec("brackets", [
    {
      kind: "samples",
      id: "texts",
      count: 7,
      seeds: [0, 5],
      task: "brackets",
      sampling: { sampler: "tau", steps: 6 },
    },
  ])
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const cacheDir = join(folder, "cache")
  const { experiment: stated } = await loadSpec(spec, "paper")
  const experiment = { ...stated, execution: { ...stated.execution, evaluationBatch: 3 } }
  await prepareCorpus(experiment.data, { cacheDir })
  const corpus = await loadCorpus(experiment.data, { cacheDir })
  const split = await readTokens(corpus.validation)
  const executor = await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  t.teardown(() => executor.dispose())
  const network = networkOf(experiment)
  const state = initialState(network, experiment.training)
  const parameters = Object.fromEntries(network.parameters.map(({ name }) => [name, state[name]!]))
  const evaluation = experiment.evaluations[0]
  const sampled = (on: Executor, kept?: Parameters<typeof evaluate>[0]["kept"]) =>
    evaluate({
      evaluation,
      experiment,
      network,
      parameters,
      executor: on,
      precision: "fp32",
      split,
      corpus,
      step: 0,
      ...(kept === undefined ? {} : { kept }),
    })
  const whole = await sampled(executor)
  let calls = 0
  for (const after of [1, 9, 23]) {
    let left = after
    const stopping = (): boolean => left-- <= 0
    const first = await openItems({ directory: folder, evaluation: "texts", of: "these" })
    await t.rejects(sampled(stoppable(executor, stopping), first), StoppedError)
    const second = await openItems({ directory: folder, evaluation: "texts", of: "these" })
    calls += second.found
    const gone = await sampled(executor, second)
    t.same(gone.items, whole.items, `stopped after ${after} passes`)
    await second.done()
  }
  t.ok(calls > 0, "groups that were done were found")
  const parts: KeptPart[] = []
  const damagedPath = join(folder, "partial", "texts.items.ndjson")
  const store = await openItems({ directory: folder, evaluation: "texts", of: "these" })
  await sampled(executor, {
    find: store.find,
    keep: async (part, made) => (parts.push(made), store.keep(part, made)),
  })
  const lines = (await readFile(damagedPath, "utf8")).split("\n")
  await writeFile(
    damagedPath,
    [
      lines[0],
      lines[1]!.replace('"seed":0', '"seed":9'),
      ...lines.slice(2, -2),
      lines.at(-2)!.slice(0, 40),
    ].join("\n"),
  )
  const mended = await openItems({ directory: folder, evaluation: "texts", of: "these" })
  t.equal(mended.found, parts.length - 2, "a changed and an unfinished part are passed over")
  t.same((await sampled(executor, mended)).items, whole.items)
  t.equal((await openItems({ directory: folder, evaluation: "texts", of: "others" })).found, 0)
  t.ok((await readdir(folder)).includes("partial"))
})
