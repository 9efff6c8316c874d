import { fileURLToPath } from "node:url"
import t from "tap"
import { auditWeight, sequenceWeightMoments } from "../../src/audit/findings-objective.js"
import { LINT_RULES, lint } from "../../src/audit/lint.js"
import { audit } from "../../src/audit/packet.js"
import { claimsOf, readLedger } from "../../src/spec/claim-ledger.js"

const ledger = await readLedger(fileURLToPath(new URL("../../specs/claims/", import.meta.url)))
const auditOf = (...ids: string[]) =>
  audit({ id: "x", title: "x", file: "x.json" }, claimsOf(ledger, ids, "test"), ledger)

const evaluation = {
  kind: "discrete-elbo",
  id: "elbo",
  windows: { length: 2048, count: 500, alignment: "raw-stream" },
  steps: 128,
  draws: 1,
  seed: 1,
} as const

const of = (experiment: object, rule: string) =>
  lint([], [], { id: "x", evaluations: [evaluation], ...experiment }).filter((found) => found.rule === rule)

t.test("where the published weight lies", (test) => {
  // derived in closed form and by quadrature: mass, shares and median of (1-alpha)/alpha on [0.001, 1]
  const weight = auditWeight("dsigma", 1e-3)
  const close = (value: number, expected: number, tolerance = 1e-12) =>
    test.ok(Math.abs(value - expected) <= tolerance * Math.abs(expected), `${value} ~ ${expected}`)
  close(weight.mass, 5.908755278982137)
  for (const [alpha, share] of [
    [0.002, 0.11713925317265415],
    [0.01, 0.3881672170706564],
    [0.02, 0.5037833068061626],
    [0.1, 0.762625963206982],
    [0.5, 0.9673116973980994],
  ] as const)
    close(weight.below(alpha), share)
  close(weight.median, 0.019549049951962803, 1e-9)
  close(auditWeight("nelbo", 1e-3).below(0.02), 0.019019019019019017)
  const { mean, sd } = sequenceWeightMoments(1e-3)
  close(mean, 5.914669948931068)
  close(sd, 30.857532945738708, 1e-9)
  // derived: -ln 0.1 - 0.9
  close(auditWeight("dsigma", 0.1).mass, 1.402585092994046)
  test.end()
})

t.test("PR #1241: the reviewer's three axes and what the review does not name", (test) => {
  const { findings } = auditOf("pr1241-headline", "pr1241-one-shard")
  const kinds = findings.map(({ kind }) => kind)
  for (const kind of ["bound", "denominator", "coverage"])
    test.equal(kinds.filter((each) => each === kind).length, 1, kind)
  for (const kind of [
    "training-objective",
    "side-information",
    "floor",
    "run-length",
    "deleted-code",
    "table",
  ])
    test.ok(kinds.includes(kind), kind)
  const of = (kind: string) => findings.find((finding) => finding.kind === kind)!
  test.equal(of("denominator").values["factor"]?.toFixed(6), "1.765239")
  test.equal(of("denominator").values["rescored"]?.toFixed(4), "1.7478")
  test.equal(of("training-objective").values["shareBelow2Percent"]?.toFixed(3), "0.504")
  test.equal(of("side-information").values["charge"]?.toFixed(4), "0.0039")
  const floor = findings.find(({ id }) => id === "sp1024-unigram")!
  test.equal(floor.values["lowest"]?.toFixed(2), "9.51")
  test.equal(floor.values["floor"], 8.65)
  test.equal(of("run-length").values["stepsInRun"], 96000)
  test.equal(of("run-length").mark, "inferred")
  // derived: 2.1573 - 2.0314
  test.equal(of("matched-steps").values["difference"]?.toFixed(4), "0.1258")
  test.ok(findings.every(({ source, text }) => source.length > 0 && text.length > 0))
  test.end()
})

t.test("neutral words: about numbers, never about people", (test) => {
  const every = auditOf(...ledger.claims.keys())
  for (const { title, text } of every.findings)
    test.notMatch(
      `${title} ${text}`,
      /\b(wrong|mistake|author's error|misleading|dishonest|cheat|fraud|false|fails?)\b/i,
      title,
    )
  test.equal(new Set(every.findings.map(({ id }) => id)).size, every.findings.length, "ids are unique")
  test.end()
})

t.test("FlexMDM: findings are computed from the stored generations and the code's facts", (test) => {
  const { findings } = auditOf("flexmdm-gsm8k-headline", "llada-infill-headline")
  const of = (kind: string) => findings.find((finding) => finding.kind === kind)!
  // derived: 546/1033 and 695/1033
  test.equal(of("post-processing").values["before"]?.toFixed(4), "0.5286")
  test.equal(of("post-processing").values["after"]?.toFixed(4), "0.6728")
  test.equal(of("grader-ceiling").values["ceiling"]?.toFixed(4), "0.9879")
  test.match(of("schedule-mismatch").text, /geometric.*linear/)
  test.end()
})

t.test("floors that a source only quotes are said to be quoted, and of what", (test) => {
  const { findings } = auditOf("pr1241-heads-2", "pr1241-heads-4")
  const floors = findings.filter(({ kind }) => kind === "floor")
  test.equal(floors.length, 2)
  for (const { text, mark, assumptions } of floors) {
    test.match(
      text,
      /quoted for a (uni|bi)gram model on the whole split, while the values are of the first 200 windows/,
    )
    test.notMatch(text, /same tokens/)
    test.equal(mark, "inferred", "the floor is quoted, and of other tokens")
    test.match(assumptions, [/quoted, not measured/, /near that of the whole split/])
  }
  test.end()
})

t.test(
  "lint looks at the spec: what it trains for against what it evaluates, and what it chooses by",
  (test) => {
    const texts = (experiment: object) => of(experiment, "schedule-mismatch").map(({ text }) => text)
    test.match(texts({ objective: { kind: "masked-diffusion", weight: "dsigma" } }), [
      /weight dsigma.*elbo integrate/,
    ])
    test.same(texts({ objective: { kind: "masked-diffusion", weight: "nelbo" } }), [])
    test.match(texts({ objective: { kind: "masked-diffusion", weight: "nelbo", timeMax: 0.5 } }), [
      /times up to 0.5/,
    ])
    const batching = { kind: "document-chunks", length: 2048 }
    test.match(texts({ data: { batching } }), [/documents filled with PAD.*elbo cut the raw stream/])
    test.same(texts({ data: { batching: { kind: "random-windows", length: 2048 } } }), [])
    test.match(texts({ data: { batching: { kind: "random-windows", length: 512 } } }), [
      /at most 512 tokens.*elbo/,
    ])
    test.match(of({ sweep: { grid: [{ name: "heads" }] } }, "selection-split"), [
      { claims: [], text: /heads.*elbo/ },
    ])
    test.same(of({}, "selection-split"), [])
    test.end()
  },
)

const tableFact = (...ids: string[]) => [
  { ...ledger.facts.find(({ kind }) => kind === "table")!, claims: ids },
]

const warned = (...ids: string[]) =>
  lint(claimsOf(ledger, ids, "test"), tableFact(...ids)).some(({ rule }) => rule === "bound-among-exact")

t.test("a table of one kind of number is no bound among exact values", (test) => {
  test.notOk(warned("pr1106-t64", "pr1106-t512"), "two upper bounds")
  test.notOk(warned("ar-sota-pr549", "ar-baseline-2026-03-17"), "two exact values")
  test.ok(warned("pr1106-t512", "ar-baseline-2026-03-17"))
  test.end()
})

/** Ids of the findings on claims, audited for a spec of this source and objective. */
const findingsFor = (weight: string, url: string, ...ids: string[]) =>
  audit(
    {
      id: "x",
      title: "x",
      file: "x.json",
      source: { url },
      experiment: { id: "x", evaluations: [], objective: { kind: "masked-diffusion", weight } },
    },
    claimsOf(ledger, ids, "test"),
    ledger,
  ).findings.map(({ id }) => id)

t.test("facts on other numbers of a source bear on the source's own experiment alone", (test) => {
  const pr = "https://github.com/openai/parameter-golf/pull/1241"
  test.ok(findingsFor("dsigma", pr, "pr1241-headline").includes("sp1024-unigram"), "PR #1241 itself")
  const other = findingsFor("nelbo", pr, "pr1241-headline")
  test.notOk(other.includes("sp1024-unigram") || other.includes("pr1241-quotes-pr820"), "another objective")
  test.ok(other.includes("pr1241-deleted-lut"), "a fact on the claim itself stays")
  const heads = findingsFor("dsigma", "https://github.com/aiejvn/parameter-golf", "pr1241-heads-8")
  test.ok(heads.includes("sp1024-unigram") && heads.includes("pr1241-sweep-length"))
  test.notOk(
    heads.includes("pr1241-run-length") || heads.includes("pr1241-matched-steps"),
    "another experiment",
  )
  test.end()
})

t.test("every lint rule speaks where it should and is silent where it should", (test) => {
  const claims = claimsOf(ledger, ["pr1241-headline", "flexmdm-gsm8k-headline", "pr820-t32"], "test")
  const experiment = {
    id: "an-experiment",
    evaluations: [evaluation],
  }
  const warnings = lint(claims, ledger.facts, experiment, ledger.claims)
  test.same([...new Set(warnings.map(({ rule }) => rule))], LINT_RULES)
  const about = (rule: string) =>
    warnings.filter((warning) => warning.rule === rule).flatMap((warning) => warning.claims)
  test.notOk(about("not-produced").includes("pr1241-headline"), "T = 128 is evaluated")
  test.ok(about("not-produced").includes("pr820-t32"), "T = 32 is not")
  test.notOk(about("constant-denominator").includes("pr820-t32"))
  test.notOk(about("coverage").includes("pr820-t32"))
  const selected = claims.map((claim) => ({
    ...claim,
    contract: { ...claim.contract, selection: "best-on-report-split" as const },
  }))
  test.equal(lint(selected, []).filter(({ rule }) => rule === "selection-split").length, selected.length)
  test.end()
})
