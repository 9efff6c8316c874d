/** Warnings about how numbers were made: patterns that experience shows to mislead, found in contracts and facts. */
import { NOT_STATED, type Contract } from "../metric/contract/contract.js"
import { contractOf, evaluatorPart } from "../evaluators/index.js"
import type { Evaluated } from "../evaluators/summary.js"
import { windowsIn } from "../spec/windows.js"
import type { ContractContext } from "../metric/contract/builders.js"
import type { Estimator } from "../metric/contract/fields.js"
import type { SourcedFact } from "./findings-common.js"

export const LINT_RULES = [
  "selection-split",
  "not-produced",
  "schedule-mismatch",
  "constant-denominator",
  "bound-among-exact",
  "single-seed",
  "coverage",
] as const
/** Patterns of a comparison's protocol, which facts of a source show. */
export const PROTOCOL_RULES = [
  "baseline-range",
  "setting-per-benchmark",
  "any-extraction",
  "temperatures",
] as const
export type LintRule = (typeof LINT_RULES)[number] | (typeof PROTOCOL_RULES)[number]
const ORDER: readonly LintRule[] = [...LINT_RULES, ...PROTOCOL_RULES]

export interface Warning {
  readonly rule: LintRule
  /** Claims the warning is about; none where it is about the spec. */
  readonly claims: readonly string[]
  readonly text: string
}

export interface LintedClaim {
  readonly id: string
  readonly contract: Contract
}

/** An experiment as far as the rules look at it; structurally the decoded spec. */
export interface LintedExperiment {
  readonly id: string
  readonly evaluations: readonly (Evaluated & { readonly id: string })[]
  readonly objective?:
    | {
        readonly kind: string
        readonly weight?: string
        readonly schedule?: { readonly eps: number }
        readonly timeMax?: number
      }
    | undefined
  readonly data?: { readonly batching: { readonly kind: string; readonly length: number } } | undefined
  readonly sweep?: { readonly grid?: readonly { readonly name: string }[] } | undefined
}

const sameEstimator = (a: Estimator, b: Estimator): boolean => {
  if (a.kind !== b.kind) return false
  if (a.kind === "discrete-elbo" && b.kind === "discrete-elbo") return a.steps === b.steps
  if (a.kind === "chain-rule" && b.kind === "chain-rule") return a.order === b.order
  return true
}

/** What a contract needs to know of the data plays no part in the estimator. */
const ANY_CONTEXT: ContractContext = {
  dataset: NOT_STATED,
  split: NOT_STATED,
  tokenizer: { id: NOT_STATED },
  boundary: "maskable",
  denominator: { kind: "byte-table" },
}

const perClaim = (claim: LintedClaim, experiment: LintedExperiment | undefined): readonly Warning[] => {
  const { contract } = claim
  const warn = (rule: LintRule, text: string): Warning => ({ rule, claims: [claim.id], text })
  const warnings: Warning[] = []
  if (contract.selection === "best-on-report-split")
    warnings.push(warn("selection-split", "The value was selected on the split it is reported on."))
  if (contract.denominator !== NOT_STATED && contract.denominator.kind === "constant")
    warnings.push(
      warn(
        "constant-denominator",
        `The denominator is the constant ${contract.denominator.bytesPerToken} bytes per token, not a byte count.`,
      ),
    )
  if (contract.seeds !== NOT_STATED && contract.seeds.length === 1)
    warnings.push(warn("single-seed", `One seed (${contract.seeds[0]}): the spread between runs is unknown.`))
  if (contract.data !== NOT_STATED && contract.data.coverage !== NOT_STATED && contract.data.coverage < 0.999)
    warnings.push(warn("coverage", `${(100 * contract.data.coverage).toFixed(2)} % of the split was scored.`))
  const { estimator, quantity } = contract
  if (experiment !== undefined && quantity === "negative-log-likelihood" && estimator !== NOT_STATED) {
    const produced = experiment.evaluations.some((evaluation) => {
      const ours = contractOf(evaluation, ANY_CONTEXT).estimator
      return ours !== NOT_STATED && sameEstimator(ours, estimator)
    })
    if (!produced) {
      const steps = estimator.kind === "discrete-elbo" ? ` with T = ${estimator.steps}` : ""
      warnings.push(
        warn("not-produced", `No evaluation of ${experiment.id} produces a ${estimator.kind}${steps}.`),
      )
    }
  }
  const sampled = experiment?.evaluations.some((each) => evaluatorPart(each).needs === "sampler") ?? false
  const said = quantity === "negative-log-likelihood" || quantity === NOT_STATED
  if (experiment !== undefined && !said && (!sampled || quantity === "training-loss"))
    warnings.push(warn("not-produced", `No evaluation of ${experiment.id} produces a ${quantity}.`))
  return warnings
}

/** Estimators that integrate the NELBO over noise levels. */
const NELBOS: ReadonlySet<Estimator["kind"]> = new Set(["discrete-elbo", "continuous-elbo", "any-order"])

const list = (names: readonly string[]): string => names.join(", ")

/** Where an experiment trains for something else than it evaluates. */
const scheduleMismatches = ({ evaluations, objective, data }: LintedExperiment): readonly string[] => {
  const named = (test: (evaluation: LintedExperiment["evaluations"][number]) => boolean): string =>
    list(evaluations.filter(test).map(({ id }) => id))
  const texts: string[] = []
  const bounds = named((evaluation) => {
    const { estimator } = contractOf(evaluation, ANY_CONTEXT)
    return estimator !== NOT_STATED && NELBOS.has(estimator.kind)
  })
  const weight = objective?.weight
  if (weight === "dsigma" && bounds !== "")
    texts.push(
      `The spec trains with the weight ${weight}, (1-eps)/alpha; ${bounds} integrate the NELBO, whose weight is (1-eps)/(1-alpha).`,
    )
  const timeMax = objective?.timeMax
  if (timeMax !== undefined && timeMax < 0.999 && bounds !== "")
    texts.push(`The spec trains on times up to ${timeMax}; ${bounds} go to time 1.`)
  const batching = data?.batching
  if (batching === undefined) return texts
  const chunks = batching.kind === "document-chunks" || batching.kind === "documents"
  const cut = named((evaluation) => {
    const windows = windowsIn(evaluation)
    return windows !== undefined && (windows.alignment !== "raw-stream") !== chunks
  })
  if (cut !== "")
    texts.push(
      chunks
        ? `The spec trains on documents filled with PAD (${batching.kind}); ${cut} cut the raw stream across documents.`
        : `The spec trains on windows of the raw stream (${batching.kind}); ${cut} score documents filled with PAD.`,
    )
  const longer = named((evaluation) => (windowsIn(evaluation)?.length ?? 0) > batching.length)
  if (longer !== "")
    texts.push(`The spec trains on at most ${batching.length} tokens; the windows of ${longer} are longer.`)
  return texts
}

/** Where an experiment reports on what it chooses by. */
const selectionSplits = ({ evaluations, sweep }: LintedExperiment): readonly string[] =>
  // Seeds alone are averaged, and none is chosen.
  sweep?.grid === undefined
    ? []
    : [
        `The spec compares points of a grid (${list(sweep.grid.map(({ name }) => name))}) by ${list(evaluations.map(({ id }) => id))}, on the windows of the validation split that it also reports; a best point is then optimistic, and no windows are set aside to choose by.`,
      ]

const ofSpec = (experiment: LintedExperiment): readonly Warning[] => [
  ...scheduleMismatches(experiment).map((text) => ({ rule: "schedule-mismatch" as const, claims: [], text })),
  ...selectionSplits(experiment).map((text) => ({ rule: "selection-split" as const, claims: [], text })),
]

/** Patterns of a comparison's protocol, as sources show them. */
const protocolWarning = (fact: SourcedFact): Omit<Warning, "claims"> | undefined => {
  switch (fact.kind) {
    case "baseline-range":
      return fact.value >= fact.low && fact.value <= fact.high
        ? undefined
        : {
            rule: fact.kind,
            text: `The baseline is run at ${fact.setting} ${fact.value}, outside the ${fact.low} to ${fact.high} that its authors validated.`,
          }
    case "setting-per-benchmark":
      return { rule: fact.kind, text: `A source shows: ${fact.statement}.` }
    case "any-extraction":
      return fact.extractions < 2
        ? undefined
        : {
            rule: fact.kind,
            text: `A sample passes when any of ${fact.extractions} extractions of it passes: an upper bound on the pass rate under one of them.`,
          }
    case "temperatures":
      return fact.contender === fact.baseline
        ? undefined
        : {
            rule: fact.kind,
            text: `The contender is decoded at temperature ${fact.contender}, the baseline at ${fact.baseline}: pass@k depends on it.`,
          }
    default:
      return undefined
  }
}

/** How a value stands to what it measures, as far as a rank depends on it. */
const sideOf = ({ contract: { bound } }: LintedClaim): string | undefined =>
  bound === NOT_STATED || bound === "unknown" ? undefined : bound

/**
 * Every warning on the claims of one experiment, in a fixed order.
 *
 * @param known every claim of the ledger: a published table may hold others than the audited ones
 */
export const lint = (
  claims: readonly LintedClaim[],
  facts: readonly SourcedFact[],
  experiment?: LintedExperiment,
  known: ReadonlyMap<string, LintedClaim> = new Map(claims.map((claim) => [claim.id, claim])),
): readonly Warning[] => {
  const ids = new Set(claims.map(({ id }) => id))
  const relevant = facts.filter((fact) => fact.claims.some((id) => ids.has(id)))
  const fromFacts = relevant.flatMap((fact): readonly Warning[] => {
    if (fact.kind === "selection-split")
      return [{ rule: "selection-split", claims: fact.claims, text: `A source shows: ${fact.statement}.` }]
    const protocol = protocolWarning(fact)
    if (protocol !== undefined) return [{ ...protocol, claims: fact.claims }]
    if (fact.kind === "schedule-mismatch")
      return [
        {
          rule: "schedule-mismatch",
          claims: fact.claims,
          text: `Training uses ${fact.training}, sampling ${fact.sampling}.`,
        },
      ]
    return []
  })
  const ranked = relevant.flatMap((fact): readonly Warning[] => {
    if (fact.kind !== "table") return []
    const members = fact.claims.flatMap((id) => known.get(id) ?? [])
    const sides = new Set(members.flatMap((member) => sideOf(member) ?? []))
    if (sides.size < 2 || !(sides.has("upper-bound") || sides.has("lower-bound"))) return []
    return [
      {
        rule: "bound-among-exact",
        claims: fact.claims,
        text: `The published table ranks values of different kinds (${list([...sides])}) in ${fact.sortedBy}.`,
      },
    ]
  })
  const all = [
    ...claims.flatMap((claim) => perClaim(claim, experiment)),
    ...fromFacts,
    ...ranked,
    ...(experiment === undefined ? [] : ofSpec(experiment)),
  ]
  return all.sort((a, b) => ORDER.indexOf(a.rule) - ORDER.indexOf(b.rule))
}
