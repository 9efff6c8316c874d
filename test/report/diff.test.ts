import { test } from "tap"
import type { SafetensorsFile, StoredTensor } from "../../src/files/safetensors.js"
import { claimRows, exactReading } from "../../src/analysis/claim-rows.js"
import { claimsDiffText, diffClaims, diffRuns, runsDiffText, type RunSide } from "../../src/report/diff.js"
import { renderTable, TABLE_FORMATS } from "../../src/report/render/index.js"
import { makeTable } from "../../src/analysis/table.js"
import { claimsOf, readLedger } from "../../src/spec/claim-ledger.js"
import { LEDGER, PUBLISHED_BITS, tableOf, TOKENS } from "./uniform.js"

const ledger = await readLedger(LEDGER)
const headline = claimsOf(ledger, ["pr1241-headline"], "test")

const near = (found: number | undefined, wanted: number, relative: number): boolean =>
  found !== undefined && Math.abs(found - wanted) <= relative * Math.abs(wanted)

test("the published experiment with the published bits agrees under both definitions, and one run is never called reproduced", (t) => {
  const diff = diffClaims(tableOf(PUBLISHED_BITS), headline, [])
  const [claim] = diff.claims
  t.equal(claim?.reproduction, "underpowered")
  t.match(claim?.sentence, /the numbers agree within .* one seed has no spread/)
  t.equal(diff.agrees, true)
  t.equal(claim?.own?.row, "elbo-t128/as-published")
  t.ok(near(claim?.own?.run, 0.990101083045782, 1e-12))
  t.equal(claim?.own?.agrees, true)
  // 0.990101083 x 4.3 / 2.435930252704829 = 1.7477654, on both sides.
  t.equal(claim?.exact?.row, "elbo-t128/bits-per-byte")
  t.ok(near(claim?.exact?.published, 1.7477654, 1e-4), `${claim?.exact?.published}`)
  t.ok(near(claim?.exact?.run, 1.7477654, 1e-6), `${claim?.exact?.run}`)
  t.match(claim?.comparability, { verdict: "identical", obstacles: [] })
  t.end()
})

test("other numbers differ; another experiment is no reproduction, whatever the numbers", (t) => {
  const higher = diffClaims(tableOf(PUBLISHED_BITS * 1.05), headline, [])
  t.equal(higher.agrees, false)
  t.match(higher.claims[0]?.sentence, /the numbers do not agree/)
  const differences = [{ pointer: "/model/layers", paper: 11, profile: 2 }]
  const diff = diffClaims(tableOf(PUBLISHED_BITS), headline, differences)
  t.equal(diff.claims[0]?.reproduction, "not-attempted")
  t.equal(diff.agrees, false)
  t.match(diff.claims[0]?.sentence, /differs from the published experiment in network \(layers 11 → 2\)/)
  const text = claimsDiffText(diff, 100)
  t.match(text, /own definition\s+published 0\.9901, this run ≤ 0\.9901/)
  t.match(text, /exact bytes\s+published 1\.74\d\d, this run ≤ 1\.7478/)
  t.ok(Math.max(...text.split("\n").map((line) => [...line].length)) <= 100)
  t.end()
})

test("a claim the run measured nothing for is incomplete", (t) => {
  const loss = claimsOf(ledger, ["pr1241-train-loss"], "test")
  const diff = diffClaims(tableOf(PUBLISHED_BITS), loss, [])
  t.match(diff.claims[0], { own: null, exact: null, comparability: null, reproduction: "not-attempted" })
  t.equal(diff.agrees, false)
  t.equal(diffClaims(tableOf(PUBLISHED_BITS), [], []).agrees, false)
  t.match(claimsDiffText(diffClaims(tableOf(PUBLISHED_BITS), [], []), 80), /names no published claims/)
  t.end()
})

test("a claim in the table: as published, and exact below it with the arithmetic", (t) => {
  const { rows, contracts } = claimRows(headline, () => ({ windowTokens: 2048, standardDeviation: 0.182 }))
  t.equal(rows.length, 2)
  t.match(rows[0], { group: "claim", unit: "bits/byte, as published", boundKind: "upper-bound" })
  t.match(rows[0]?.label, /as published$/)
  t.match(rows[1], { unit: "bits/byte", denominator: { kind: "byte-table" } })
  t.ok(near(rows[1]?.value ?? undefined, 1.7477654, 1e-4))
  t.match(rows[1]?.notes[0], /\* 4\.3 bytes\/token = 4\.257/)
  for (const { contractId } of rows) t.ok(contractId !== null && contractId in contracts)
  // mdlm audit: the 500-window mean is 2.436 +- 0.016, so 1.748 (1.736 to 1.759).
  const reading = exactReading(headline[0]!, { windowTokens: 2048, standardDeviation: 0.182 })
  t.ok(near(reading?.low, 1.736, 1e-3), `${reading?.low}`)
  t.ok(near(reading?.high, 1.759, 1e-3), `${reading?.high}`)
  t.end()
})

test("every claim of the ledger makes rows that keep the laws of reporting", (t) => {
  const all = [...ledger.claims.values()]
  t.ok(all.length > 50, `${all.length} claims`)
  const { rows, contracts } = claimRows(all)
  const table = makeTable(
    { experiment: "ledger", title: "Claims", profile: "paper", run: null, fingerprint: null, verdict: [] },
    rows,
    contracts,
  )
  t.equal(table.rows.length, rows.length)
  for (const format of TABLE_FORMATS) {
    t.notMatch(renderTable(table, format, { width: 80, colour: false }), /undefined|NaN|\[object/, format)
  }
  t.end()
})

const f64 = (...values: readonly number[]): StoredTensor => ({
  dtype: "F64",
  shape: [values.length],
  data: Float64Array.from(values),
})
const i32 = (...values: readonly number[]): StoredTensor => ({
  dtype: "I32",
  shape: [values.length],
  data: Int32Array.from(values),
})
const evidence = (tensors: Readonly<Record<string, StoredTensor>>): ReadonlyMap<string, SafetensorsFile> =>
  new Map([["elbo-t128", { tensors: new Map(Object.entries(tensors)), metadata: {} }]])
const side = (id: string, bits: number, tensors: Readonly<Record<string, StoredTensor>>): RunSide => ({
  id,
  fingerprint: "repro-fp1:00",
  experiment: { model: { layers: 2 } },
  precision: "fp32",
  table: tableOf(bits, id),
  evidence: evidence(tensors),
})
const base = side("a", 4 * TOKENS, { nats: f64(1, 2, 3), tokens: i32(5, 6) })

test("two runs: identical, within rounding, different", (t) => {
  const same = diffRuns(base, { ...base, id: "b" })
  t.equal(same.verdict, "identical")
  t.match(same.sentence, /^Identical: all \d+ values/)

  const rounded = diffRuns(
    base,
    side("b", 4 * TOKENS * (1 + 5e-5), { nats: f64(1, 2.0001, 3), tokens: i32(5, 6) }),
  )
  t.equal(rounded.verdict, "within-rounding")
  t.equal(rounded.tolerance, 1e-4)
  t.match(rounded.sentence, /^Within rounding/)

  const apart = diffRuns(base, side("b", 4 * TOKENS * 1.001, { nats: f64(1, 2, 3), tokens: i32(5, 6) }))
  t.equal(apart.verdict, "differs")
  t.match(runsDiffText(apart, 100), /elbo-t128\/bits-per-token\s+differs\s+4\s+4\.004/)
  t.end()
})

const losses = (at: number): ReadonlyMap<number, number> =>
  new Map([1, 16, 32, 64, 400].map((step) => [step, step === 400 ? at : 20]))

test("a training that amplified rounding is allowed its stated tolerance, ids are not", (t) => {
  const end = (bits: number, tokens: StoredTensor): RunSide => ({
    ...side("b", bits, { nats: f64(1, 2.2, 3), tokens }),
    losses: losses(20.1),
  })
  const from = { ...base, losses: losses(20) }
  const twin = diffRuns(from, end(4 * TOKENS * 1.005, i32(5, 6)))
  t.equal(twin.verdict, "within-rounding")
  t.match(
    twin.sentence,
    /^Within rounding, which training amplified: .* up to step 64 and part at about step 400/,
  )
  t.equal(diffRuns(from, end(4 * TOKENS * 1.03, i32(5, 6))).verdict, "differs", "3 % is more than 2 %")
  t.equal(diffRuns(from, end(4 * TOKENS * 1.005, i32(5, 7))).verdict, "differs", "other ids")
  const other = { ...end(4 * TOKENS * 1.005, i32(5, 6)), fingerprint: "repro-fp1:01" }
  t.equal(diffRuns(from, other).verdict, "differs", "another experiment is not excused")
  t.end()
})

const verdict = (tensors: Readonly<Record<string, StoredTensor>>) =>
  diffRuns(base, side("b", 4 * TOKENS, tensors)).verdict

test("evidence decides too: errors that cancel in the sum, ids, shapes, missing tensors", (t) => {
  t.equal(verdict({ nats: f64(1.5, 2, 2.5), tokens: i32(5, 6) }), "differs")
  t.equal(verdict({ nats: f64(1, 2, 3), tokens: i32(6, 5) }), "differs")
  t.equal(verdict({ nats: f64(1, 2, 3, 0), tokens: i32(5, 6) }), "differs")
  t.equal(verdict({ nats: f64(1, 2, 3) }), "differs")
  t.equal(verdict({ nats: f64(1, 2, Number.NaN), tokens: i32(5, 6) }), "differs")
  t.end()
})

test("the lower precision sets the tolerance; other experiments are named; a run without results is incomplete", (t) => {
  const bf16 = {
    ...side("b", 4 * TOKENS * 1.001, { nats: f64(1, 2, 3), tokens: i32(5, 6) }),
    precision: "bf16",
  }
  t.equal(diffRuns(base, bf16).verdict, "within-rounding")
  const other = { ...base, id: "b", fingerprint: "repro-fp1:01", experiment: { model: { layers: 3 } } }
  const diff = diffRuns(base, other)
  t.match(diff, { sameExperiment: false, experimentDifferences: [{ pointer: "/model/layers", a: 2, b: 3 }] })
  t.match(diff.sentence, /The experiments are different/)
  t.match(diffRuns(base, { ...base, id: "b", table: undefined }), {
    verdict: "incomplete",
    sentence: /^Incomplete: b has no results/,
  })
  t.end()
})

const F64 = (data: number[]): StoredTensor => ({
  dtype: "F64",
  shape: [1, 3],
  data: Float64Array.from(data),
})

const rank = (data: number[]): StoredTensor => ({
  dtype: "I32",
  shape: [1, 3],
  data: Int32Array.from(data),
})

const end = (id: string, bits: number, order: number[], lead: number): RunSide => ({
  ...side(id, bits, {}),
  evidence: new Map([
    [
      "elbo-t128",
      { metadata: {}, tensors: new Map([["rank", rank(order)], ["nats", F64([1, 2, 3])], ["margin", F64([lead, Infinity, lead])]]) }, // prettier-ignore
    ],
  ]),
})

test("rows that part at ties are named in the sentence, which never contradicts itself", (t) => {
  const diff = diffRuns(end("a", 4 * TOKENS, [0, 1, 2], 1e-6), end("b", 4 * TOKENS * 1.0005, [2, 1, 0], 1e-6))
  t.equal(diff.verdict, "within-rounding")
  t.match(
    diff.sentence,
    /^Within rounding: \d+ of \d+ values and evidence tensors agree to 0\.0001 relative; their largest difference is 0\.0e\+0; apart from these, \d+ values of elbo-t128 \(two orders that part at ties\) agree to 5\.0e-4\.$/,
  )
  t.end()
})
