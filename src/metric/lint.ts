/** Warnings about how numbers were made: patterns that experience shows to mislead, found in contracts and facts. */
import { NOT_STATED, type Contract } from "./contract.js"
import { contractOf, type ContractContext, type EvaluationShape } from "./contract-builders.js"
import type { Estimator } from "./contract-fields.js"
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
export type LintRule = (typeof LINT_RULES)[number]

export interface Warning {
  readonly rule: LintRule
  /** Claims the warning is about. */
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
  readonly evaluations: readonly (EvaluationShape & { readonly id: string })[]
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
  if (experiment !== undefined && quantity !== "negative-log-likelihood" && quantity !== NOT_STATED)
    warnings.push(warn("not-produced", `No evaluation of ${experiment.id} produces a ${quantity}.`))
  return warnings
}

/** Every warning on the claims of one experiment, in a fixed order. */
export const lint = (
  claims: readonly LintedClaim[],
  facts: readonly SourcedFact[],
  experiment?: LintedExperiment,
): readonly Warning[] => {
  const ids = new Set(claims.map(({ id }) => id))
  const relevant = facts.filter((fact) => fact.claims.some((id) => ids.has(id)))
  const fromFacts = relevant.flatMap((fact): readonly Warning[] => {
    if (fact.kind === "selection-split")
      return [{ rule: "selection-split", claims: fact.claims, text: `A source shows: ${fact.statement}.` }]
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
    return [
      {
        rule: "bound-among-exact",
        claims: fact.claims,
        text: `The published table ranks values of different kinds in ${fact.sortedBy}.`,
      },
    ]
  })
  const all = [...claims.flatMap((claim) => perClaim(claim, experiment)), ...fromFacts, ...ranked]
  return all.sort((a, b) => LINT_RULES.indexOf(a.rule) - LINT_RULES.indexOf(b.rule))
}
