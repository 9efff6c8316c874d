/** The any-order NELBO: one block as long as the window. */
import * as Schema from "effect/Schema"
import { anyOrder as boundOf } from "../../metric/code/any-order.js"
import { codeLengthContract } from "../../metric/contract/builders.js"
import { PAGE_WINDOWS } from "../../metric/contract/page-context.js"
import { Count } from "../../spec/common.js"
import { EvaluationId, Seed, Windows } from "../../spec/windows.js"
import { codeLengthSummary } from "../code-length.js"
import { trainedLength, windowCost, type EvaluatorPart } from "../part.js"
import { windowReferences } from "../targets.js"

export const AnyOrder = Schema.Struct({
  kind: Schema.Literal("any-order"),
  id: EvaluationId,
  windows: Windows,
  draws: Count.annotate({ description: "Stratified mask counts per window." }),
  seed: Seed,
}).annotate({
  description:
    "Rao-Blackwellised any-order NELBO: the mean over orders of the chain-rule negative log-likelihood.",
})
export type AnyOrder = typeof AnyOrder.Type

export const anyOrder: EvaluatorPart<AnyOrder> = {
  kind: "any-order",
  schema: AnyOrder,
  needs: "masked",
  rules: [trainedLength],
  cost: (evaluation) => windowCost(evaluation, evaluation.draws),
  contract: ({ windows, draws }, context) =>
    codeLengthContract(
      {
        windows,
        bound: "upper-bound",
        estimator: { kind: "any-order", draws },
        mayShowBoundaries: true,
      },
      context,
    ),
  words: ({ draws }) => `any-order NELBO, ${draws} draws`,
  headline: () => true,
  summarise: (file, subject, dataset) => [
    codeLengthSummary<AnyOrder>(file, subject, dataset, ({ evaluation, windows: { count }, tensors }) =>
      boundOf({
        windows: count,
        draws: evaluation.draws,
        maskable: tensors.ints("maskable"),
        masked: tensors.ints("masked"),
        nats: tensors.floats("nats"),
      }),
    ),
  ],
  references: windowReferences,
  pages: [
    {
      id: "any-order",
      title: "Any-order NELBO",
      formula: [
        "L E_(k ~ U{1..L}) [ (1/k) sum over a random set of k masked positions of -ln p(x_i | the rest) ]",
      ],
      text: "Equal to the mean over all orders of the chain-rule negative log-likelihood; the mask count's noise is averaged out.",
      hazards: ["L is the number of maskable positions; a free position must not be counted."],
      citations: [
        "Uria, Murray and Larochelle 2014, A Deep and Tractable Density Estimator, arXiv 1310.1757",
      ],
      example: { kind: "any-order", windows: PAGE_WINDOWS, draws: 16, seed: 0 },
    },
  ],
}
