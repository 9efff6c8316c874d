/** LLaDA's objective: cross-entropy of masked tokens over the share that is masked. */
import { problem, type Kind, type ObjectivePart, type Rule } from "../part.js"
import { lladaFeeds, lladaLayout } from "./feeds.js"
import { LladaObjective } from "./schema.js"

const rules: readonly Rule<Kind, LladaObjective>[] = [
  ({ objective: { timeMin, timeMax } }) =>
    timeMin >= timeMax && problem("/objective/timeMin", `a share below timeMax ${timeMax}`, timeMin),
  ({ objective: { timeMin } }) =>
    timeMin === 0 &&
    problem("/objective/timeMin", "a share above 0 (0.001 as published)", 0, "The weight is 1 / t."),
  ({ model, parts }) =>
    parts.network.attention(model) === "causal" &&
    problem("/model/kind", "a network without a causal mask", JSON.stringify(model.kind)),
]

export const lladaObjective: ObjectivePart<LladaObjective> = {
  kind: "llada",
  schema: LladaObjective,
  rules,
  scored: "masked",
  streams: [
    { name: "time", used: "masked shares of each micro-batch" },
    { name: "mask", used: "which tokens are masked in training" },
  ],
  ids: (_objective, { maskId }) => [maskId],
  boundary: () => "maskable",
  textEnd: ({ padding }, { boundaryId }) => (padding === "trained" ? boundaryId : undefined),
  eps: () => 0,
  // Without a schedule of noise levels any share is masked, up to everything.
  fixedRows: () => ({ kind: "masked", schedule: { kind: "log-linear", eps: 0 } }),
  layout: lladaLayout,
  feeds: lladaFeeds,
}
