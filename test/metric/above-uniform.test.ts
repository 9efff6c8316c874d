import { fileURLToPath } from "node:url"
import t from "tap"
import { findingsOn, type AuditedClaim } from "../../src/audit/findings.js"
import { rescoreClaim } from "../../src/audit/rescore-claim.js"
import { readLedger } from "../../src/spec/claim-ledger.js"

const ledger = await readLedger(fileURLToPath(new URL("../../specs/claims/", import.meta.url)))
const audited = (id: string, value?: number): AuditedClaim => {
  const claim = ledger.claims.get(id)
  if (claim === undefined) throw new Error(`no claim ${id}`)
  const number = value === undefined ? claim : { ...claim, value, printed: String(value) }
  return { ...number, comparison: undefined, rescored: rescoreClaim(number) }
}
const above = (claim: AuditedClaim) =>
  findingsOn([claim], [], new Map()).filter(({ kind }) => kind === "above-uniform")

t.test("a re-scored value above the uniform model is a finding", (test) => {
  // derived: 2.41 * 4.3 = 10.363 bits per token; log2(1024) = 10
  const [finding, ...more] = above(audited("pr1106-t512", 2.41))
  test.equal(more.length, 0)
  test.equal(finding?.values["uniform"], 10)
  test.equal(finding?.values["bitsPerToken"]?.toFixed(3), "10.363")
  test.match(finding?.text, /10\.36 bits per token, where a uniform guess among the tokens costs 10\.00/)
  test.equal(finding?.mark, "derived")
  test.same(above(audited("pr1106-t512")), [])
  test.end()
})

t.test("no published claim is above it", (test) => {
  for (const id of ledger.claims.keys()) test.same(above(audited(id)), [], id)
  test.end()
})
