/** Which published claims, and which definition of theirs, stand beside a run. */
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { test } from "tap"
import { diffWithClaims } from "../../src/app/diff.js"
import { publishedClaims } from "../../src/app/run-results.js"
import { table } from "../../src/app/table.js"
import { buildLanguageModelTable } from "../../src/analysis/build-language-model-table.js"
import { claimsAbout, publishedConstantOf } from "../../src/analysis/claim-marks.js"
import { claimsDiffText, diffClaims } from "../../src/report/diff.js"
import type { EvaluationSummary } from "../../src/analysis/language-model.js"
import { runTable } from "../../src/analysis/run-table.js"
import { readRun } from "../../src/run/directory.js"
import type { Json } from "../../src/run/events.js"
import { cellSpecs } from "../../src/spec/cell-spec.js"
import { claimsOf, readLedger } from "../../src/spec/claim-ledger.js"
import { loadSpec, PROFILES } from "../../src/spec/spec-file.js"
import { LEDGER, PUBLISHED_BITS, summary, tableOf } from "./uniform.js"

const root = fileURLToPath(new URL("../..", import.meta.url))
const evidence = join(root, "docs", "results", "evidence")
const ledger = await readLedger(LEDGER)
const named = (...ids: readonly string[]) => claimsOf(ledger, ids, "test")

/** A stored run of the laptop profile. */
const stored = async (id: string, fingerprint: string): Promise<string> => {
  const found = (await readdir(evidence)).find((name) => name.endsWith(`${id}-laptop-${fingerprint}`))
  if (found === undefined) throw new Error(`no stored run of ${id}`)
  return join(evidence, found)
}
/** The cell of two heads, seed 0. */
const TWO_HEADS = await stored("ablation_heads", "ebb4c1b9")

test("the published constant is what the claims of the spec divide by", async (t) => {
  // PR #1106 and #1241 divide by 4.3 (train_mdlm.py lines 401, 427, 430); #820, #1699 and the baseline by the table.
  const expected: Readonly<Record<string, number | undefined>> = {
    ablation_heads: 4.3,
    ar_baseline: undefined,
    ar_matched: undefined,
    mdlm_1106: 4.3,
    mdlm_1699: undefined,
    mdlm_820: undefined,
    mdlm_eos: 4.3,
    mdlm_eos_nelbo: 4.3,
    mdlm_nelbo: 4.3,
  }
  for (const [id, constant] of Object.entries(expected)) {
    const { experiment } = await loadSpec(join(root, "specs", `${id}.json`), "paper")
    t.equal(publishedConstantOf(named(...experiment.claims)), constant, id)
  }
})

test("a run's row under the published definition follows its claims, not its name", async (t) => {
  const run = await readRun(TWO_HEADS)
  const published = await publishedClaims(run)
  const own = (await runTable(run, published)).rows
  const [row] = own.filter(({ group }) => group === "as published")
  t.equal(row?.id, "elbo-t128/as-published")
  const perToken = own.find(({ id }) => id === "elbo-t128/bits-per-token")?.value ?? Number.NaN
  t.ok(Math.abs((row?.value ?? 0) * 4.3 - perToken) < 1e-12, "bits/token = 4.3 x the published definition")

  const under = (id: string) => {
    const experiment = { ...(run.manifest.experiment as Readonly<Record<string, Json>>), id }
    return { ...run, manifest: { ...run.manifest, experiment } }
  }
  t.equal(
    (await runTable(under("x"), published)).rows.filter(({ group }) => group === "as published").length,
    1,
  )
  const exact = await runTable(under("mdlm_x"), { claims: named("pr820-t32", "pr820-t128") })
  t.same(
    exact.rows.filter(({ group }) => group === "as published"),
    [],
    "claims that divide by the exact table say nothing of a constant",
  )
})

test("each claim of the head-count ablation is about one cell", async (t) => {
  const file = join(root, "specs", "ablation_heads.json")
  for (const profile of PROFILES) {
    for (const { cell, spec } of cellSpecs(await loadSpec(file, profile))) {
      const [{ value } = { value: undefined }] = cell.settings
      const about = claimsAbout(named(...spec.experiment.claims), spec.experiment).map(({ id }) => id)
      t.same(about, [`pr1241-heads-${String(value)}`], `${profile}, ${cell.name}`)
    }
  }
  const eos = await loadSpec(join(root, "specs", "mdlm_eos.json"), "ci")
  const claims = named(...eos.experiment.claims)
  t.same(claimsAbout(claims, eos.experiment), claims, "a claim without settings is about every run")
})

test("a cell's table and diff hold its own claim, marked as in the sweep's table", async (t) => {
  const printed = await table(evidence, TWO_HEADS, "terminal")
  t.match(printed.text, /Head-count ablation, 2 heads, as published \(untrained\)/)
  t.match(printed.text, /Head-count ablation, 2 heads, exact byte table \(untrained\)/)
  t.match(printed.text, /9\.51 bits\/token: worse than a unigram model's 8\.65 on the same tokens/)
  t.notMatch(printed.text, /ablation, (4|8|16|32) heads/)

  const { text, json, exitCode } = await diffWithClaims(evidence, TWO_HEADS, undefined)
  t.equal(exitCode, 3)
  t.match(json, {
    claims: [{ claim: "pr1241-heads-2", own: { row: "elbo-t128/as-published" } }],
    elsewhere: ["pr1241-heads-4", "pr1241-heads-8", "pr1241-heads-16", "pr1241-heads-32"],
  })
  t.equal((json as { readonly claims: readonly unknown[] }).claims.length, 1)
  t.match(text, /Left out, as they are about other settings than this run's: pr1241-heads-4,/)
  const none = diffClaims(tableOf(PUBLISHED_BITS), [], [], { elsewhere: ["pr1241-heads-4"] })
  t.match(
    claimsDiffText(none, 100),
    /No claim of the experiment is about this run's settings: pr1241-heads-4\./,
  )
})

type Shape = EvaluationSummary["evaluation"]
const { evaluation: elbo } = summary(1)
const { windows } = elbo
const shapes = {
  "any-order": { kind: "any-order", draws: 8, seed: 42, windows },
  "left-to-right": { kind: "chain-rule", order: "left-to-right", seed: 42, windows },
  "random-order": { kind: "chain-rule", order: "random", seed: 42, windows },
  confidence: { kind: "chain-rule", order: "confidence", seed: 42, windows },
  "elbo-t16": { kind: "discrete-elbo", steps: 16, draws: 1, seed: 42, windows },
  "elbo-t32": { kind: "discrete-elbo", steps: 32, draws: 1, seed: 42, windows },
} as const satisfies Readonly<Record<string, Shape>>

/** A run that measured these, each a little more than the one before; boundary tokens are ordinary ones. */
const measured = (...ids: readonly (keyof typeof shapes)[]) =>
  buildLanguageModelTable({
    header: { experiment: "e", title: "E", profile: "paper", run: "run", fingerprint: "repro-fp1:00" },
    differences: [],
    evaluations: ids.map((id, index) => {
      const base = summary(PUBLISHED_BITS * (1 + index / 100))
      const context = { ...base.context, boundary: "maskable" as const }
      return { ...base, evaluationId: id, evaluation: shapes[id], context, boundaryTokens: 0 }
    }),
    floors: ["uniform", "unigram", "bigram", "xz"].map((id) => ({
      id,
      label: id,
      bitsPerToken: id === "xz" ? null : 10,
      bitsPerByte: 4,
    })),
    ratioInterval: () => null,
  })

const ORDERS = named("pr1699-l2r", "pr1699-confidence", "pr1699-random")

test("another estimator is never a claim's own definition: it is named as the nearest, without a verdict", (t) => {
  const diff = diffClaims(measured("any-order"), ORDERS, [])
  for (const claim of diff.claims) {
    t.match(
      claim,
      {
        own: null,
        exact: null,
        comparability: null,
        reproduction: "not-attempted",
        nearest: { row: "any-order/bits-per-byte", boundKind: "upper-bound" },
      },
      claim.claim,
    )
    t.same(
      claim.nearest?.obstacles.map(({ axis }) => axis),
      ["bound", "estimator"],
    )
  }
  const text = claimsDiffText(diff, 400)
  // 0.990101083 x 4.3 / 2.435930252704829 = 1.7478
  t.match(
    text,
    /own definition\s+not measured under its definition; nearest: any-order NELBO, 8 draws: BPB, exact byte table ≤ 1\.7478 bits\/byte\n/,
  )
  t.match(text, /exact bytes\s+published 1\.4203; this run has nothing of its kind of bound and estimator/)
  t.match(text, /comparable\s+no verdict; the nearest differs in bound \(exact and upper-bound\); estimator/)
  t.notMatch(text, /this run ≤|incomparable/)
  t.equal(diff.agrees, false)
  t.end()
})

test("each order of tokens is a definition of its own", (t) => {
  const all = diffClaims(measured("any-order", "left-to-right", "random-order", "confidence"), ORDERS, [])
  t.same(
    all.claims.map(({ own, exact, nearest }) => [own?.row, exact?.row, nearest]),
    [
      ["left-to-right/bits-per-byte", "left-to-right/bits-per-byte", null],
      ["confidence/bits-per-byte", "confidence/bits-per-byte", null],
      ["random-order/bits-per-byte", "random-order/bits-per-byte", null],
    ],
  )
  // An exact code length is nearer to another than a bound is.
  const one = diffClaims(measured("any-order", "left-to-right"), ORDERS, [])
  t.same(
    one.claims.map(({ own, nearest }) => [own?.row, nearest?.row]),
    [
      ["left-to-right/bits-per-byte", undefined],
      [undefined, "left-to-right/bits-per-byte"],
      [undefined, "left-to-right/bits-per-byte"],
    ],
  )
  t.end()
})

test("PR #820's continuous bound is not the bound of a chain of 16 steps; 16 and 32 steps are one family", (t) => {
  const [continuous, discrete] = diffClaims(
    measured("elbo-t16"),
    named("pr820-nelbo", "pr820-t32"),
    [],
  ).claims
  t.match(continuous, {
    own: null,
    exact: null,
    comparability: null,
    nearest: { row: "elbo-t16/nats-per-token", obstacles: [{ axis: "estimator" }] },
  })
  // 2.6553096 / ln 2 / (151080363 / 62021632) = 1.57262, the claim alone.
  t.ok(Math.abs((continuous?.exactPublished ?? 0) - 1.57262) < 1e-5, `${continuous?.exactPublished}`)
  t.match(discrete, { own: { row: "elbo-t16/bits-per-byte" }, nearest: null })
  t.match(
    discrete?.comparability?.obstacles.find(({ axis }) => axis === "estimator"),
    { relation: "ordered", reason: /steps 32 against 16/ },
  )
  const [both] = diffClaims(measured("elbo-t16", "elbo-t32"), named("pr820-t32"), []).claims
  t.equal(both?.own?.row, "elbo-t32/bits-per-byte", "the claim's own number of steps comes first")
  t.end()
})

test("PR #1699's orders and PR #820's chains are measured by every profile", async (t) => {
  for (const profile of PROFILES) {
    const orders = await loadSpec(join(root, "specs", "mdlm_1699.json"), profile)
    const chains = await loadSpec(join(root, "specs", "mdlm_820.json"), profile)
    t.same(
      orders.experiment.evaluations
        .flatMap((each) => (each.kind === "chain-rule" ? [each.order] : []))
        .sort(),
      ["confidence", "left-to-right", "random"],
      `${profile}: pr1699-l2r, -confidence, -random`,
    )
    t.same(
      chains.experiment.evaluations.map((each) => (each.kind === "discrete-elbo" ? each.steps : each.kind)),
      [32, 128],
      `${profile}: pr820-t32, -t128`,
    )
  }
})
