/** The exact chain rule in one order. */
import * as Schema from "effect/Schema"
import { chainRule as codeOf } from "../../metric/code/chain-rule.js"
import { codeLengthContract } from "../../metric/contract/builders.js"
import { PAGE_WINDOWS, GOLF } from "../../metric/contract/page-context.js"
import { EvaluationId, Seed, Windows } from "../../spec/windows.js"
import { codeLengthSummary } from "../code-length.js"
import { trainedLength, windowCost, type EvaluatorPart } from "../part.js"
import { windowReferences } from "../targets.js"

export const ChainRule = Schema.Struct({
  kind: Schema.Literal("chain-rule"),
  id: EvaluationId,
  windows: Windows,
  order: Schema.Literals(["left-to-right", "right-to-left", "random", "confidence"]).annotate({
    description:
      "Order in which tokens are revealed; confidence is the model's own, so a decoder can follow it.",
  }),
  seed: Seed,
}).annotate({
  description: "Exact chain-rule negative log-likelihood in one order: a code that both sides can run.",
})
export type ChainRule = typeof ChainRule.Type

/** Nats of the revealed tokens of every window in the order of revelation, for the chain rule. */
const revealedNats = (
  rank: Int32Array,
  nats: Float64Array,
  count: number,
  length: number,
): { readonly offsets: Int32Array; readonly nats: Float64Array } => {
  const offsets = new Int32Array(count + 1)
  for (let w = 0; w < count; w++) {
    const revealed = rank.subarray(w * length, (w + 1) * length).filter((r) => r >= 0).length
    offsets[w + 1] = offsets[w]! + revealed
  }
  const ordered = new Float64Array(offsets[count]!)
  rank.forEach((r, i) => {
    if (r >= 0) ordered[offsets[Math.floor(i / length)]! + r] = nats[i]!
  })
  return { offsets, nats: ordered }
}

export const chainRule: EvaluatorPart<ChainRule> = {
  kind: "chain-rule",
  schema: ChainRule,
  needs: "masked",
  rules: [trainedLength],
  cost: (evaluation) => windowCost(evaluation, evaluation.windows.length),
  contract: ({ windows, order }, context) =>
    codeLengthContract(
      {
        windows,
        bound: "exact",
        estimator: { kind: "chain-rule", order },
        mayShowBoundaries: true,
      },
      context,
    ),
  words: ({ order }) => `${order.replace(/^(random|confidence)$/, "$1-order")} NLL`,
  headline: ({ order }) => order === "left-to-right",
  summarise: (file, subject, dataset) => [
    codeLengthSummary<ChainRule>(file, subject, dataset, ({ windows: { count, length }, tensors }) =>
      codeOf(revealedNats(tensors.ints("rank"), tensors.floats("nats"), count, length)),
    ),
  ],
  references: windowReferences,
  pages: [
    {
      id: "chain-rule",
      title: "Exact chain rule in one order",
      formula: ["sum over i of -ln p(x_i | the tokens before it in the order, all others MASK)"],
      text: "A code that both sides can run: exact for the model decoded in that order.",
      hazards: [
        "The order must not depend on the text except through tokens already sent.",
        "Choosing the better of several orders per window costs the bits that name it.",
      ],
      citations: [GOLF],
      example: { kind: "chain-rule", windows: PAGE_WINDOWS, order: "left-to-right", seed: 0 },
    },
  ],
}
