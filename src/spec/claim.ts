/**
 * Published numbers: claims, their sources, and the facts that findings about them rest on.
 *
 * A claims file holds one source (a pull request, a paper, a log). A claim keeps its number as printed, says where it
 * stands, and carries the contract as far as the source states it.
 */
import * as Schema from "effect/Schema"
import { Contract, semanticFields } from "../metric/contract/contract.js"
import { stated, type NotStated } from "../metric/contract/fields.js"
import { boundConflict, boundWords } from "../metric/contract/estimator-kinds.js"
import { Fact, Mark, Place } from "./findings-facts.js"
import { Identifier, JsonPointer, NonNegative, words } from "./common.js"

export { Fact, Mark, Place } from "./findings-facts.js"

/** The number inside a printed text such as "<=23.21", "58 %" or "1.48306 +/- 0.00034"; undefined without one. */
export const printedNumber = (printed: string): number | undefined => {
  const match = /-?\d+(?:,\d{3})*(?:\.\d+)?(?:[eE][+-]?\d+)?|-?\.\d+/.exec(printed)
  return match === null ? undefined : Number(match[0].replaceAll(",", ""))
}

export const Claim = Schema.Struct({
  id: Identifier,
  title: words(20_000),
  model: words(20_000).annotate({ description: "What was evaluated, in words." }),
  printed: words(20_000).annotate({ description: "The number exactly as printed." }),
  value: Schema.Finite.annotate({ description: "The printed number, in the contract's unit." }),
  halfWidth: Schema.optionalKey(NonNegative).annotate({
    description: "Uncertainty of the reading, such as a value measured from a figure.",
  }),
  standardError: Schema.optionalKey(NonNegative).annotate({
    description: "Standard error or spread over seeds as the source prints it.",
  }),
  exact: Schema.optionalKey(Schema.Boolean).annotate({
    description:
      "The value is a number as a program wrote it, the shortest decimal of a double, so that its digits hide no rounding; printed by hand when absent.",
  }),
  mark: Mark,
  place: Place,
  contract: Identifier.annotate({ description: "Name of one of the file's contracts." }),
  vary: Schema.optionalKey(
    Schema.Struct(
      Object.fromEntries(
        Object.entries(semanticFields).map(([key, field]) => [key, Schema.optionalKey(field)]),
      ) as { readonly [K in keyof typeof semanticFields]: Schema.optionalKey<(typeof semanticFields)[K]> },
    ),
  ).annotate({ description: "Contract fields in which this claim differs from the named contract." }),
  settings: Schema.optionalKey(Schema.Record(JsonPointer, Schema.Json)).annotate({
    description:
      "Values of the experiment, by JSON pointer, that this number alone belongs to, such as those of one cell of a sweep; every run of the experiment when absent.",
  }),
  hardware: stated(words(20_000)),
  notes: Schema.optionalKey(Schema.Array(words(20_000))),
})
  .annotate({ description: "One published number." })
  .check(
    Schema.makeFilter((claim) => {
      const printed = printedNumber(claim.printed)
      return printed === claim.value
        ? undefined
        : { path: ["value"], issue: `the number that is printed, ${printed ?? "which has no digits"}` }
    }),
  )
export type Claim = typeof Claim.Type

/** Above this no source prints a result, and every conversion between units stays within a double. */
const LARGEST = 1e12

const range = (wanted: string, holds: (value: number) => boolean) => ({ wanted, holds })
const POSITIVE = range(`a positive number below ${LARGEST}`, (x) => x > 0 && x < LARGEST)
const RANGES: { readonly [U in Exclude<Contract["unit"], NotStated>]: typeof POSITIVE } = {
  "bits/byte": POSITIVE,
  "bits/token": POSITIVE,
  "nats/token": POSITIVE,
  ppl: range(`a perplexity: 1 or more and below ${LARGEST}`, (x) => x >= 1 && x < LARGEST),
  nats: range(`a number from 0 to below ${LARGEST}`, (x) => x >= 0 && x < LARGEST),
  bits: range(`a number from 0 to below ${LARGEST}`, (x) => x >= 0 && x < LARGEST),
  proportion: range("a proportion, 0 to 1", (x) => x >= 0 && x <= 1),
  percent: range("a percentage, 0 to 100", (x) => x >= 0 && x <= 100),
  tokens: range(`a number from 0 to below ${LARGEST}`, (x) => x >= 0 && x < LARGEST),
  score: range(`a number of magnitude below ${LARGEST}`, (x) => Math.abs(x) < LARGEST),
}

/** What a value of the unit has to be, where this one is not. */
export const valueConflict = (unit: Contract["unit"], value: number): string | undefined =>
  unit === "not stated" || RANGES[unit].holds(value) ? undefined : RANGES[unit].wanted

interface Issue {
  readonly path: PropertyKey[]
  readonly issue: string
}

/** What a claim's own fields say against the contract it has once its variations are written in. */
const againstContract = (claim: Claim, contract: Contract, index: number): readonly Issue[] => {
  const { unit, estimator, bound } = { ...contract, ...claim.vary }
  const at = (...keys: PropertyKey[]) => ["claims", index, ...keys]
  const issues: Issue[] = []
  const wanted = valueConflict(unit, claim.value)
  if (wanted !== undefined) issues.push({ path: at("value"), issue: `${wanted}, as its unit is ${unit}` })
  for (const key of ["halfWidth", "standardError"] as const)
    if ((claim[key] ?? 0) >= LARGEST)
      issues.push({ path: at(key), issue: `a number from 0 to below ${LARGEST}` })
  const kinds = boundConflict(estimator, bound)
  const varied = (["bound", "estimator"] as const).find((key) => claim.vary?.[key] !== undefined)
  if (kinds !== undefined && varied !== undefined)
    issues.push({
      path: at("vary", varied),
      issue:
        varied === "bound"
          ? boundWords(estimator, kinds)
          : `an estimator whose value can be of the bound "${bound}", which the contract says`,
    })
  return issues
}

export const ClaimsSource = Schema.Struct({
  title: words(20_000),
  url: words(20_000),
  commit: Schema.optionalKey(words(20_000)),
  note: Schema.optionalKey(words(20_000)),
})

export const ClaimsFile = Schema.Struct({
  $schema: Schema.optionalKey(Schema.String),
  source: ClaimsSource,
  contracts: Schema.Record(Identifier, Contract),
  claims: Schema.NonEmptyArray(Claim),
  facts: Schema.optionalKey(Schema.Array(Fact)),
})
  .annotate({ description: "The published numbers of one source." })
  .check(
    Schema.makeFilter((file) => {
      const seen = new Set<string>()
      return file.claims.flatMap((claim, index) => {
        const issues: Issue[] = []
        const contract = Object.hasOwn(file.contracts, claim.contract)
          ? file.contracts[claim.contract]
          : undefined
        if (contract === undefined)
          issues.push({
            path: ["claims", index, "contract"],
            issue: `one of the file's contracts: ${Object.keys(file.contracts).join(", ")}`,
          })
        else issues.push(...againstContract(claim, contract, index))
        if (seen.has(claim.id)) issues.push({ path: ["claims", index, "id"], issue: "every id once" })
        seen.add(claim.id)
        return issues
      })
    }),
  )
export type ClaimsFile = typeof ClaimsFile.Type

/** A claim with its contract written out and its source beside it. */
export interface ResolvedClaim extends Omit<Claim, "contract" | "vary"> {
  readonly contract: Contract
  readonly source: ClaimsFile["source"]
  /** The claims file it came from, by its base name. */
  readonly file: string
}

/** The claims of a decoded file with their contracts written out. */
export const resolveClaims = (file: ClaimsFile, name: string): readonly ResolvedClaim[] =>
  file.claims.map(({ contract, vary, ...claim }) => ({
    ...claim,
    contract: { ...file.contracts[contract]!, ...vary },
    source: file.source,
    file: name,
  }))
