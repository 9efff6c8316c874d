/** The block NELBO: blocks left to right, any order within each. */
import * as Schema from "effect/Schema"
import { problem } from "../../families/part.js"
import { blockBound } from "../../metric/code/block.js"
import { codeLengthContract } from "../../metric/contract/builders.js"
import { PAGE_WINDOWS } from "../../metric/contract/page-context.js"
import { Count } from "../../spec/common.js"
import { EvaluationId, Seed, Windows } from "../../spec/windows.js"
import { codeLengthSummary } from "../code-length.js"
import { trainedLength, windowCost, type EvaluatorPart } from "../part.js"
import { windowReferences } from "../targets.js"

export const BlockNelbo = Schema.Struct({
  kind: Schema.Literal("block-nelbo"),
  id: EvaluationId,
  windows: Windows,
  block: Count.annotate({ description: "Tokens in one block." }),
  draws: Count.annotate({ description: "Mask draws for each block." }),
  seed: Seed,
}).annotate({ description: "Blocks left to right, any-order NELBO inside each block." })
export type BlockNelbo = typeof BlockNelbo.Type

export const blockNelbo: EvaluatorPart<BlockNelbo> = {
  kind: "block-nelbo",
  schema: BlockNelbo,
  needs: "masked",
  rules: [
    ({ block, windows }, at) =>
      block > windows.length && problem(`${at}/block`, `at most the window length ${windows.length}`, block),
    trainedLength,
  ],
  cost: (evaluation) =>
    windowCost(evaluation, Math.ceil(evaluation.windows.length / evaluation.block) * evaluation.draws),
  contract: ({ windows, block, draws }, context) =>
    codeLengthContract(
      {
        windows,
        bound: "upper-bound",
        estimator: { kind: "block-elbo", block, draws },
        mayShowBoundaries: true,
      },
      context,
    ),
  words: ({ block }) => `block NELBO, s=${block}`,
  headline: () => false,
  summarise: (file, subject, dataset) => [
    codeLengthSummary<BlockNelbo>(
      file,
      subject,
      dataset,
      ({ evaluation, windows: { count, length }, tensors }) =>
        blockBound({
          windows: count,
          blocks: Math.ceil(length / evaluation.block),
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
      id: "block-nelbo",
      title: "Block NELBO",
      formula: [
        "sum over blocks B of E_(k ~ U{1..s}) [ (s/k) sum over k masked positions of B of -ln p(x_i | left context, visible part of B) ]",
      ],
      text: "Between the any-order NELBO (one block) and exact left-to-right (blocks of one token).",
      hazards: ["The block size is part of the number."],
      citations: ["Arriola et al. 2025, Block Diffusion, arXiv 2503.09573"],
      example: { kind: "block-nelbo", windows: PAGE_WINDOWS, block: 64, draws: 4, seed: 0 },
    },
  ],
}
