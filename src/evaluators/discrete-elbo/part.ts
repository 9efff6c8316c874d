/** The T-step discrete NELBO (parameter-golf PR #1241, train_mdlm.py `variational_elbo_bits`). */
import * as Schema from "effect/Schema"
import { discreteElbo as boundOf } from "../../metric/code/elbo.js"
import { codeLengthContract, orNotStated } from "../../metric/contract/builders.js"
import { PAGE_WINDOWS, MDLM } from "../../metric/contract/page-context.js"
import { Count } from "../../spec/common.js"
import { EvaluationId, Seed, Windows } from "../../spec/windows.js"
import { codeLengthSummary } from "../code-length.js"
import { trainedLength, windowCost, type EvaluatorPart } from "../part.js"
import { windowReferences } from "../targets.js"

export const DiscreteElbo = Schema.Struct({
  kind: Schema.Literal("discrete-elbo"),
  id: EvaluationId,
  windows: Windows,
  steps: Count.annotate({ description: "T: steps of the discrete chain." }),
  seed: Seed,
  draws: Count.annotate({ description: "Independent mask draws per window and step." }),
}).annotate({
  description:
    "T-step discrete-time NELBO of the absorbing process: an upper bound on the negative log-likelihood of the T-step model.",
})
export type DiscreteElbo = typeof DiscreteElbo.Type

export const discreteElbo: EvaluatorPart<DiscreteElbo> = {
  kind: "discrete-elbo",
  schema: DiscreteElbo,
  needs: "masked",
  rules: [trainedLength],
  cost: (evaluation) => windowCost(evaluation, evaluation.steps * evaluation.draws),
  contract: ({ windows, steps, draws }, context) =>
    codeLengthContract(
      {
        windows,
        bound: "upper-bound",
        estimator: {
          kind: "discrete-elbo",
          steps,
          draws,
          timeGrid: "uniform",
          terminal: "charged",
          eps: orNotStated(context.eps),
        },
        mayShowBoundaries: true,
      },
      context,
    ),
  words: ({ steps }) => `NELBO T=${steps}`,
  printed: true,
  headline: (evaluation, kind) =>
    evaluation === kind.find(({ steps }) => steps === Math.max(...kind.map((each) => each.steps))),
  summarise: (file, subject, dataset) => [
    codeLengthSummary<DiscreteElbo>(
      file,
      subject,
      dataset,
      ({ evaluation, windows: { header, count }, counts, tensors }) =>
        boundOf({
          windows: count,
          steps: evaluation.steps,
          draws: evaluation.draws,
          alphas: tensors.floats("alphas"),
          nats: tensors.floats("nats"),
          masked: tensors.ints("masked"),
          content: Int32Array.from(counts, ({ content }) => content),
          vocabSize: header.tokenizer.vocabSize,
        }),
    ),
  ],
  references: windowReferences,
  pages: [
    {
      id: "discrete-elbo",
      title: "T-step discrete NELBO",
      formula: [
        "L_T = L alpha_T ln V + sum over k of r_k E[ sum over masked positions of -ln p(x0 | x_k) ]",
        "r_k = (alpha_(k-1) - alpha_k) / (1 - alpha_k), t_k = k/T; for alpha = 1 - (1-eps) t: r_k = 1/k",
      ],
      text: "An upper bound, in expectation over mask draws, on the negative log-likelihood of the T-step model.",
      hazards: [
        "Different T are different models: a smaller T does not bound the larger one.",
        "The coefficients assume independent masks; masked spans need others.",
        "Boundary tokens that are never masked are side information.",
      ],
      citations: [MDLM, "parameter-golf PR #1241, train_mdlm.py, final evaluation"],
      example: { kind: "discrete-elbo", windows: PAGE_WINDOWS, steps: 128, draws: 1, seed: 0 },
    },
    {
      id: "as-published-constant",
      title: "As published: constant bytes per token",
      formula: ["value = bits / (tokens * 4.3)"],
      text: "The arithmetic of PR #1106 and #1241, kept so that their numbers can be reproduced. It is never called BPB without the words 'as published'.",
      hazards: ["The constant is 1.765 times the exact ratio of SP-1024 on this split."],
      citations: ["parameter-golf PR #1241, train_mdlm.py lines 401, 427 and 430 at commit 5d46f39"],
      example: { kind: "discrete-elbo", windows: PAGE_WINDOWS, steps: 128, draws: 1, seed: 0 },
      context: { boundary: "free", denominator: { kind: "constant", bytesPerToken: 4.3 } },
    },
  ],
}
