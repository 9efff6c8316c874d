import { fileURLToPath } from "node:url"
import { test } from "tap"
import { compare } from "../../src/app/compare.js"
import { rescore } from "../../src/app/rescore.js"
import { compareContracts } from "../../src/metric/contract/compare.js"
import { readLedger } from "../../src/spec/claim-ledger.js"

const folder = fileURLToPath(new URL("../../specs/claims", import.meta.url))

void test("two exports of a validation set are different data, without an order", async (t) => {
  const { json, exitCode } = await compare("ar-baseline-2026-03-17", "ar-baseline-present-export")
  t.equal(exitCode, 3)
  t.match(json, { verdict: "incomparable", order: null, conversions: [] })
})

void test("one factor for one constant, whatever it stands beside", async (t) => {
  const { claims } = await readLedger(folder)
  const contract = (id: string) => claims.get(id)!.contract
  for (const other of ["ar-baseline-2026-03-17", "ar-baseline-present-export"]) {
    const { axes } = compareContracts(contract("pr1241-headline"), contract(other))
    // Derived: 4.3 / (151 080 891 / 62 021 846), the split that the constant's own slice comes from.
    t.match(axes.find(({ axis }) => axis === "denominator")?.conversion, /= 1\.765239/, other)
  }
})

void test("a repeated tail is honoured on the way to nats", async (t) => {
  // val_loss of the same log lines: 2.01348383 and 1.92987577.
  for (const [id, loss] of [
    ["log-sliding-1024", 2.01348383],
    ["log-int5mlp", 1.92987577],
    ["log-valcalib", 1.88156874],
  ] as const) {
    const { rescored } = (await rescore(id)).json as {
      rescored: { derivation: { unit: string; result: number }[] }
    }
    const nats = rescored.derivation.find(({ unit }) => unit === "nats/token")!.result
    t.ok(Math.abs(nats - loss) < 3e-8, `${id}: ${nats}`)
  }
})

void test("a value read off a figure is not called published, and gives no count of items", async (t) => {
  const { text, json } = await rescore("flexmdm-gsm8k-128")
  t.match(text, /not the source's own print: read off the source's figure; Measured on the published figure/)
  t.notMatch(text, /as published|\d+ of \d+ items/)
  t.notMatch(JSON.stringify(json), /\d+ of 1319 items/)
  t.notMatch((await rescore("flexmdm-stored-11800-128")).text, /as published|\d+ of \d+ items/)
  t.match((await rescore("llada-instruct-gsm8k")).text, /percent as published/)
})
