/** Sliding left-to-right scoring of a masked network. */
import * as Schema from "effect/Schema"
import { codeLengthContract } from "../../metric/contract/builders.js"
import { PAGE_WINDOWS, GOLF } from "../../metric/contract/page-context.js"
import { Count } from "../../spec/common.js"
import { EvaluationId, Tail, Windows } from "../../spec/windows.js"
import { codeLengthSummary, targetBits } from "../code-length.js"
import { strideFits, trainedLength, windowCost, type EvaluatorPart } from "../part.js"
import { windowReferences } from "../targets.js"

export const Sliding = Schema.Struct({
  kind: Schema.Literal("sliding"),
  id: EvaluationId,
  windows: Windows,
  stride: Count.annotate({ description: "Tokens scored in each window after the first." }),
  tail: Tail,
}).annotate({
  description: "Sliding window: the last `stride` tokens of each window given everything to their left.",
})
export type Sliding = typeof Sliding.Type

export const sliding: EvaluatorPart<Sliding> = {
  kind: "sliding",
  schema: Sliding,
  needs: "masked",
  rules: [strideFits, trainedLength],
  cost: (evaluation) => windowCost(evaluation, evaluation.windows.length),
  contract: ({ windows, stride, tail }, context) =>
    codeLengthContract(
      {
        windows,
        bound: "exact",
        estimator: { kind: "chain-rule", order: "left-to-right" },
        stride,
        tail,
        mayShowBoundaries: true,
      },
      context,
    ),
  words: ({ stride }) => `sliding NLL, stride ${stride}`,
  headline: () => true,
  summarise: (file, subject, dataset) => [codeLengthSummary(file, subject, dataset, targetBits)],
  references: windowReferences,
  pages: [
    {
      id: "sliding",
      title: "Sliding left-to-right",
      formula: ["each window scores its last `stride` tokens left to right, given everything to their left"],
      text: "Directly beside an autoregressive score with the same stride.",
      hazards: ["Tail rules A and B score some targets more than once; C scores each once."],
      citations: [GOLF, "parameter-golf PR #1218: tail rule C"],
      example: { kind: "sliding", windows: PAGE_WINDOWS, stride: 64, tail: "C" },
    },
  ],
}
