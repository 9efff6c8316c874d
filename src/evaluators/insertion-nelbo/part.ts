/** The code length of a network that inserts its tokens: length included, with averaged targets. */
import * as Schema from "effect/Schema"
import { estimateCodeLength } from "../../diffusion/insertion/code-length.js"
import { codeLengthContract } from "../../metric/contract/builders.js"
import { NOT_STATED } from "../../metric/contract/contract.js"
import { PAGE_WINDOWS } from "../../metric/contract/page-context.js"
import { Count } from "../../spec/common.js"
import { EvaluationId, Seed, Windows } from "../../spec/windows.js"
import { codeLengthSummary } from "../code-length.js"
import { trainedLength, windowCost, type EvaluatorPart } from "../part.js"

export const InsertionNelbo = Schema.Struct({
  kind: Schema.Literal("insertion-nelbo"),
  id: EvaluationId,
  windows: Windows,
  strata: Count.annotate({ description: "Equal parts of the time, in each of which times are drawn." }),
  draws: Count.annotate({ description: "Times and states drawn in each part, for each window." }),
  seed: Seed,
}).annotate({
  description:
    "Upper bound on the code length of variable-length masked diffusion, the length included: the divergence of the paths of data and model, with targets averaged over all embeddings of a state.",
})
export type InsertionNelbo = typeof InsertionNelbo.Type

export const insertionNelbo: EvaluatorPart<InsertionNelbo> = {
  kind: "insertion-nelbo",
  schema: InsertionNelbo,
  needs: "inserting",
  rules: [trainedLength],
  cost: (evaluation) => windowCost(evaluation, evaluation.strata * evaluation.draws),
  contract: ({ windows, strata, draws }, context) => {
    const contract = codeLengthContract(
      {
        windows,
        bound: "upper-bound",
        estimator: { kind: "continuous-elbo", draws: strata * draws, eps: 0 },
        mayShowBoundaries: true,
      },
      context,
    )
    return {
      ...contract,
      // The length is part of what is coded.
      sideInformation:
        contract.sideInformation === NOT_STATED
          ? NOT_STATED
          : contract.sideInformation.filter((given) => given !== "document-lengths"),
      specials:
        contract.specials === NOT_STATED
          ? NOT_STATED
          : { ...contract.specials, pad: { numerator: "absent", denominator: "absent" } },
    }
  },
  words: ({ strata, draws }) => `insertion NELBO, ${strata * draws} states`,
  headline: () => true,
  summarise: (file, subject, dataset) => [
    codeLengthSummary<InsertionNelbo>(
      file,
      subject,
      dataset,
      ({ evaluation, windows: { count }, tensors }) => {
        const [insert, unmask] = [tensors.floats("insert"), tensors.floats("unmask")]
        const each = evaluation.strata * evaluation.draws
        const estimates = Array.from({ length: count }, (_, w) =>
          estimateCodeLength(
            Float64Array.from({ length: each }, (__, k) => insert[w * each + k]! + unmask[w * each + k]!),
            evaluation.strata,
          ),
        )
        const perWindowBits = estimates.map(({ nats }) => nats / Math.LN2)
        const variances = estimates.map(({ variance }) => variance)
        return {
          bits: perWindowBits.reduce((a, b) => a + b, 0),
          perWindowBits,
          monteCarloVariance: variances.includes(undefined)
            ? undefined
            : variances.reduce<number>((sum, v) => sum + v!, 0) / Math.LN2 ** 2,
        }
      },
    ),
  ],
  pages: [
    {
      id: "insertion-nelbo",
      title: "Code length of variable-length masked diffusion",
      formula: [
        "E over t ~ U(0,1), x_t of [ h_a(t) sum over slots of phi(mean gap, g) + h_b(t) sum over masks of KL(q, f) ]",
        "phi(x, y) = y - x + x ln(x/y); h = alpha'/(1 - alpha); gaps and q averaged over all embeddings of x_t into x_1",
      ],
      text: "An upper bound, in expectation over draws, on the negative log-likelihood of the text together with its length. Slots around a run of masks are added up: they lead to the same state.",
      hazards: [
        "The published training loss is conditioned on which tokens survive: it is the same kind of bound and far looser.",
        "The weights grow without bound towards t = 1, so that few draws estimate it badly.",
        "Models of fixed length are given the length; this one is charged for it.",
      ],
      citations: ["Kim et al. 2025, Any-Order Flexible Length Masked Diffusion, arXiv 2509.01025"],
      example: { kind: "insertion-nelbo", windows: PAGE_WINDOWS, strata: 16, draws: 2, seed: 0 },
    },
  ],
}
