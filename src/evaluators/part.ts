/**
 * What an evaluator is made of, with everything about it that needs no tensor: how a spec states it, what it costs, what
 * its number means, and the arithmetic from its evidence to figures.
 *
 * The measurement stands beside the part, in `<kind>/measure.ts`, and is loaded when something is measured
 * (`evaluate.ts`): reading a spec, making a plan or a table loads no tensor library.
 */
import type * as Schema from "effect/Schema"
import type { PlannedFile } from "../data/corpora/part.js"
import { problem, type RuleSubject } from "../families/part.js"
import type { ContractContext } from "../metric/contract/builders.js"
import type { Contract } from "../metric/contract/contract.js"
import type { ContractPage } from "../metric/contract/pages.js"
import type { Problem } from "../spec/spec-error.js"
import type { Windows } from "../spec/windows.js"
import type { EvidenceFile } from "./evidence.js"
import type { Summary } from "./summary.js"
import type { References } from "./targets.js"

/** An evaluation as a spec holds it. */
export interface EvaluationKind {
  readonly kind: string
  readonly id: string
}

/** The same where its name does not matter. */
export type Unnamed<E> = Omit<E, "id"> & { readonly id?: string }

/**
 * One rule between the fields of an evaluation and of its experiment. It reads no more fields than it is about: a field
 * of the wrong form silences the rules that read it, and no other.
 *
 * @param at pointer of the evaluation in the spec
 */
export type EvaluationRule<E> = {
  // A method: the rules of one kind are only ever given that kind.
  judge(evaluation: E, at: string, subject: RuleSubject): Problem | false
}["judge"]

export interface EvaluatorCost {
  /** What one item is. */
  readonly item: "window" | "sample" | "task item"
  /** Items at most: a shorter split has fewer windows. */
  readonly items: number
  /** Positions of one forward pass. */
  readonly length: number
  /** Forward passes of one whole item. */
  readonly forwardsPerItem: number
}

export interface EvaluatorPart<E extends EvaluationKind = EvaluationKind> {
  readonly kind: E["kind"]
  readonly schema: Schema.Codec<E>
  /**
   * masked: a network that predicts masked tokens of rows of a fixed length from both sides. causal: one that predicts
   * the next token. inserting: one whose rows grow. sampler:
   * text that a network generates, whatever its objective.
   */
  readonly needs: "masked" | "causal" | "inserting" | "sampler"
  readonly rules: readonly EvaluationRule<E>[]
  /** It scores rows of whole documents too, whose prompts are given. */
  readonly wholeDocuments?: true
  /** @param length tokens of a row of the experiment */
  cost(evaluation: E, length?: number): EvaluatorCost
  /** What the number means; of several figures, the first. */
  contract(evaluation: Unnamed<E>, context: ContractContext): Contract
  /** Name of the estimator in a label. */
  words(evaluation: Unnamed<E>): string
  /** Whether papers print this number per nat and per published constant, so that a table shows those forms too. */
  readonly printed?: true
  /** Whether it stands in a comparison of models, given every evaluation of its kind in the run. */
  headline(evaluation: Unnamed<E>, kind: readonly Unnamed<E>[]): boolean
  /** Seeds of the random numbers of its texts; an evaluator without texts has none. */
  sampleSeeds?(evaluation: E): readonly number[]
  /** Files that it reads besides the corpus; none when absent. */
  files?(evaluation: E): readonly PlannedFile[]
  /** What evidence says: one summary, or several where one measurement gives several figures. Pure. */
  summarise(file: EvidenceFile, subject: string, dataset: string): readonly Summary[]
  /**
   * The targets of its evidence, for floors and the source's own code to be measured on exactly these. Absent where no
   * given text is scored: a sampler's text is the network's own.
   */
  references?(file: EvidenceFile, subject: string): References
  /** Its pages in the documentation of metrics. */
  readonly pages: readonly EvaluatorPage<E>[]
}

/** A page about an evaluator: its contract is built from an example. */
export interface EvaluatorPage<E> extends Omit<ContractPage, "kind" | "contract"> {
  readonly example: Unnamed<E>
  /** What of the usual context is different. */
  readonly context?: Partial<ContractContext>
}

/** An evaluation of windows. */
export interface OfWindows extends EvaluationKind {
  readonly windows: Windows
}

/** The cost of an evaluation of windows. */
export const windowCost = ({ windows: { count, length } }: OfWindows, forwards: number): EvaluatorCost => ({
  item: "window",
  items: count,
  length,
  forwardsPerItem: forwards,
})

export const strideFits: EvaluationRule<OfWindows & { readonly stride?: number | undefined }> = (
  evaluation,
  at,
) =>
  evaluation.stride !== undefined &&
  evaluation.stride > evaluation.windows.length &&
  problem(`${at}/stride`, `at most the window length ${evaluation.windows.length}`, evaluation.stride)

/** A masked network sees whole windows at once, so those may not be much longer than it was trained on. */
export const trainedLength: EvaluationRule<OfWindows> = ({ windows }, at, { data: { batching } }) =>
  windows.length > 2 * batching.length &&
  problem(
    `${at}/windows/length`,
    `at most twice the training length ${batching.length}`,
    windows.length,
    "Positions that were never trained would be scored.",
  )
