/** The importance-weighted bound over random orders. */
import * as Schema from "effect/Schema"
import { importanceBound } from "../../metric/code/importance.js"
import { codeLengthContract } from "../../metric/contract/builders.js"
import { PAGE_WINDOWS } from "../../metric/contract/page-context.js"
import { Count } from "../../spec/common.js"
import { EvaluationId, Seed, Windows } from "../../spec/windows.js"
import { codeLengthSummary } from "../code-length.js"
import type { EvidenceFile } from "../evidence.js"
import { trainedLength, windowCost, type EvaluatorPart } from "../part.js"
import type { EvaluationSummary } from "../summary.js"
import { tensorOf, windowReferences } from "../targets.js"

export const ImportanceWeighted = Schema.Struct({
  kind: Schema.Literal("importance-weighted"),
  id: EvaluationId,
  windows: Windows,
  samples: Count.annotate({ description: "K: orders averaged inside the logarithm." }),
  seed: Seed,
}).annotate({ description: "Importance-weighted bound over random orders." })
export type ImportanceWeighted = typeof ImportanceWeighted.Type

/**
 * The bound of K orders and before it those of 1, 2, 4, .. orders: means over disjoint groups of the very same orders,
 * so that they fall with K in every window.
 */
const everySize = (file: EvidenceFile, subject: string, dataset: string): readonly EvaluationSummary[] => {
  const nats = tensorOf<Float64Array>(file, "nats", subject)
  const whole = codeLengthSummary<ImportanceWeighted>(file, subject, dataset, ({ evaluation, windows }) =>
    importanceBound({ windows: windows.count, paths: evaluation.samples, nats }),
  )
  const { evaluation, evaluationId, perWindow, forwards, seconds } = whole
  const paths = evaluation["samples"] as number
  const smaller: EvaluationSummary[] = []
  for (let samples = 1; samples < paths; samples *= 2) {
    if (paths % samples !== 0) break
    const bound = importanceBound({ windows: perWindow.length, paths, nats, samples })
    const share = samples / paths
    smaller.push({
      ...whole,
      evaluationId: `${evaluationId}.k${samples}`,
      evaluation: { ...evaluation, samples },
      bits: bound.bits,
      perWindow: perWindow.map((window, w) => ({ ...window, bits: bound.perWindowBits[w]! })),
      ...(bound.monteCarloVariance === undefined ? {} : { monteCarloVariance: bound.monteCarloVariance }),
      // What this bound alone would cost; that it was measured more often lowers its noise.
      ...(forwards === undefined ? {} : { forwards: forwards * share }),
      ...(seconds === undefined ? {} : { seconds: seconds * share }),
    })
  }
  return [...smaller, whole]
}

export const importanceWeighted: EvaluatorPart<ImportanceWeighted> = {
  kind: "importance-weighted",
  schema: ImportanceWeighted,
  needs: "masked",
  rules: [trainedLength],
  cost: (evaluation) => windowCost(evaluation, evaluation.samples * evaluation.windows.length),
  contract: ({ windows, samples }, context) =>
    codeLengthContract(
      {
        windows,
        bound: "upper-bound",
        estimator: { kind: "importance-weighted", samples },
        mayShowBoundaries: true,
      },
      context,
    ),
  words: ({ samples }) => `importance-weighted bound, K=${samples}`,
  headline: () => false,
  summarise: everySize,
  references: windowReferences,
  pages: [
    {
      id: "importance-weighted",
      title: "Importance-weighted bound",
      formula: ["-E ln (1/K) sum over K orders of exp(-NLL of the order)"],
      text: "Falls with K; still an upper bound in expectation.",
      hazards: [
        "Orders must be drawn independently of the text.",
        "The gain over K = 1 is at most ln K nats a window.",
      ],
      citations: ["Burda, Grosse and Salakhutdinov 2016, Importance Weighted Autoencoders, arXiv 1509.00519"],
      example: { kind: "importance-weighted", windows: PAGE_WINDOWS, samples: 16, seed: 0 },
    },
  ],
}
