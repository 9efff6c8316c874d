/**
 * The one registration of evaluators: what an experiment's evaluations may be, and who answers for each.
 *
 * A kind's folder bears its name and holds `part.ts` and `measure.ts`.
 */
import * as Schema from "effect/Schema"
import type { ContractContext } from "../metric/contract/builders.js"
import type { Contract } from "../metric/contract/contract.js"
import { anyOrder } from "./any-order/part.js"
import { autoregressive } from "./autoregressive/part.js"
import { blockNelbo } from "./block-nelbo/part.js"
import { chainRule } from "./chain-rule/part.js"
import { continuousNelbo } from "./continuous-nelbo/part.js"
import { discreteElbo } from "./discrete-elbo/part.js"
import { importanceWeighted } from "./importance-weighted/part.js"
import { insertionNelbo } from "./insertion-nelbo/part.js"
import { samples } from "./samples/part.js"
import { parseEvidenceHeader, type EvidenceFile } from "./evidence.js"
import type { EvaluatorPart } from "./part.js"
import { sliding } from "./sliding/part.js"
import { registrationChanged } from "../spec/registration.js"
import type { Evaluated, Summary } from "./summary.js"

export const EVALUATORS = [
  discreteElbo,
  anyOrder,
  chainRule,
  sliding,
  blockNelbo,
  importanceWeighted,
  autoregressive,
  insertionNelbo,
  continuousNelbo,
  samples,
] as const satisfies readonly EvaluatorPart[]

type SpecOf<P> = P extends { readonly schema: Schema.Codec<infer A> } ? A : never
/** An evaluation of some registered kind, as a spec holds it. */
export type RegisteredEvaluation = SpecOf<(typeof EVALUATORS)[number]>

let evaluators: readonly EvaluatorPart[] = EVALUATORS

/**
 * Adds an evaluator for the rest of the process, as if it stood in the list above; see `registerMeasure` in
 * `evaluate.ts` for its measurement.
 *
 * @returns what takes it away again
 * @throws Error where its kind is taken
 */
export const registerEvaluator = (part: EvaluatorPart): (() => void) => {
  if (evaluatorKinds().includes(part.kind)) throw new Error(`the evaluation kind "${part.kind}" is taken`)
  evaluators = [...evaluators, part]
  registrationChanged()
  return () => {
    evaluators = evaluators.filter((each) => each !== part)
    registrationChanged()
  }
}

export const evaluatorParts = (): readonly EvaluatorPart[] => evaluators
export const evaluatorKinds = (): readonly string[] => evaluators.map(({ kind }) => kind)

/** The part of an evaluation. @throws Error where its kind is not registered */
export const evaluatorPart = ({ kind }: { readonly kind: string }): EvaluatorPart => {
  const part = evaluators.find((each) => each.kind === kind)
  if (part === undefined)
    throw new Error(
      `no evaluation of the kind "${kind}" is registered; there are ${evaluatorKinds().join(", ")}`,
    )
  return part
}

/** The contract of one evaluation. */
export const contractOf = (evaluation: Evaluated, context: ContractContext): Contract =>
  evaluatorPart(evaluation).contract(evaluation, context)

/** Name of an evaluation's estimator in a label. */
export const estimatorName = (evaluation: Evaluated): string => evaluatorPart(evaluation).words(evaluation)

/** Whether an evaluation stands in a comparison of models, given all of its run. */
export const isHeadline = (evaluation: Evaluated, all: readonly Evaluated[]): boolean =>
  evaluatorPart(evaluation).headline(
    evaluation,
    all.filter(({ kind }) => kind === evaluation.kind),
  )

/**
 * What an evidence file says.
 *
 * @param dataset names the data in contracts
 */
export const summarise = (file: EvidenceFile, subject: string, dataset: string): readonly Summary[] =>
  evaluatorPart(parseEvidenceHeader(file.metadata, subject).evaluation).summarise(file, subject, dataset)

/** Schema of every registered evaluation. */
export const evaluationUnion = (): Schema.Codec<RegisteredEvaluation> =>
  Schema.Union(evaluators.map(({ schema }) => schema)).annotate({
    identifier: "Evaluation",
    description: "One evaluation: which evidence is produced, on which tokens.",
  }) as unknown as Schema.Codec<RegisteredEvaluation>
