import { readFileSync } from "node:fs"
import * as fc from "fast-check"
import t from "tap"
import { compareContracts, type Axis } from "../../src/metric/compare.js"
import { DEFINITIONS, definitionFor } from "../../src/metric/contract-registry.js"
import { canonicalContract } from "../../src/metric/contract-builders.js"
import { NOT_STATED, type Contract } from "../../src/metric/contract.js"
import { decodeClaims } from "../../src/spec/claim-ledger.js"
import { resolveClaims } from "../../src/spec/claim.js"

const read = (name: string) =>
  resolveClaims(
    decodeClaims(readFileSync(new URL(`../../specs/claims/${name}.json`, import.meta.url), "utf8"), name),
    name,
  )
const claims = new Map(
  [
    "pr-1241",
    "pr-1106",
    "pr-820",
    "pr-1699",
    "ar-baseline",
    "parameter-golf-diffusion",
    "parameter-golf-quoted",
    "mdlm-paper",
    "xlm-owt",
    "flexmdm-paper",
  ]
    .flatMap(read)
    .map((claim) => [claim.id, claim.contract]),
)
const contract = (id: string): Contract => {
  const found = claims.get(id)
  if (found === undefined) throw new Error(`no claim ${id}`)
  return found
}
const verdict = (a: string, b: string) => compareContracts(contract(a), contract(b)).verdict
const against = (id: string) =>
  compareContracts(contract(id), DEFINITIONS[definitionFor(contract(id))!], { definition: true })
const axis = (comparison: ReturnType<typeof against>, name: Axis) =>
  comparison.axes.find((each) => each.axis === name)!

t.test("a contract is identical to itself", (test) => {
  test.equal(compareContracts(contract("pr820-t32"), contract("pr820-t32")).verdict, "identical")
  test.end()
})

t.test(
  "PR #1241 against the canonical contract: ordered only, for three main reasons and one free channel",
  (test) => {
    const comparison = against("pr1241-headline")
    test.equal(comparison.verdict, "ordered-only")
    test.equal(axis(comparison, "bound").relation, "ordered")
    test.equal(axis(comparison, "denominator").relation, "convertible")
    // derived: 4.3 / (151 080 891 / 62 021 846) = 1.765239
    test.match(axis(comparison, "denominator").conversion, /4\.3\/2\.43593 = 1\.765239/)
    test.equal(axis(comparison, "coverage").relation, "convertible")
    test.match(axis(comparison, "coverage").reason, /1\.65 %/)
    test.equal(axis(comparison, "sideInformation").relation, "convertible")
    test.end()
  },
)

t.test("verdicts on published pairs", (test) => {
  test.equal(verdict("pr1241-headline", "ar-baseline-2026-03-17"), "ordered-only")
  test.equal(verdict("pr1106-t64", "pr1106-t512"), "ordered-only", "two T: two models")
  test.equal(verdict("pr1053-pseudo", "pr820-t32"), "incomparable", "a pseudo-likelihood is no code length")
  test.equal(verdict("pr1461-quoted", "pr820-t32"), "unknown")
  test.equal(verdict("mdlm-lm1b", "mdlm-owt"), "incomparable", "two texts")
  test.equal(verdict("mdlm-owt", "ar-owt"), "ordered-only")
  test.equal(verdict("pr1241-train-loss", "pr1241-headline"), "incomparable")
  test.equal(verdict("flexmdm-gsm8k-1024", "flexmdm-infill-1024"), "incomparable")
  test.equal(verdict("ar-baseline-2026-03-17", "ar-baseline-loss"), "convertible", "nats/token and bits/byte")
  test.equal(against("ar-baseline-present-export").verdict, "identical")
  test.equal(against("ar-baseline-2026-03-17").verdict, "convertible", "an older export of the split")
  test.equal(against("pr820-t32").verdict, "ordered-only")
  test.equal(against("xlm-owt-flexmdm-gen-ppl-128").verdict, "incomparable", "mean of exponentials")
  test.end()
})

t.test("every axis gives one reason", (test) => {
  for (const [id] of claims) {
    const comparison = against(id)
    test.equal(comparison.axes.length, 17, id)
    test.ok(comparison.axes.every(({ reason }) => reason.length > 0))
    test.ok(
      comparison.axes.every(
        ({ relation, conversion }) => (relation === "convertible") === (conversion !== undefined),
      ),
    )
  }
  test.end()
})

t.test("verdicts are symmetric, and silence on a field that decides is never agreement", (test) => {
  const deciding = [
    "quantity",
    "unit",
    "event",
    "bound",
    "estimator",
    "denominator",
    "sideInformation",
    "data",
    "reduction",
    "grader",
  ] as const
  const any = fc.constantFrom(...claims.values(), canonicalContract(), ...Object.values(DEFINITIONS))
  fc.assert(
    fc.property(any, any, fc.constantFrom(...deciding), (a, b, field) => {
      if (compareContracts(a, b).verdict !== compareContracts(b, a).verdict) return false
      const silent = compareContracts({ ...a, [field]: NOT_STATED }, b).verdict
      return silent === "unknown" || silent === "incomparable"
    }),
    { numRuns: 2000 },
  )
  test.pass("2000 pairs")
  test.end()
})
