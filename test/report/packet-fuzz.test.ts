import { fileURLToPath } from "node:url"
import { fc, fuzz } from "../fuzz.js"
import t from "tap"
import { compareContracts } from "../../src/metric/contract/compare.js"
import { DEFINITIONS } from "../../src/metric/contract/registry.js"
import { Contract, SEMANTIC_FIELDS } from "../../src/metric/contract/contract.js"
import { boundConflict } from "../../src/metric/contract/estimator-kinds.js"
import { rescoreClaim } from "../../src/audit/rescore-claim.js"
import { audit } from "../../src/audit/packet.js"
import { packetHtml } from "../../src/report/packet/html.js"
import { packetMarkdown } from "../../src/report/packet/markdown.js"
import { readLedger } from "../../src/spec/claim-ledger.js"
import { decodeValue } from "../../src/spec/decode.js"

t.test(
  "any valid combination of contract fields is compared, re-scored and audited without a crash",
  async (test) => {
    const ledger = await readLedger(fileURLToPath(new URL("../../specs/claims/", import.meta.url)))
    const pool = [...ledger.claims.values()]
      .map(({ contract }) => contract)
      .concat(Object.values(DEFINITIONS))
    const contract = fc
      .record(
        Object.fromEntries(
          SEMANTIC_FIELDS.map((field) => {
            const words = new Map(pool.map((each) => [JSON.stringify(each[field]), each[field]] as const))
            return [field, fc.constantFrom<unknown>(...words.values(), "not stated")]
          }),
        ),
      )
      .map((fields) => {
        const drawn = fields as Omit<Contract, "version">
        return boundConflict(drawn.estimator, drawn.bound) === undefined
          ? drawn
          : { ...drawn, bound: "estimate" as const }
      }) as fc.Arbitrary<Omit<Contract, "version">>
    const number = fc.oneof(
      fc.constantFrom(0, -1, 1e-300, 1e300, 100, 100.5),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    )
    const [template] = ledger.claims.values()
    fc.assert(
      fc.property(contract, contract, number, (a, b, value) => {
        const claim = (id: string, fields: Omit<Contract, "version">) => ({
          ...template!,
          id,
          printed: String(value),
          value,
          contract: decodeValue(Contract, { version: 2, ...fields }, "contract.json"),
        })
        const pair = [claim("a", a), claim("b", b)]
        const sample = { windowTokens: 2048, standardDeviation: 0.2 }
        for (const each of pair) {
          const number = rescoreClaim(each, sample)?.number
          if (
            number !== undefined &&
            !(number.interval.lo <= number.value && number.value <= number.interval.hi)
          )
            return false
        }
        compareContracts(pair[0]!.contract, pair[1]!.contract)
        const result = audit({ id: "x", title: "x", file: "x" }, pair, { claims: new Map(), facts: [] })
        return !/NaN|undefined/.test(packetHtml(result) + packetMarkdown(result))
      }),
      fuzz(100),
    )
    test.pass("pairs of claims")
  },
)
