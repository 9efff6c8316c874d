import { readFileSync } from "node:fs"
import { fc, fuzz } from "../fuzz.js"
import t from "tap"
import { canonicalContract } from "../../src/metric/contract/builders.js"
import { ContractVersionError, migrateContract } from "../../src/metric/contract/migrations.js"
import { compareContracts } from "../../src/metric/contract/compare.js"
import { Contract } from "../../src/metric/contract/contract.js"
import { rescoreClaim } from "../../src/audit/rescore-claim.js"
import { audit, ratioSampleFor } from "../../src/audit/packet.js"
import { packetHtml } from "../../src/report/packet/html.js"
import { decodeClaims, ledgerOf } from "../../src/spec/claim-ledger.js"
import { resolveClaims } from "../../src/spec/claim.js"
import { decodeJson, decodeValue } from "../../src/spec/decode.js"
import { SpecError } from "../../src/spec/spec-error.js"
import { decodeSpec } from "../../src/spec/spec-file.js"

const load = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")
interface Part {
  readonly id: string
  readonly kind?: string
}

/** One claim and one fact of a real file: the same grammar, read ten times as fast. */
const short = (text: string, claim: string, fact: string): string => {
  const { claims, facts, ...rest } = JSON.parse(text) as { readonly claims: Part[]; readonly facts: Part[] }
  return JSON.stringify({
    ...rest,
    claims: claims.filter(({ id }) => id === claim),
    facts: facts.filter(({ kind }) => kind === fact).map((each) => ({ ...each, claims: [claim] })),
  })
}
const SEEDS = {
  spec: load("specs/mdlm_eos.json"),
  claims: short(load("specs/claims/pr-1106.json"), "pr1106-t64", "ratio-sample"),
  paper: short(load("specs/claims/mdlm-paper.json"), "mdlm-owt", "none"),
  grades: short(load("specs/claims/flexmdm-paper.json"), "flexmdm-gsm8k-128", "none"),
  contract: JSON.stringify(canonicalContract()),
}

/** A place in a JSON document and what to do there. */
interface Mutation {
  readonly at: number
  readonly kind: "replace" | "remove" | "rename" | "duplicate" | "nest"
  readonly value: unknown
  readonly key: string
}

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    "",
    "not stated",
    "__proto__",
    -1,
    0,
    1e308,
    0.5,
    [],
    {},
    [[]],
    "\u0000",
    "upper-bound",
  ),
  fc.jsonValue({ maxDepth: 2 }),
)
const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom("replace", "remove", "rename", "duplicate", "nest"),
  value: odd,
  key: fc.oneof(
    fc.constantFrom("kind", "version", "id", "__proto__", "constructor", ""),
    fc.string({ maxLength: 8 }),
  ),
})

const places = (value: unknown): { readonly parent: Record<string, unknown>; readonly key: string }[] => {
  if (typeof value !== "object" || value === null) return []
  const parent = value as Record<string, unknown>
  return Object.keys(parent).flatMap((key) => [{ parent, key }, ...places(parent[key])])
}

const set = (target: Record<string, unknown>, key: string, value: unknown) =>
  Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true })

const mutate = (text: string, mutations: readonly Mutation[]): string => {
  const document: unknown = JSON.parse(text)
  for (const { at, kind, value, key } of mutations) {
    const all = places(document)
    const place = all[at % Math.max(1, all.length)]
    if (place === undefined) continue
    const old = place.parent[place.key]
    if (kind === "replace") set(place.parent, place.key, value)
    else if (kind === "nest") set(place.parent, place.key, { [place.key]: old })
    else if (kind === "duplicate") set(place.parent, key, old)
    else {
      if (Array.isArray(place.parent)) place.parent.splice(Number(place.key), 1)
      else delete place.parent[place.key]
      if (kind === "rename" && !Array.isArray(place.parent)) set(place.parent, key, old)
    }
  }
  return JSON.stringify(document)
}

/** A text that is no longer JSON at one place. */
const break_ = (text: string, at: number, junk: string): string => {
  const cut = at % text.length
  return text.slice(0, cut) + junk + text.slice(cut + 1)
}

let values = 0
let refusals = 0
const outcome = (run: () => unknown): boolean => {
  try {
    run()
    values++
    return true
  } catch (error) {
    refusals++
    if (error instanceof ContractVersionError) return error.pointer.startsWith("/")
    return (
      error instanceof SpecError &&
      error.problems.length > 0 &&
      error.problems.every(
        ({ pointer, expected, found }) =>
          (pointer === "" || pointer.startsWith("/")) && expected !== "" && found !== "",
      )
    )
  }
}

const judgeClaims = (text: string) => {
  const content = decodeClaims(text, "claims.json")
  const ledger = ledgerOf([{ name: "claims.json", content }])
  const claims = resolveClaims(content, "claims.json")
  for (const claim of claims) rescoreClaim(claim, ratioSampleFor(ledger, claim.id))
  packetHtml(audit({ id: "x", title: "x", file: "x" }, claims, ledger))
}
const judgeContract = (text: string) => {
  const parsed = decodeJson(Contract, JSON.stringify(migrateContract(JSON.parse(text))), "contract.json")
  compareContracts(parsed, canonicalContract(), { definition: true })
  compareContracts(canonicalContract(), parsed)
}
const JUDGES = {
  spec: (text: string) => decodeSpec(text, "spec.json", "paper"),
  claims: judgeClaims,
  paper: judgeClaims,
  grades: judgeClaims,
  contract: judgeContract,
} as const

t.test(
  "mutated specs, claims and contracts: a value or a structured error, never a crash",
  { timeout: 540_000 },
  (test) => {
    const kinds = fc.constantFrom(
      "spec" as const,
      "claims" as const,
      "contract" as const,
      "contract" as const,
    )
    fc.assert(
      fc.property(kinds, fc.array(mutation, { minLength: 1, maxLength: 3 }), (kind, mutations) =>
        outcome(() => JUDGES[kind](mutate(SEEDS[kind], mutations))),
      ),
      fuzz(900),
    )
    fc.assert(
      fc.property(
        fc.constantFrom("spec" as const, "claims" as const),
        fc.nat(),
        fc.string({ maxLength: 3 }),
        (kind, at, junk) => outcome(() => JUDGES[kind](break_(SEEDS[kind], at, junk))),
      ),
      fuzz(100),
    )
    test.equal(values + refusals >= 1000, true)
    test.ok(values > 10, `${values} still valid`)
    test.ok(refusals > 500, `${refusals} refused, each with a pointer`)
    test.end()
  },
)

t.test("a value of any JSON form is refused, not thrown over", (test) => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) =>
      outcome(() => decodeValue(Contract, migrateContract(value), "contract.json")),
    ),
    fuzz(500),
  )
  test.pass("500 arbitrary values")
  test.end()
})
