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

t.test("FlexMDM at 8 billion parameters: what its released code does, with the arithmetic on it", (test) => {
  const { findings } = auditOf(
    ...[...ledger.claims.keys()].filter((id) => /^(flexmdm|llada)-(gsm8k|infill)-/.test(id)),
  )
  const of = (id: string) => {
    const found = findings.find((each) => each.id === id)
    if (found === undefined) throw new Error(`no finding ${id}`)
    return found
  }
  for (const id of [
    "flexmdm-8b-insertion-schedule",
    "flexmdm-8b-transfer-data",
    "infill-newline",
    "flexmdm-8b-best-baseline",
    "flexmdm-8b-step-axis",
    "flexmdm-8b-temperature",
    "gsm8k-test-tuning",
    "humaneval-tuning",
    "gsm8k-grader",
    "gsm8k-annotations",
    "llada-attention-mask",
    "gsm8k-few-shot",
    "flexmdm-8b-overflow",
    "llada-arm-base",
    "gsm8k-graded-text",
    "flexmdm-8b-float16",
  ])
    test.ok(of(id).source.length > 0, id)
  // 1 / (1 - 0.001 + 1e-6) and 1 / 1e-6
  test.equal(of("flexmdm-8b-times").values["leastWeight"]?.toFixed(6), "1.001000")
  test.equal(of("flexmdm-8b-times").values["largestWeight"]?.toFixed(0), "1000000")
  // bf16 keeps 8 bits: at 2^-5 numbers lie 2^-12 = 2.44e-4 apart, at 2^-6 1.22e-4; half of the former is above 1e-4.
  test.equal(of("flexmdm-8b-bf16").values["stuckAbove"], 2 ** -5)
  // transformers 4.49.0, get_cosine_schedule_with_warmup(25000, 500000, 5): 0, 1, 0, 0.77, 1 at these steps.
  const { values } = of("flexmdm-8b-cosine")
  test.same(
    ["at25000", "at72500", "at200000", "at500000"].map((name) => values[name]!.toFixed(2)),
    ["1.00", "0.00", "0.77", "1.00"],
  )
  test.equal(of("flexmdm-8b-cost-128").values["ratio"]?.toFixed(2), "8.46")
  test.end()
})

t.test("reruns of LLaDA in dLLM: what is noise and what is not", (test) => {
  const { findings } = auditOf(
    "dllm-llada-instruct-gsm8k",
    "llada-instruct-gsm8k",
    "dllm-llada-instruct-humaneval",
    "llada-instruct-humaneval-internal",
    "dllm-llada-base-gsm8k",
  )
  const of = (id: string) => findings.find((each) => each.id === id)!
  // (0.747 - 0.694) / sqrt((0.747 * 0.253 + 0.694 * 0.306) / 1319)
  test.equal(of("llada-instruct-gsm8k-rerun").values["z"]?.toFixed(2), "3.04")
  test.match(of("llada-instruct-gsm8k-rerun").text, /a difference of protocol, not noise/)
  // sqrt(0.494 * 0.506 / 164) = 3.9 points; (0.470 - 0.494) is 0.44 standard errors of the difference.
  const humaneval = of("llada-instruct-humaneval-rerun")
  test.equal((100 * humaneval.values["standardError"]!).toFixed(1), "3.9")
  test.equal(humaneval.values["z"]?.toFixed(2), "-0.44")
  test.match(humaneval.text, /agree within the noise/)
  test.ok(of("dllm-guidance") !== undefined && of("dllm-one-draw") !== undefined)
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
