import { fileURLToPath } from "node:url"
import t from "tap"
import type { Contract } from "../../src/metric/contract/contract.js"
import { sliceSamplingError } from "../../src/audit/rescore-assumptions.js"
import { rescoreClaim, roundingHalfWidth } from "../../src/audit/rescore-claim.js"
import { readLedger, type LedgerFact } from "../../src/spec/claim-ledger.js"

const ledger = await readLedger(fileURLToPath(new URL("../../specs/claims/", import.meta.url)))
const isSample = (fact: LedgerFact) => fact.kind === "ratio-sample"
const rescored = (id: string) => {
  const claim = ledger.claims.get(id)
  if (claim === undefined) throw new Error(`no claim ${id}`)
  const sample = ledger.facts.filter(isSample).find((fact) => fact.claims.includes(id))
  const result = rescoreClaim(claim, sample)
  if (result === undefined) throw new Error(`no definition fits ${id}`)
  return result
}

t.test("half a unit of the last printed digit", (test) => {
  for (const [printed, half] of [
    ["1.1465", 0.00005],
    ["58 %", 0.5],
    [".9354", 0.00005],
    ["<=23.00", 0.005],
    ["1.2e-3", 0.00005],
    ["151,080,891", 0.5],
  ] as const)
    test.ok(Math.abs(roundingHalfWidth(printed) - half) < 1e-15, printed)
  test.end()
})

t.test("published claims under the exact byte table", (test) => {
  // derived: value * 4.3 / (151 080 891 / 62 021 846), printed to four decimals; bits/token = value * 4.3 to five.
  for (const [id, bpb, bitsPerToken, natsPerToken] of [
    ["pr1241-headline", "1.7478", "4.25743", "2.95103"],
    ["pr1241-one-shard", "2.1573", "5.25500", "3.64249"],
    ["pr1106-t512", "2.0238", "4.92995", "3.41718"],
    ["pr1106-t256", "2.0268", "4.93726", undefined],
    ["pr1106-t128", "2.0314", "4.94844", undefined],
    ["pr1106-t64", "2.0426", "4.97553", undefined],
    ["pr1241-heads-2", "3.9056", "9.51366", undefined],
    ["pr1241-heads-4", "3.9039", "9.50957", undefined],
    ["pr1241-heads-8", "3.9054", "9.51339", undefined],
    ["pr1241-heads-16", "3.9060", "9.51483", undefined],
    ["pr1241-heads-32", "3.9050", "9.51233", undefined],
    // public log: 2.65530960 nats/token at 151 080 363 / 62 021 632 bytes per token
    ["pr820-nelbo", "1.5726", "3.83080", "2.65531"],
  ] as const) {
    const { number, derivation, status } = rescored(id)
    test.equal(status, "rescored", id)
    test.equal(number?.unit, "bits/byte")
    test.equal(number?.kind, "upper-bound", "a conversion keeps the kind of bound")
    test.equal(number?.value.toFixed(4), bpb, id)
    const of = (unit: string) => derivation.find((step) => step.unit === unit)?.result.toFixed(5)
    test.equal(of("bits/token"), bitsPerToken, `${id} bits/token`)
    if (natsPerToken !== undefined) test.equal(of("nats/token"), natsPerToken, `${id} nats/token`)
  }
  const steps = rescored("ar-baseline-2026-03-17").derivation
  // public log: val_loss 2.07269931 beside val_bpb 1.22436570
  test.equal(steps.find(({ unit }) => unit === "nats/token")?.result.toFixed(6), "2.072699")
  // The older export's own totals turn the baseline's loss into its BPB to all eight printed digits.
  test.equal(rescored("ar-baseline-loss").number?.value.toFixed(7), "1.2243657")
  test.equal(rescored("ar-baseline-2026-03-17").status, "unchanged")
  test.equal(rescored("ar-baseline-2026-03-17").number?.value.toFixed(4), "1.2244")
  test.end()
})

t.test("the interval of PR #1241 comes from 500 windows of standard deviation 0.182", (test) => {
  const { number, assumptions, charges } = rescored("pr1241-headline")
  // derived: 4.25743 / (2.435930 +- 1.96 * 0.182 / sqrt(500)) = 1.7364 to 1.7593
  test.equal(number?.interval.lo.toFixed(3), "1.736")
  test.equal(number?.interval.hi.toFixed(3), "1.759")
  test.match(assumptions, [
    { text: /500 windows/, mark: "computed" },
    { text: /does not state the export.*today's \(62021846 tokens\)/, mark: "inferred" },
    // derived: 1.96 * 0.25 / sqrt(500) = 0.0219 bits per byte
    { text: /stand for the whole split.*±0\.022 bits\/byte.*deviation 0\.25/, mark: "inferred" },
  ])
  test.equal(sliceSamplingError(500 * 2048).toFixed(4), "0.0219")
  test.match(rescored("pr1106-t512").assumptions[1]?.text, /does not state the export/)
  test.same(rescored("pr820-nelbo").assumptions, [], "the whole split of a stated export")
  // derived: h(50 000 / 62 021 846) / 2.435930 = 0.0038783 bits per byte
  test.match(charges, [{ name: /boundary/, unit: "bits/byte" }])
  test.equal(charges[0]?.atMost.toFixed(7), "0.0038783")
  test.same(rescored("pr1106-t512").charges, [], "its boundary tokens are ordinary tokens")
  test.end()
})

t.test("what no arithmetic gives is refused with its reason", (test) => {
  for (const [id, reason] of [
    ["pr1461-quoted", /does not state the denominator/],
    ["pr1271-reported", /does not state the denominator/],
    ["pr1241-train-loss", /no code length/],
    ["xlm-owt-flexmdm-gen-ppl-128", /mean of perplexities/],
    ["pr1053-pseudo", /pseudo-likelihood is neither a code length nor a bound on one/],
    ["pr1106-mc-elbo", /does not state the denominator/],
  ] as const) {
    const result = rescored(id)
    test.equal(result.status, "not-possible", id)
    test.equal(result.number, undefined)
    test.match(result.reason, reason)
  }
  test.match(rescored("mdlm-owt").reason, /bytes per token of the slice, which the source does not state/)
  test.end()
})

const claimOf = (id: string) => {
  const claim = ledger.claims.get(id)
  if (claim === undefined) throw new Error(`no claim ${id}`)
  return claim
}

t.test("only a code length or a bound on one becomes bits per byte", (test) => {
  const claim = claimOf("pr820-t32")
  const { data: text } = claim.contract
  if (text === "not stated") throw new Error("the claim states its data")
  for (const estimator of [
    { kind: "fixed-noise-levels", levels: 5 },
    { kind: "training-objective", weight: "dsigma" },
    { kind: "pseudo-likelihood", passes: 8, maskRate: 0.5 },
  ] as const)
    for (const unit of ["bits/byte", "ppl"] as const) {
      const data = { ...text, dataset: unit === "ppl" ? "other" : "fineweb10B_sp1024" }
      const contract = { ...claim.contract, unit, estimator, bound: "estimate", data } as Contract
      test.equal(rescoreClaim({ ...claim, contract })?.status, "not-possible", `${estimator.kind} ${unit}`)
    }
  const silent = { ...claim.contract, estimator: "not stated", bound: "not stated" } as const
  test.match(
    rescoreClaim({ ...claim, contract: silent })?.reason,
    /nothing says that the value is a code length/,
  )
  test.end()
})

t.test("arithmetic beyond a double, or below zero, is not shown", (test) => {
  const claim = claimOf("pr1106-t512")
  const huge = rescoreClaim({ ...claim, printed: "1e308", value: 1e308 })
  test.equal(huge?.status, "not-possible")
  test.match(huge?.reason, /range of a double/)
  const coarse = rescoreClaim({ ...claim, printed: "1", value: 1, halfWidth: 3 })
  test.equal(coarse?.number?.interval.lo, 0, "a code length is not negative")
  test.end()
})

t.test("shares get a Wilson interval over their items", (test) => {
  const { number } = rescored("llada-stored-infill")
  // derived: Wilson 95 % for 546 of 1033: 0.4981 to 0.5588
  test.equal(number?.interval.lo.toFixed(4), "0.4981")
  test.equal(number?.interval.hi.toFixed(4), "0.5588")
  const maze = rescored("maze-mdm-k2").number
  test.equal(maze?.kind, "unknown", "the number of mazes is not stated")
  test.same(
    [maze?.interval.lo.toFixed(4), maze?.interval.hi.toFixed(4)],
    ["0.6835", "0.6845"],
    "68.4 % is rounded",
  )
  // derived: 67 % of 1319 is printed for 878 to 890 items; Wilson 95 % from the low end of 878 to the high end of 890
  const headline = rescored("flexmdm-gsm8k-headline").number
  test.same([headline?.interval.lo.toFixed(4), headline?.interval.hi.toFixed(4)], ["0.6397", "0.6995"])
  // 0.05 points of reading: 58.15 to 58.25 % of 1319 items are 768 items at the fewest and the most
  const read = claimOf("flexmdm-gsm8k-128")
  const wide = rescoreClaim({ ...read, halfWidth: 1 })?.number?.interval
  const narrow = rescored("flexmdm-gsm8k-128").number?.interval
  test.ok(wide !== undefined && narrow !== undefined && wide.lo < narrow.lo && wide.hi > narrow.hi)
  // derived: 4.93 / ln 2
  test.equal(rescored("xlm-owt-flexmdm-entropy-128").number?.value.toFixed(4), "7.1125")
  test.end()
})
