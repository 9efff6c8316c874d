import { readdir } from "node:fs/promises"
import { test } from "tap"
import { networkOf } from "../../src/families/traced.js"
import { countParameters } from "../../src/model/parameters.js"
import { forwardFlops, memoryEstimate } from "../../src/plan/cost.js"
import { parameterCount } from "../../src/plan/parameters.js"
import { makePlan } from "../../src/plan/plan.js"
import { duration, renderPlan, si, whole } from "../../src/plan/render.js"
import type { Experiment } from "../../src/spec/experiment.js"
import { loadSpec, PROFILES, type Profile } from "../../src/spec/spec-file.js"

const MACHINE = { cores: 2, memory: 8 * 2 ** 30 }
const planOf = async (id: string, profile: Profile = "paper") =>
  makePlan(await loadSpec(`specs/${id}.json`, profile), MACHINE)
const experimentOf = async (id: string) => (await loadSpec(`specs/${id}.json`, "paper")).experiment

test("parameter counts are the published ones", async (t) => {
  // v5_results_submission.json of PR #1241: 32 987 776.
  t.equal(parameterCount(await experimentOf("mdlm_eos")).total, 32_987_776)
  // The parts, derived: embedding and head 2 x 557 056, condition MLP 131 712, 11 blocks of 2 885 632.
  t.match(parameterCount(await experimentOf("mdlm_eos")).groups, [
    { name: "embedding", count: 557_056, blockMatrices: 0 },
    { name: "conditioning", count: 131_712, blockMatrices: 0 },
    { name: "attention", count: 11 * 1_048_576, blockMatrices: 11 * 1_048_576 },
    { name: "mlp", count: 11 * 1_572_864, blockMatrices: 11 * 1_572_864 },
    { name: "modulation", count: 11 * 2 * 132_096, blockMatrices: 0 },
    { name: "head", count: 557_056, blockMatrices: 0 },
  ])
  // The parameter-golf baseline's log: model_params 17059912.
  t.equal(parameterCount(await experimentOf("ar_baseline")).total, 17_059_912)
  // PR #820: 21 327 617.
  t.equal(parameterCount(await experimentOf("mdlm_820")).total, 21_327_617)
  // PR #1699 states 19.2 M.
  t.equal(Math.round(parameterCount(await experimentOf("mdlm_1699")).total / 1e5), 192)
})

test("the arithmetic agrees with the networks, in every spec and profile", async (t) => {
  for (const file of (await readdir("specs")).filter((name) => name.endsWith(".json"))) {
    for (const profile of PROFILES) {
      const { experiment } = await loadSpec(`specs/${file}`, profile)
      const { parameters } = networkOf(experiment)
      const counted = parameterCount(experiment)
      t.equal(counted.total, countParameters(parameters), `${file} ${profile}`)
      t.equal(counted.blockMatrices, countParameters(parameters.filter(({ group }) => group === "matrix")))
    }
  }
})

/** The #1241 network at another size. */
const sized = async (model: Partial<Experiment["model"]>, length: number, microBatch: number) => {
  const experiment = await experimentOf("mdlm_eos")
  return {
    ...experiment,
    model: { ...experiment.model, ...model } as Experiment["model"],
    data: {
      ...experiment.data,
      batching: { ...experiment.data.batching, length },
      corpus: { kind: "files", train: ["a"], validation: ["b"] } as const,
    },
    training: { ...experiment.training, microBatch },
  } satisfies Experiment
}

test("training FLOPs agree with counts made for the benchmark networks", async (t) => {
  // 20.5 MFLOP a token (4 layers, width 256, length 256) and 315 MFLOP a token (the #1241 network), to 1 %.
  t.ok(
    Math.abs((3 * forwardFlops(await sized({ layers: 4, width: 256, heads: 4 }, 256, 8), 256)) / 20.5e6 - 1) <
      0.01,
  )
  t.ok(Math.abs((3 * forwardFlops(await experimentOf("mdlm_eos"), 2048)) / 315e6 - 1) < 0.01)
})

test("memory agrees with whole-step graphs measured in onnxruntime", async (t) => {
  // bench/RESULTS.md: 0.66 GB for the small network, 3.86 GB for the #1241 network at micro-batch 1. Tolerance 20 %.
  const small = memoryEstimate(await sized({ layers: 4, width: 256, heads: 4 }, 256, 8)).total
  const paper = memoryEstimate(await sized({}, 2048, 1)).total
  t.ok(Math.abs(small / 0.66e9 - 1) < 0.2, `small ${small}`)
  t.ok(Math.abs(paper / 3.86e9 - 1) < 0.2, `paper ${paper}`)
})

test("PR #1241: steps, positions, cost and time of the published run", async (t) => {
  const plan = await planOf("mdlm_eos")
  // 16 groups x 6000 steps x 65 536 positions.
  t.match(plan.training, {
    groups: 16,
    steps: 96_000,
    sequencesPerStep: 32,
    positionsPerStep: 65_536,
    positions: 6_291_456_000,
  })
  // Published: 76 019 s of training on one A10G; the rate comes from that run, so this holds to its rounding, 1 %.
  t.ok(Math.abs(plan.time.training / 76_019 - 1) < 0.01, `${plan.time.training} s`)
  // 128 forwards of 500 windows at 0.227 TFLOP (a count with the norms and conditioning): 14.5 PFLOP, to 6 %.
  const [published] = plan.evaluations
  t.ok(Math.abs(published!.flops / 14.5e15 - 1) < 0.06, `${published!.flops}`)
  t.match(published, { windows: 500, tokens: 1_024_000, forwardsPerWindow: 128 })
  t.match(plan.contracts, [
    {
      evaluation: "elbo-t128",
      contract: { bound: "upper-bound", unit: "bits/byte", sideInformation: ["boundary-positions"] },
    },
  ])
  t.same(
    [...new Set(plan.streams.map(({ name, seed }) => `${name} ${seed}`))],
    ["init 42", "data 42", "time 42", "mask 42", "eval-mask 42", "sample 42"],
  )
})

test("autoregressive training draws no times and no masks", async (t) => {
  const { streams, contracts } = await planOf("ar_matched")
  t.same(
    streams.map(({ name }) => name),
    ["init", "data", "sample"],
  )
  t.match(contracts, [
    { contract: { bound: "exact", sideInformation: [] } },
    { contract: { bound: "exact" } },
  ])
})

test("the time of small networks whose rows grow is that of runs, within half of it", async (t) => {
  // Wall seconds of training and of evaluations, by the times in events.ndjson, 2026-11-28, `--threads 1`, one core to
  // themselves: docs/flexmdm.md; of speeches, 101 s for 1200 steps, with AdamW. Sampling takes fewer passes than are
  // planned at most.
  const measured = {
    flexmdm_speeches: [1.5 * 101, 27],
    flexmdm_brackets: [101, 47],
    flexmdm_brackets_balanced: [59, 12],
  } as const
  for (const [id, [training, evaluation]] of Object.entries(measured)) {
    const { time } = await planOf(id, "laptop")
    t.equal(time.cores, 1, `${id}: more cores were not measured`)
    for (const [name, planned, seconds] of [
      ["training", time.training, training],
      ["in all", time.total, training + evaluation],
    ] as const)
      t.ok(
        planned / seconds < 1.5 && seconds / planned < 1.5,
        `${id}, ${name}: ${planned.toFixed(0)} s planned, ${seconds} measured`,
      )
  }
  // Processor seconds in all of one cell on a busy machine: docs/tinygsm.md.
  const { total } = (await planOf("flexmdm_tinygsm_targets", "laptop")).time
  t.ok(total < 140 && 140 / total < 1.5, `${total.toFixed(0)} s planned, 140 measured`)
})

test("a plan is JSON, and its text names what matters", async (t) => {
  for (const id of [
    "mdlm_eos",
    "mdlm_nelbo",
    "mdlm_820",
    "mdlm_1106",
    "mdlm_1699",
    "ar_baseline",
    "ar_matched",
    "ablation_heads",
  ]) {
    for (const profile of ["paper", "laptop", "ci"] as const) {
      const plan = await planOf(id, profile)
      t.same(JSON.parse(JSON.stringify(plan)).spec, plan.spec)
      const numbers = [
        ...Object.values(plan.flops),
        ...Object.values(plan.memory),
        plan.time.total,
        plan.parameters.total,
      ]
      t.ok(
        numbers.every((number) => Number.isFinite(number) && number >= 0),
        `${id} ${profile}`,
      )
      const text = renderPlan(plan)
      t.ok(text.includes(plan.spec.fingerprint) && !text.includes("undefined") && !text.includes("[object"))
      t.equal(text.includes("Differs from the published configuration"), profile !== "paper")
    }
  }
})

test("a machine too small is told so with the cure", async (t) => {
  const spec = await loadSpec("specs/mdlm_eos.json", "laptop")
  t.same(makePlan(spec, MACHINE).warnings, [])
  t.match(makePlan(spec, { cores: 1, memory: 2 ** 28 }).warnings, [
    /This machine has 0\.3 GiB.*Lower training\.microBatch/,
  ])
})

test("numbers for people", async (t) => {
  t.equal(si(3.072e9), "3.07 G")
  t.equal(si(12), "12.0")
  t.equal(whole(32_987_776), "32 987 776")
  t.equal(duration(0.5), "0.5 s")
  t.equal(duration(114), "1 min 54 s")
  t.equal(duration(76_019), "21 h 7 min")
  t.equal(duration(864_000), "10.0 days")
})

test("a file that is read for several things is listed once, with all of them", async (t) => {
  for (const [id, path] of [
    ["flexmdm_tinygsm_gsm8k", "test.jsonl"],
    ["flexmdm_8b_gsm8k", "test.jsonl"],
  ] as const) {
    const { reads } = (await planOf(id)).files
    t.equal(new Set(reads.map((file) => file.path)).size, reads.length, id)
    t.match(
      reads.filter((file) => file.path.endsWith(path)),
      [{ about: /test set of/ }],
      id,
    )
  }
  const { reads } = (await planOf("flexmdm_tinygsm_gsm8k")).files
  t.match(reads.find(({ path }) => path.endsWith("test.jsonl"))?.about, "rows; test set of tinygsm")
})

test("a judge's passes, time, memory and files stand in the plan", async (t) => {
  const plan = await planOf("flexmdm_owt")
  const judges = plan.judges ?? []
  t.ok(judges.length > 0)
  for (const each of judges) {
    t.equal(each.spec, "gpt2_large")
    const { windows: texts, tokens } = plan.evaluations.find(({ id }) => id === each.evaluation)!
    t.equal(each.texts, texts)
    // Each text alone; joined, with a token between two, in rows of 1024.
    t.equal(each.forwards, texts + Math.ceil((tokens + texts) / 1024))
    t.equal(each.window, 1024)
    t.equal(each.flops, each.forwards * 1024 * forwardFlops(await experimentOf("gpt2_large"), 1024))
    t.ok(each.seconds > 0)
    // 774 030 080 parameters (published: 774 M) of 4 bytes.
    t.ok(each.memory > 4 * 774_030_080)
    t.equal(each.made.steps, 0)
  }
  const own = plan.evaluations.reduce((sum, { flops }) => sum + flops, 0)
  t.equal(plan.flops.evaluation, own + judges.reduce((sum, { flops }) => sum + flops, 0))
  t.ok(plan.memory.total >= plan.memory.judge! + plan.memory.parameters)
  const reads = new Map(plan.files.reads.map(({ path, about }) => [path, about]))
  t.match(reads.get("hf:openai-community/gpt2-large/model.safetensors"), /^weights of the judge gpt2_large$/)
  t.match([...reads.values()].join("\n"), /tokenizer gpt2 of the judge gpt2_large/)
  t.match(
    renderPlan(plan),
    /Judged by.*\n.*gpt2_large, profile paper: weights as they are; [\d ]+ texts in up to/,
  )
  const speeches = await planOf("mdlm_speeches", "laptop")
  const [judge] = speeches.judges ?? []
  const { training, time } = await planOf("gpt2_large", "laptop")
  t.match(judge, { spec: "gpt2_large", made: { steps: training.steps, seconds: time.total } })
  t.match(
    speeches.files.reads.find(({ about }) => about === "weights of the judge gpt2_large")?.path,
    /id of gpt2_large/,
  )
  t.equal((await planOf("mdlm_eos")).judges, undefined)
})
