import { readFileSync } from "node:fs"
import { fc, fuzz } from "../../fuzz.js"
import t from "tap"
import { compareContracts, type Axis } from "../../../src/metric/contract/compare.js"
import { DEFINITIONS, definitionFor } from "../../../src/metric/contract/registry.js"
import { canonicalContract } from "../../../src/metric/contract/builders.js"
import { NOT_STATED, type Contract } from "../../../src/metric/contract/contract.js"
import { decodeClaims } from "../../../src/spec/claim-ledger.js"
import { resolveClaims } from "../../../src/spec/claim.js"

const read = (name: string) =>
  resolveClaims(
    decodeClaims(readFileSync(new URL(`../../../specs/claims/${name}.json`, import.meta.url), "utf8"), name),
    name,
  )
const claims = new Map(
  [
    "pr-1241",
    "pr-1106",
    "pr-820",
    "pr-1699",
    "ar-baseline",
    "parameter-golf-logs",
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
    test.match(
      axis(comparison, "sideInformation").conversion,
      /^add the cost of transmitting the boundary positions( |$)/,
    )
    test.end()
  },
)

t.test("verdicts on published pairs", (test) => {
  test.equal(verdict("pr1241-headline", "ar-baseline-2026-03-17"), "ordered-only")
  test.equal(verdict("pr1106-t64", "pr1106-t512"), "ordered-only", "two T: two models")
  test.equal(verdict("pr1053-pseudo", "pr820-t32"), "incomparable", "a pseudo-likelihood is no code length")
  test.equal(verdict("pr1461-quoted", "pr820-t32"), "unknown")
  test.equal(verdict("mdlm-lm1b", "mdlm-owt"), "incomparable", "two texts")
  test.equal(verdict("mdlm-owt", "ar-owt"), "unknown", "the paper states no special tokens")
  const one = compareContracts(contract("mdlm-owt"), contract("ar-owt"), { sameSource: true })
  test.equal(one.verdict, "ordered-only", "two rows of one table leave out the same things")
  test.equal(verdict("pr1241-train-loss", "pr1241-headline"), "incomparable")
  test.equal(verdict("flexmdm-gsm8k-1024", "flexmdm-infill-1024"), "incomparable")
  test.equal(verdict("ar-baseline-2026-03-17", "ar-baseline-loss"), "convertible", "nats/token and bits/byte")
  test.equal(against("ar-baseline-present-export").verdict, "identical")
  test.equal(against("ar-baseline-2026-03-17").verdict, "convertible", "an older export of the split")
  test.equal(against("pr820-t32").verdict, "ordered-only")
  test.equal(against("xlm-owt-flexmdm-gen-ppl-128").verdict, "incomparable", "mean of exponentials")
  test.end()
})

const canonical = (changes: Partial<Contract> = {}): Contract => ({
  ...canonicalContract(),
  window: { length: 1024, stride: 1024, alignment: "raw-stream", tail: "dropped" },
  ...changes,
})
const relate = (a: Contract, b: Contract, name: Axis) => {
  const comparison = compareContracts(a, b)
  return { verdict: comparison.verdict, ...axis(comparison, name) }
}

t.test("windows that are not stated are no agreement", (test) => {
  test.equal(verdict("log-lowerlr", "log-sliding-1024"), "unknown", "a stride not stated against stride 64")
  test.equal(verdict("log-byte260", "log-bytes"), "unknown", "no window stated on either side")
  const window = canonical().window
  if (window === NOT_STATED) throw new Error("the window is stated above")
  for (const key of ["length", "stride"] as const) {
    const silent = canonical({ window: { ...window, [key]: NOT_STATED } })
    test.match(relate(canonical(), silent, "window"), {
      verdict: "unknown",
      relation: "unknown",
      reason: `${key}: the second source does not state it`,
    })
    test.equal(compareContracts(silent, silent).verdict, "unknown")
    test.equal(compareContracts(silent, silent, { sameSource: true }).verdict, "identical", "one source")
  }
  test.equal(compareContracts(canonical(), canonical()).verdict, "identical")
  const none = canonical({ window: NOT_STATED })
  test.equal(compareContracts(none, none, { sameSource: true }).verdict, "identical")
  test.equal(compareContracts(none, canonical(), { sameSource: true }).verdict, "unknown")
  test.end()
})

const inclusion = (
  numerator: "charged" | "absent" | "free",
  denominator: "counted" | "absent" | "zero",
  data: Partial<Contract> = {},
): Contract =>
  canonical({
    unit: "ppl",
    reduction: "exponential-of-mean",
    denominator: { kind: "tokens", tokens: NOT_STATED, source: "targets" },
    specials: {
      bos: { numerator, denominator },
      eos: { numerator: "absent", denominator: "absent" },
      pad: NOT_STATED,
      mask: NOT_STATED,
    },
    ...data,
  })

t.test("special tokens charged or counted on one side only are another number per token", (test) => {
  const both = inclusion("charged", "counted")
  test.match(relate(both, inclusion("absent", "counted"), "specials"), {
    verdict: "incomparable",
    reason: /bos charged in the first numerator and absent in the second/,
  })
  const slice = {
    dataset: "fineweb10B_sp1024",
    split: "validation",
    slice: "the first 500",
    coverage: 0.0165,
    export: NOT_STATED,
  } as const
  test.equal(
    relate(
      inclusion("charged", "counted", { data: slice }),
      inclusion("charged", "absent", { data: slice }),
      "specials",
    ).verdict,
    "incomparable",
    "boundaries of a slice are not counted anywhere",
  )
  // derived: 62 021 846 tokens, 50 000 of them boundaries; ppl^(N/(N-n)) keeps the nats and drops the boundaries
  const fewer = inclusion("charged", "absent")
  test.match(relate(both, fewer, "specials"), {
    verdict: "convertible",
    conversion: "ppl to the power of 62021846/61971846",
  })
  test.match(relate(fewer, both, "specials"), { conversion: "ppl to the power of 61971846/62021846" })
  const silent = { ...both, specials: NOT_STATED } satisfies Contract
  test.equal(compareContracts(both, silent).verdict, "unknown")
  test.match(relate(inclusion("free", "counted"), both, "specials"), {
    conversion: "add the cost of transmitting the free positions",
  })
  test.match(relate(both, inclusion("free", "counted"), "specials"), {
    conversion: "add the cost of transmitting the free positions to the second",
  })
  test.end()
})

t.test("a constant of bytes per token is not the same bytes under another tokenizer", (test) => {
  const of = (id: string, denominator: Contract["denominator"]) =>
    canonical({ tokenizer: { id, digest: NOT_STATED }, denominator })
  const constant = { kind: "constant", bytesPerToken: 4.3, tokens: NOT_STATED, source: "README" } as const
  const table = canonical().denominator
  test.match(relate(of("sp1024", constant), of("sp8192", constant), "tokenizer"), {
    verdict: "incomparable",
    reason: /a constant of bytes per token stands for other bytes/,
  })
  const mixed = compareContracts(of("sp8192", constant), of("sp1024", table))
  test.equal(mixed.verdict, "unknown")
  test.same(mixed.conversions, [], "2.4359 bytes per token is sp1024's, not sp8192's")
  test.equal(compareContracts(of("sp1024", constant), of("sp1024", constant)).verdict, "identical")
  test.equal(compareContracts(of("sp1024", table), of("sp8192", table)).verdict, "identical")
  test.end()
})

const slice = (words: string): Contract => ({
  ...contract("pr1241-headline"),
  data: {
    dataset: "fineweb10B_sp1024",
    split: "validation",
    slice: words,
    coverage: 0.0165103115,
    export: NOT_STATED,
  },
})

t.test("other parts of the split are other text", (test) => {
  const first = slice("the first 500 windows of 2048 tokens")
  test.match(relate(first, slice("the last 500 windows of 2048 tokens"), "coverage"), {
    verdict: "convertible",
    conversion: /sampling error \(95 %: 1\.96 standard deviations of one window's value \/ sqrt\(500\)\)/,
  })
  test.equal(compareContracts(first, slice(NOT_STATED)).verdict, "unknown")
  test.equal(compareContracts(first, first).verdict, "identical")
  test.end()
})

t.test("a checkpoint chosen on the reported split is not the last one", (test) => {
  const best = canonical({ selection: "best-on-report-split" })
  test.match(relate(best, canonical(), "selection"), { verdict: "ordered-only", relation: "ordered" })
  test.equal(relate(canonical(), best, "selection").verdict, "ordered-only")
  test.end()
})

t.test("conversions lead from the first to the second, and nowhere under an incomparable verdict", (test) => {
  const over = (a: string, b: string) => relate(contract(a), contract(b), "denominator").conversion
  test.equal(over("pr1241-headline", "pr820-nelbo"), "bits/token = bits/byte * 4.3")
  test.equal(over("pr820-nelbo", "pr1241-headline"), "bits/byte = bits/token / 4.3")
  const none = compareContracts(contract("pr1241-headline"), contract("pr1241-train-loss"))
  test.equal(none.verdict, "incomparable")
  test.same(none.conversions, [])
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
    fuzz(2000),
  )
  test.pass("2000 pairs")
  test.end()
})
