/** The continuous-time NELBO: times drawn in strata, the weight (1-eps)/(1-alpha) on the masked cross-entropy. */
import * as Schema from "effect/Schema"
import { continuousElbo } from "../../metric/code/continuous-elbo.js"
import { codeLengthContract, orNotStated, withLengths } from "../../metric/contract/builders.js"
import { MDLM, PAGE_WINDOWS } from "../../metric/contract/page-context.js"
import { Count } from "../../spec/common.js"
import { EvaluationId, Seed, Windows } from "../../spec/windows.js"
import { codeLengthSummary } from "../code-length.js"
import { trainedLength, windowCost, type EvaluatorPart } from "../part.js"
import { windowReferences } from "../targets.js"

export const ContinuousNelbo = Schema.Struct({
  kind: Schema.Literal("continuous-nelbo"),
  id: EvaluationId,
  windows: Windows,
  draws: Count.annotate({ description: "Stratified times per window, each with a mask of its own." }),
  seed: Seed,
}).annotate({
  description:
    "Continuous-time NELBO of the absorbing process: an upper bound on the negative log-likelihood, by drawn times.",
})
export type ContinuousNelbo = typeof ContinuousNelbo.Type

export const continuousNelbo: EvaluatorPart<ContinuousNelbo> = {
  kind: "continuous-nelbo",
  schema: ContinuousNelbo,
  needs: "masked",
  rules: [trainedLength],
  wholeDocuments: true,
  cost: (evaluation) => windowCost(evaluation, evaluation.draws),
  contract: ({ windows, draws }, context) => {
    const contract = codeLengthContract(
      {
        windows,
        bound: "upper-bound",
        estimator: { kind: "continuous-elbo", draws, eps: orNotStated(context.eps) },
        mayShowBoundaries: true,
      },
      context,
    )
    return context.textEnd === undefined || windows.alignment === "raw-stream"
      ? contract
      : withLengths(contract, "charged")
  },
  words: ({ draws }) => `continuous-time NELBO, ${draws} draws`,
  printed: true,
  headline: () => true,
  summarise: (file, subject, dataset) => [
    codeLengthSummary<ContinuousNelbo>(
      file,
      subject,
      dataset,
      ({ evaluation, windows: { header, count }, counts, tensors }) =>
        continuousElbo({
          windows: count,
          draws: evaluation.draws,
          eps: header.objective.eps ?? 0,
          times: tensors.floats("times"),
          nats: tensors.floats("nats"),
          content: Int32Array.from(counts, ({ content }) => content),
          vocabSize: header.tokenizer.vocabSize,
        }),
    ),
  ],
  references: (file, subject) => {
    const given = windowReferences(file, subject)
    const { header, places } = given.windows
    return header.objective.textEnd === undefined || places === undefined
      ? given
      : { ...given, lengths: "coded" }
  },
  pages: [
    {
      id: "continuous-nelbo",
      title: "Continuous-time NELBO",
      formula: [
        "L = L eps ln V + E_(t ~ U(0,1)) [ w(t) sum over masked positions of -ln p(x0 | x_t) ]",
        "w(t) = (1-eps) / (1-alpha(t)) = 1/t for alpha = 1 - (1-eps) t; times t_j = (j + u_j)/J, j = 0..J-1",
      ],
      text: "The limit of the T-step NELBO for many steps, by drawn times; with eps -> 0 its expectation is the any-order NELBO.",
      hazards: [
        "Small times have large weights: one draw a window is noisy, and the any-order NELBO has the same expectation with less noise.",
        "Published values often leave out the prior term L eps ln V.",
        "Boundary tokens that are never masked are side information.",
        "Rows that are padded: what was trained as the end of a text is coded up to the window's end, and the length is in the code; otherwise it is side information.",
      ],
      citations: [MDLM],
      example: { kind: "continuous-nelbo", windows: PAGE_WINDOWS, draws: 16, seed: 0 },
    },
  ],
}
