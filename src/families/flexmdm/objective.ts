/** FlexMDM's objective: what training on growing rows minimises. */
import { isProper } from "../../diffusion/insertion/schedule.js"
import { problem, type Kind, type ObjectivePart, type Rule } from "../part.js"
import { insertionFeeder, insertionLayout } from "./feeds.js"
import { FlexmdmObjective } from "./schema.js"

/** Classes up to which averaged targets are fed as whole distributions. */
const MOST_AVERAGED_CLASSES = 4096

const rules: readonly Rule<Kind, FlexmdmObjective>[] = [
  ({ model, parts }) =>
    parts.network.endSlot?.(model) === undefined &&
    problem(
      "/model/kind",
      'a network that inserts tokens, such as "flexmdm"',
      JSON.stringify(model.kind),
      "The objective trains a gap head.",
    ),
  ({ objective: { timeMin, timeMax } }) =>
    timeMin >= timeMax && problem("/objective/timeMin", `a time below timeMax ${timeMax}`, timeMin),
  ({ objective: { timeMax, schedules, weightCap, weight } }) =>
    timeMax === 1 &&
    weightCap === undefined &&
    (isProper(schedules.insertion) || (weight === "hazard" && isProper(schedules.unmasking))) &&
    problem(
      "/objective/timeMax",
      "a time below 1 (0.999999 as published), or a weightCap",
      timeMax,
      "A hazard is infinite at t = 1.",
    ),
  ({ objective: { schedules } }) => {
    const wrong = (["insertion", "unmasking"] as const).find((name) => {
      const schedule = schedules[name]
      return schedule.kind === "geometric" && schedule.min <= schedule.max
    })
    return (
      wrong !== undefined &&
      problem(
        `/objective/schedules/${wrong}/max`,
        "a level below min",
        (schedules[wrong] as { readonly max: number }).max,
        "The schedule rises from exp(-min) to exp(-max).",
      )
    )
  },
  ({ objective: { targets }, data: { tokenizer, batching } }) =>
    targets === "averaged" &&
    tokenizer.vocabSize > MOST_AVERAGED_CLASSES &&
    problem(
      "/objective/targets",
      `"hidden" for a vocabulary of more than ${MOST_AVERAGED_CLASSES}`,
      '"averaged"',
      `A distribution over ${tokenizer.vocabSize} classes for each MASK takes up to ${Math.round((tokenizer.vocabSize * 4 * batching.length) / 2 ** 20)} MiB a row.`,
    ),
]

export const flexmdmPart: ObjectivePart<FlexmdmObjective> = {
  kind: "flexmdm",
  schema: FlexmdmObjective,
  rules,
  scored: "masked",
  streams: [
    { name: "time", used: "times of each micro-batch" },
    { name: "mask", used: "when each token is inserted and unmasked in training" },
  ],
  ids: (_objective, { maskId, padId }) => [maskId, padId],
  boundary: ({ fixed }) => (fixed === "boundary" ? "free" : "maskable"),
  eps: () => undefined,
  growingRows: (objective) => objective,
  measuresRows: true,
  layout: insertionLayout,
  feeds: insertionFeeder,
}
