import { fileURLToPath } from "node:url"
import { test } from "tap"
import { audit } from "../../src/audit/packet.js"
import { claimsOf, readLedger } from "../../src/spec/claim-ledger.js"

const folder = fileURLToPath(new URL("../../specs/claims", import.meta.url))
const auditOf = async (...ids: readonly string[]) => {
  const ledger = await readLedger(folder)
  return audit({ id: "x", title: "x", file: "x" }, claimsOf(ledger, ids, "x"), ledger)
}

void test("the four patterns of protocol fire on the works that show them", async (t) => {
  const any = await auditOf("gao-flexmdm-humaneval-16", "gao-dream-coder-humaneval-16")
  const rules = any.warnings.map(({ rule }) => rule)
  for (const rule of ["setting-per-benchmark", "any-extraction", "temperatures"] as const)
    t.ok(rules.includes(rule), rule)
  const mask = await auditOf("lr-dllm-dreamon-2")
  t.match(
    mask.warnings.find(({ rule }) => rule === "baseline-range"),
    { text: /initial mask length 1, outside the 4 to 64/ },
  )
})

void test("items that differ and the smallest p, from printed rates alone", async (t) => {
  // By hand: 92.07 % and 90.85 % of 164 are 151 and 149, 2 * 0.5^2; 87.80 % and 85.37 % are 144 and 140, 2 * 0.5^4.
  for (const [name, first, second, p] of [
    ["humaneval", 151, 149, 0.5],
    ["humaneval-plus", 144, 140, 0.125],
  ] as const) {
    const { findings } = await auditOf(`gao-flexmdm-${name}-16`)
    t.match(
      findings.find(({ id }) => id === `gao-${name}-pairs`),
      { values: { items: 164, first, second, smallestP: p } },
    )
  }
})

void test("two versions of a claim are linked", async (t) => {
  const { findings } = await auditOf("gao-flexmdm-mbpp-1")
  t.match(
    findings.find(({ kind }) => kind === "versions"),
    { values: { first: 62.22, later: 64.7 } },
  )
})

void test("the ranking of the merged board is a finding", async (t) => {
  const { findings } = await auditOf("pr1106-t512")
  t.match(
    findings.find(({ id }) => id === "pr1106-ranking"),
    { source: /line 83/, text: /1\.1465 above 1\.1467/ },
  )
})
