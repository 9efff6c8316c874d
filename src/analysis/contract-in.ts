/** The contract of a measured code length, for what looks at how a number was made and not at who made it. */
import { contractOf } from "../evaluators/index.js"
import type { EvaluationSummary } from "../evaluators/summary.js"
import { NOT_STATED, type Contract } from "../metric/contract/contract.js"
import type { Estimator } from "../metric/contract/fields.js"

export const contractIn = ({ evaluation, context }: EvaluationSummary): Contract =>
  contractOf(evaluation, { ...context, denominator: { kind: "tokens" } })

export const estimatorOf = (summary: EvaluationSummary): Estimator | undefined => {
  const { estimator } = contractIn(summary)
  return estimator === NOT_STATED ? undefined : estimator
}
