import { fileURLToPath } from "node:url"
import t from "tap"
import { enumerativeWindowBits } from "../../src/metric/code/boundary.js"
import { chargeRows, meanWindowBits } from "../../src/audit/boundary-charge.js"
import { rescoreClaim } from "../../src/audit/rescore-claim.js"
import { readLedger } from "../../src/spec/claim-ledger.js"

const ledger = await readLedger(fileURLToPath(new URL("../../specs/claims/", import.meta.url)))
const rowsOf = (id: string) => {
  const claim = ledger.claims.get(id)!
  return chargeRows(claim.contract, rescoreClaim(claim))
}

t.test("PR #1241 with its boundary positions charged", (test) => {
  const [entropy, split, window, steps] = rowsOf("pr1241-headline")
  // derived: h(50 000 / 62 021 846) = 0.0094473 bits per token = 0.0038783 bits per byte; 1.7477651 + 0.0038783
  test.equal(entropy?.amount.toFixed(7), "0.0038783")
  test.equal(entropy?.value.toFixed(4), "1.7516")
  // derived: log2 C(62 021 846, 50 000) = 585 928 bits over 151 080 891 bytes
  test.equal(split?.amount.toFixed(7), "0.0038782")
  // derived: a window holds 1.651 boundaries on average; 0, 1, 2, 3 cost 11.0, 22.0, 32.0, 41.4 bits
  test.equal(window?.id, "boundary-window")
  test.ok(window!.amount > split!.amount && window!.amount < 0.0065, String(window!.amount))
  // derived: (8.65 - 1.2) * 0.999 / 256 / 2.43593 = 0.01193
  test.match(steps, { id: "discretisation", mark: "inferred" })
  test.equal(steps?.amount.toFixed(4), "-0.0119")
  test.same(
    rowsOf("pr1106-t512").map(({ id }) => id),
    ["discretisation"],
    "its boundary tokens are charged already",
  )
  test.same(rowsOf("ar-baseline-2026-03-17"), [])
  test.end()
})

t.test("the mean code of a window is the mean over its counts", (test) => {
  // By hand for windows of 2 tokens at rate 1/2: counts 0, 1, 2 with probability 1/4, 1/2, 1/4; log2 3 and one bit more.
  test.ok(Math.abs(meanWindowBits(2, 0.5) - (Math.log2(3) + 0.5)) < 1e-12)
  // derived: log2 C(2048, e) + log2 2049
  test.same(
    [0, 1, 2, 3].map((count) => enumerativeWindowBits(2048, count).toFixed(1)),
    ["11.0", "22.0", "32.0", "41.4"],
  )
  test.end()
})
