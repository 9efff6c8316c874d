import { fileURLToPath } from "node:url"
import t from "tap"
import { auditWeight, sequenceWeightMoments } from "../../src/metric/findings-objective.js"
import { LINT_RULES, lint } from "../../src/metric/lint.js"
import { audit } from "../../src/report/packet/audit.js"
import { claimsOf, readLedger } from "../../src/spec/claim-ledger.js"

const ledger = await readLedger(fileURLToPath(new URL("../../specs/claims/", import.meta.url)))
const auditOf = (...ids: string[]) =>
  audit({ id: "x", title: "x", file: "x.json" }, claimsOf(ledger, ids, "test"), ledger)

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

t.test("every lint rule speaks where it should and is silent where it should", (test) => {
  const claims = claimsOf(ledger, ["pr1241-headline", "flexmdm-gsm8k-headline", "pr820-t32"], "test")
  const experiment = {
    id: "an-experiment",
    evaluations: [
      {
        kind: "discrete-elbo" as const,
        id: "elbo",
        windows: { length: 2048, count: 500, alignment: "raw-stream" as const },
        steps: 128,
        draws: 1,
        seed: 1,
      },
    ],
  }
  const warnings = lint(claims, ledger.facts, experiment)
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
