/**
 * Published numbers: claims, their sources, and the facts that findings about them rest on.
 *
 * A claims file holds one source (a pull request, a paper, a log). A claim keeps its number as printed, says where it
 * stands, and carries the contract as far as the source states it.
 */
import * as Schema from "effect/Schema"
import { Contract, semanticFields } from "../metric/contract.js"
import { stated } from "../metric/contract-fields.js"
import { Count, Identifier, Natural, NonNegative } from "./common.js"

export const MARKS = ["stated", "computed", "derived", "inferred"] as const
export const Mark = Schema.Literals(MARKS).annotate({
  description:
    "stated: a source says it. computed: from public logs or artefacts. derived: mathematics. inferred: could be wrong.",
})
export type Mark = typeof Mark.Type

export const Place = Schema.Struct({
  document: Schema.optionalKey(Schema.String).annotate({
    description: "Another document than the file's source, by title or address.",
  }),
  commit: Schema.optionalKey(Schema.String),
  file: Schema.optionalKey(Schema.String),
  line: Schema.optionalKey(Count),
  table: Schema.optionalKey(Schema.String),
  row: Schema.optionalKey(Schema.String),
  column: Schema.optionalKey(Schema.String),
  figure: Schema.optionalKey(Schema.String),
  note: Schema.optionalKey(Schema.String),
}).annotate({ description: "Where exactly it stands." })
export type Place = typeof Place.Type

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

const about = {
  id: Identifier,
  claims: Schema.Array(Identifier).annotate({ description: "Claims the fact bears on." }),
  mark: Mark,
  place: Place,
} as const
const kind = <K extends string>(name: K) => Schema.Literal(name)

/** Facts of a source that are no published results, but from which findings are computed. */
export const Fact = Schema.Union([
  Schema.Struct({
    kind: kind("training-objective"),
    ...about,
    weight: Schema.Literals(["dsigma", "nelbo", "clamped-inverse-t", "uniform-k"]),
    eps: Schema.Finite,
    length: Count,
  }).annotate({ description: "The weight that training put on the masked cross-entropy." }),
  Schema.Struct({
    kind: kind("run-length"),
    ...about,
    stepsPerGroup: Count,
    groupsAtHead: Count,
    groupsInRun: Count,
    switchAtHead: Schema.String,
  }).annotate({
    description: "Steps of the script as published beside the steps of the run behind the claim.",
  }),
  Schema.Struct({
    kind: kind("sweep-length"),
    ...about,
    stepsStated: Count,
    stepsPerGroup: Count,
    highestLearningRate: Schema.Finite,
    statedLearningRate: Schema.Finite,
  }).annotate({
    description: "Steps of an ablation as stated and as in the script committed beside its results.",
  }),
  Schema.Struct({
    kind: kind("deleted-code"),
    ...about,
    description: Schema.String,
    addedIn: Schema.String,
    removedIn: Schema.String,
  }).annotate({ description: "Text that describes code which a later commit removed." }),
  Schema.Struct({
    kind: kind("floor"),
    ...about,
    floor: Schema.Literals(["uniform", "initial", "unigram", "bigram"]),
    bitsPerToken: Schema.Finite,
  }).annotate({ description: "What a trivial model reaches on the same tokens." }),
  Schema.Struct({
    kind: kind("ratio-range"),
    ...about,
    low: Schema.Finite,
    high: Schema.Finite,
    statement: Schema.String,
  }).annotate({ description: "A range of bytes per token that a source asserts." }),
  Schema.Struct({
    kind: kind("ratio-sample"),
    ...about,
    windows: Count,
    windowTokens: Count,
    bytes: Count,
    standardDeviation: Schema.Finite,
  }).annotate({ description: "Bytes per token of a sample of windows, counted on their text." }),
  Schema.Struct({
    kind: kind("log-pair"),
    ...about,
    file: Schema.String,
    natsPerToken: Schema.String.annotate({ description: "As printed, all digits." }),
    bitsPerByte: Schema.String.annotate({ description: "As printed, all digits." }),
    tokens: Count,
  }).annotate({ description: "A log line with loss and BPB, which together say the bytes per token." }),
  Schema.Struct({
    kind: kind("matched-steps"),
    ...about,
    steps: Count,
    confounds: Schema.Array(Schema.String),
  }).annotate({ description: "Two claims at equal optimiser steps, first the newer one." }),
  Schema.Struct({ kind: kind("quotation"), ...about, printed: Schema.String }).annotate({
    description: "Another document quotes the claims' number.",
  }),
  Schema.Struct({ kind: kind("table"), ...about, sortedBy: Schema.String }).annotate({
    description: "A published table in which the claims stand in one column.",
  }),
  Schema.Struct({
    kind: kind("schedule-mismatch"),
    ...about,
    training: Schema.String,
    sampling: Schema.String,
  }).annotate({ description: "Different schedules at training and at sampling time." }),
  Schema.Struct({ kind: kind("grader-ceiling"), ...about, items: Count, unscorable: Count }).annotate({
    description: "Items that the grader cannot score correct even for the verbatim gold answer.",
  }),
  Schema.Struct({
    kind: kind("post-processing"),
    ...about,
    items: Count,
    correct: Natural,
    correctAfter: Natural,
    change: Schema.String,
  }).annotate({ description: "The same generations graded again after a uniform change." }),
  Schema.Struct({ kind: kind("selection-split"), ...about, statement: Schema.String }).annotate({
    description: "Settings or checkpoints were chosen on the split that is reported.",
  }),
  Schema.Struct({ kind: kind("unmatched-baseline"), ...about, statement: Schema.String }).annotate({
    description: "The two arms of a comparison differ in more than the claim says.",
  }),
])
export type Fact = typeof Fact.Type

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
