import { fileURLToPath } from "node:url"
import t from "tap"
import { rescoreClaim, roundingHalfWidth } from "../../src/metric/rescore-claim.js"
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
  test.match(assumptions, [{ text: /500 windows/, mark: "computed" }])
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
  ] as const) {
    const result = rescored(id)
    test.equal(result.status, "not-possible", id)
    test.equal(result.number, undefined)
    test.match(result.reason, reason)
  }
  test.equal(
    rescored("pr1053-pseudo").number?.kind,
    "estimate",
    "an exact denominator makes it no code length",
  )
  test.match(rescored("mdlm-owt").reason, /bytes per token of the slice, which the source does not state/)
  test.end()
})

t.test("shares get a Wilson interval over their items", (test) => {
  const { number } = rescored("llada-stored-infill")
  // derived: Wilson 95 % for 546 of 1033: 0.4981 to 0.5588
  test.equal(number?.interval.lo.toFixed(4), "0.4981")
  test.equal(number?.interval.hi.toFixed(4), "0.5588")
  test.equal(rescored("maze-mdm-k2").number?.kind, "unknown", "the number of mazes is not stated")
  // derived: 4.93 / ln 2
  test.equal(rescored("xlm-owt-flexmdm-entropy-128").number?.value.toFixed(4), "7.1125")
  test.end()
})
