/**
 * Published numbers: claims, their sources, and the facts that findings about them rest on.
 *
 * A claims file holds one source (a pull request, a paper, a log). A claim keeps its number as printed, says where it
 * stands, and carries the contract as far as the source states it.
 */
import * as Schema from "effect/Schema"
import { Contract, semanticFields } from "../metric/contract.js"
import { stated } from "../metric/contract-fields.js"
import { Fact, Mark, Place } from "../metric/findings-facts.js"
import { Identifier, JsonPointer, NonNegative } from "./common.js"

export { Fact, Mark, Place } from "../metric/findings-facts.js"

/** The number inside a printed text such as "<=23.21", "58 %" or "1.48306 +/- 0.00034"; undefined without one. */
export const printedNumber = (printed: string): number | undefined => {
  const match = /-?\d+(?:,\d{3})*(?:\.\d+)?(?:[eE][+-]?\d+)?|-?\.\d+/.exec(printed)
  return match === null ? undefined : Number(match[0].replaceAll(",", ""))
}

export const Claim = Schema.Struct({
  id: Identifier,
  title: Schema.String,
  model: Schema.String.annotate({ description: "What was evaluated, in words." }),
  printed: Schema.String.annotate({ description: "The number exactly as printed." }),
  value: Schema.Finite.annotate({ description: "The printed number, in the contract's unit." }),
  halfWidth: Schema.optionalKey(NonNegative).annotate({
    description: "Uncertainty of the reading, such as a value measured from a figure.",
  }),
  standardError: Schema.optionalKey(NonNegative).annotate({
    description: "Standard error or spread over seeds as the source prints it.",
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
  hardware: stated(Schema.String),
  notes: Schema.optionalKey(Schema.Array(Schema.String)),
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

export const ClaimsSource = Schema.Struct({
  title: Schema.String,
  url: Schema.String,
  commit: Schema.optionalKey(Schema.String),
  note: Schema.optionalKey(Schema.String),
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
        const issues: { path: PropertyKey[]; issue: string }[] = []
        if (!Object.hasOwn(file.contracts, claim.contract))
          issues.push({
            path: ["claims", index, "contract"],
            issue: `one of the file's contracts: ${Object.keys(file.contracts).join(", ")}`,
          })
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
