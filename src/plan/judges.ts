/** What judging the texts of an experiment costs: passes of another spec's network over them. */
import { evaluatorPart } from "../evaluators/index.js"
import type { EvaluationKind } from "../evaluators/part.js"
import { networkPart } from "../families/index.js"
import { defaultBatch } from "../inference/batch.js"
import { countParameters } from "../model/parameters.js"
import type { Experiment } from "../spec/experiment.js"
import { judgeIn } from "../spec/judge.js"
import type { LoadedSpec, Profile } from "../spec/spec-file.js"
import { forwardFlops } from "./cost.js"

export interface JudgeCost {
  readonly evaluation: string
  readonly spec: string
  readonly profile: Profile
  readonly fingerprint: string
  readonly texts: number
  /** Tokens of the judge's row. */
  readonly window: number
  /**
   * Passes of one row at most, at as many tokens of the judge's as of the generator's: each text alone, and all of them
   * joined and cut into rows.
   */
  readonly forwards: number
  readonly flops: number
  /** Bytes in fp32 beside the generator, which is still there: weights, and activations of a batch at most. */
  readonly memory: number
}

const memoryOf = ({ model, data, execution }: Experiment): number => {
  const part = networkPart(model)
  const { vocabSize } = data.tokenizer
  const { length } = data.batching
  const batch = execution?.evaluationBatch ?? defaultBatch(length)
  return (
    4 * countParameters(part.parameters(model, vocabSize)) +
    part.activationBytes(model, vocabSize, batch, length)
  )
}

const costOf = (
  evaluation: EvaluationKind,
  { experiment: judge, profile, fingerprint }: LoadedSpec,
  { data }: Experiment,
): JudgeCost => {
  const { items: texts, length } = evaluatorPart(evaluation).cost(evaluation, data.batching.length)
  const window = judge.data.batching.length
  // Joined, one token stands between two texts.
  const chunks = Math.ceil((texts * (length + 1)) / window)
  const forwards = texts + chunks
  return {
    evaluation: evaluation.id,
    spec: judge.id,
    profile,
    fingerprint,
    texts,
    window,
    forwards,
    flops: forwards * window * forwardFlops(judge, window),
    memory: memoryOf(judge),
  }
}

/** Each evaluation that is judged, in the order of the spec. */
export const judgeCosts = ({ experiment, judges }: LoadedSpec): readonly JudgeCost[] =>
  experiment.evaluations.flatMap((evaluation) => {
    const judge = judges?.get(judgeIn(evaluation)?.fingerprint ?? "")
    return judge === undefined ? [] : [costOf(evaluation, judge, experiment)]
  })
