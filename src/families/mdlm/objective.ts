/** Masked diffusion: weighted cross-entropy of masked tokens. */
import { fullRows, problem, type Kind, type ObjectivePart, type Rule } from "../part.js"
import { maskedFeeds, maskedLayout } from "./feeds.js"
import { MaskedDiffusion, type MaskedDiffusionObjective } from "./schema.js"

/** alpha(1) is 0 in float64: eps is 0, or so small that 1 - eps loses it. */
const endsInvisible = (eps: number): boolean => 1 - eps === 1

const rules: readonly Rule<Kind, MaskedDiffusionObjective>[] = [
  fullRows,
  ({ objective, model, parts }) =>
    parts.network.takes(model).includes("sigma") &&
    endsInvisible(objective.schedule.eps) &&
    problem(
      "/objective/schedule/eps",
      "a number above 0 (at least 2^-52) for a network that is told the noise level",
      objective.schedule.eps,
      "With 0 the noise level sigma(1) = -ln eps is infinite.",
    ),
  ({ objective }) =>
    objective.weight === "dsigma" &&
    objective.timeMax === 1 &&
    endsInvisible(objective.schedule.eps) &&
    problem(
      "/objective/timeMax",
      'a time below 1 for the weight "dsigma" with eps 0',
      objective.timeMax,
      "The weight (1-eps)/alpha is infinite at t = 1.",
    ),
  ({ objective }) =>
    objective.schedule.eps === 1 &&
    problem("/objective/schedule/eps", "a number below 1", 1, "With 1 nothing is ever masked."),
  ({ objective }) =>
    objective.timeMin >= objective.timeMax &&
    problem("/objective/timeMin", `a time below timeMax ${objective.timeMax}`, objective.timeMin),
]

export const maskedDiffusion: ObjectivePart<MaskedDiffusionObjective> = {
  kind: "masked-diffusion",
  schema: MaskedDiffusion,
  fixedRows: ({ schedule }) => ({ kind: "masked", schedule }),
  rules,
  scored: "masked",
  streams: [
    { name: "time", used: "noise levels of each micro-batch" },
    { name: "mask", used: "which tokens are masked in training" },
  ],
  ids: (_objective, { maskId }) => [maskId],
  boundary: ({ boundary }) => boundary,
  eps: ({ schedule }) => schedule.eps,
  layout: maskedLayout,
  feeds: maskedFeeds,
}
