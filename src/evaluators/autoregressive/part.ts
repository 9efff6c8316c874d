/** Next-token prediction: chunked, or sliding with a stride. */
import * as Schema from "effect/Schema"
import { codeLengthContract } from "../../metric/contract/builders.js"
import { PAGE_WINDOWS, GOLF } from "../../metric/contract/page-context.js"
import { Count } from "../../spec/common.js"
import { EvaluationId, Tail, Windows } from "../../spec/windows.js"
import { codeLengthSummary, targetBits } from "../code-length.js"
import { strideFits, windowCost, type EvaluatorPart } from "../part.js"
import { windowReferences } from "../targets.js"

export const Autoregressive = Schema.Struct({
  kind: Schema.Literal("autoregressive"),
  id: EvaluationId,
  windows: Windows,
  stride: Schema.optionalKey(Count).annotate({
    description: "Absent: chunked scoring. Given: sliding scoring with this stride.",
  }),
  tail: Tail,
}).annotate({ description: "Exact next-token negative log-likelihood." })
export type Autoregressive = typeof Autoregressive.Type

export const autoregressive: EvaluatorPart<Autoregressive> = {
  kind: "autoregressive",
  schema: Autoregressive,
  needs: "causal",
  rules: [strideFits],
  cost: (evaluation) =>
    windowCost(
      evaluation,
      evaluation.stride === undefined ? 1 : Math.ceil(evaluation.windows.length / evaluation.stride),
    ),
  contract: ({ windows, stride, tail }, context) =>
    codeLengthContract(
      {
        windows,
        bound: "exact",
        estimator: { kind: "autoregressive" },
        stride,
        tail,
        mayShowBoundaries: false,
      },
      context,
    ),
  words: ({ stride }) =>
    stride === undefined ? "autoregressive NLL" : `autoregressive NLL, stride ${stride}`,
  printed: true,
  headline: ({ stride, tail }) => stride === undefined || tail === "C",
  summarise: (file, subject, dataset) => [codeLengthSummary(file, subject, dataset, targetBits)],
  references: windowReferences,
  pages: [
    {
      id: "autoregressive",
      title: "Autoregressive, chunked",
      formula: ["sum over i of -ln p(x_i | earlier tokens of the same window)"],
      text: "Exact. The first token of a window has no context.",
      hazards: ["Chunked scores are 0.02 to 0.03 bits per byte above stride-64 scores of one model."],
      citations: [GOLF],
      example: { kind: "autoregressive", windows: PAGE_WINDOWS, tail: "C" },
    },
    {
      id: "autoregressive-sliding",
      title: "Autoregressive, sliding",
      formula: [
        "windows start every `stride` tokens; the first scores all its targets, each later one its last `stride`",
      ],
      text: "Exact, each target once under tail rule C, with at least length - stride tokens of context.",
      hazards: ["Tail rules A and B repeat the last targets 15 to 31 times, about 1e-5 relative."],
      citations: [GOLF, "parameter-golf PR #1218: tail rule C"],
      example: { kind: "autoregressive", windows: PAGE_WINDOWS, stride: 64, tail: "C" },
    },
  ],
}
