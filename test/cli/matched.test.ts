import { readdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { test } from "tap"
import { parseSeeds } from "../../src/app/study/study.js"
import { decodeSpec, loadSpec } from "../../src/spec/spec-file.js"
import { invoke } from "./harness.js"
import { smallSpec } from "./small.js"

const windows = { length: 32, count: 8, alignment: "raw-stream" }
const masked = [
  { kind: "discrete-elbo", id: "elbo-t4", windows, steps: 4, seed: 1, draws: 1 },
  { kind: "chain-rule", id: "left-to-right", windows, order: "left-to-right", seed: 1 },
]
const weight = (of: string) => ({ id: of, objective: { weight: of }, evaluations: masked })

interface Comparison {
  readonly format: string
  readonly comparable: boolean
  readonly findings: readonly {
    readonly id: string
    readonly comparisons: readonly { readonly seeds: number }[]
  }[]
  readonly runs: readonly string[]
}

test("models are trained once, compared, and compared again from their runs", async (t) => {
  const published = await smallSpec(15, weight("dsigma"))
  // One corpus for both: the second spec names the first one's files.
  const document = JSON.parse(await readFile(published.spec, "utf8")) as { data: { corpus: object } }
  const mended = await smallSpec(15, { ...weight("nelbo"), data: { corpus: document.data.corpus } })
  const runs = join(published.folder, "runs")
  t.teardown(async () => {
    for (const { folder } of [published, mended]) await rm(folder, { recursive: true })
  })
  const given = ["matched", published.spec, mended.spec, "--profile", "paper", "--runs", runs] as const

  const missing = await invoke(...given, "--table")
  t.equal(missing.code, 3)
  t.match(missing.stdout, /No finished run of dsigma, seed 42; nelbo, seed 42 .* without --table/)

  const first = await invoke(...given, "--json", "--out", join(published.folder, "out"))
  t.equal(first.code, 0, first.stderr)
  const result = JSON.parse(first.stdout) as Comparison
  t.match(result, { format: "repro-matched", comparable: true, runs: [/dsigma/, /nelbo/] })
  t.match(
    result.findings.map(({ id }) => id),
    ["weight/dsigma/nelbo", "order/dsigma", "order/nelbo"],
  )
  t.match(
    (await readdir(join(published.folder, "out"))).sort().join(),
    /cost\.svg.*matched\.json.*table\.html/,
  )

  const again = await invoke(...given, "--json")
  t.equal(again.stdout, first.stdout, "finished runs are used")
  t.equal((await invoke(...given, "--table", "--json")).stdout, first.stdout)
  t.match(
    (await invoke(...given, "--table", "--format", "md")).stdout,
    /## Findings[^]*### What the published weight costs/,
  )
  t.equal((await readdir(runs)).filter((name) => /^\d{8}T/.test(name)).length, 2, "nothing was trained twice")

  const seeds = await invoke(...given, "--seeds", "42,7", "--json")
  t.equal(seeds.code, 0, seeds.stderr)
  const over = JSON.parse(seeds.stdout) as Comparison
  t.equal(over.runs.length, 4)
  t.equal(over.findings[0]!.comparisons[0]!.seeds, 2)
  t.equal(
    (await readdir(runs)).filter((name) => /^\d{8}T/.test(name)).length,
    4,
    "the runs of seed 42 are used",
  )
})

test("wrong uses are named", async (t) => {
  t.throws(() => parseSeeds("0,0"), /different whole numbers/)
  t.throws(() => parseSeeds("0,-1"), /different whole numbers/)
  t.same(parseSeeds("0, 1,2"), [0, 1, 2])
  const one = await invoke("matched", "mdlm_eos", "--profile", "ci")
  t.equal(one.code, 2)
  t.match(one.stderr, /needs two specs/)
  const twice = await invoke("matched", "mdlm_eos", "mdlm_eos", "--profile", "ci")
  t.equal(twice.code, 2)
  t.match(twice.stderr, /two of the specs have the id "mdlm_eos"/)
})

test("another seed changes one profile and nothing else", async (t) => {
  const file = "specs/mdlm_eos.json"
  const text = await readFile(file, "utf8")
  for (const profile of ["paper", "ci"] as const) {
    const spec = await loadSpec(file, profile)
    t.equal(spec.with({ training: { seed: 42 } }).text, text, "its own seed")
    const seeded = spec.with({ training: { seed: 7 } })
    t.equal(decodeSpec(seeded.text, file, profile).fingerprint, seeded.fingerprint)
    t.same(seeded.experiment, { ...spec.experiment, training: { ...spec.experiment.training, seed: 7 } })
    t.not(seeded.fingerprint, spec.fingerprint)
    const other = profile === "paper" ? "ci" : "paper"
    const untouched = decodeSpec(seeded.text, file, other).experiment.training.seed
    // Profiles inherit the published seed: only a change of an overlay leaves the others alone.
    t.equal(untouched, profile === "paper" ? 7 : 42)
  }
})
