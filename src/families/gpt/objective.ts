/** The autoregressive objective: cross-entropy of the next token. */
import { fullRows, problem, type Kind, type ObjectivePart, type Rule } from "../part.js"
import { nextTokenFeeder, nextTokenLayout } from "./feeds.js"
import { Autoregressive, type AutoregressiveObjective } from "./schema.js"

const causal: Rule<Kind, AutoregressiveObjective> = ({ model, parts }) => {
  const attention = parts.network.attention(model)
  return (
    attention !== "causal" &&
    problem(
      "/model/attention",
      '"causal" for the autoregressive objective',
      JSON.stringify(attention),
      "Bidirectional attention would show the model its targets.",
    )
  )
}

export const autoregressive: ObjectivePart<AutoregressiveObjective> = {
  kind: "autoregressive",
  schema: Autoregressive,
  rules: [fullRows, causal],
  scored: "all",
  streams: [],
  ids: () => [],
  boundary: () => "maskable",
  eps: () => undefined,
  fixedRows: () => ({ kind: "causal", schedule: { kind: "log-linear", eps: 0 } }),
  layout: nextTokenLayout,
  feeds: nextTokenFeeder,
}
