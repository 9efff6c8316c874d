import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { engineFlags, outputRuns as runs, profileOrBest as profile } from "../engine-flags.js"
import { json, set } from "../flags.js"
import { runHandler } from "../../app/outcome.js"
import { format } from "./table.js"

const specs = Argument.String("spec").pipe(
  Argument.withDescription(
    "Spec files or names; ar_matched, mdlm_eos, mdlm_eos_nelbo and mdlm_nelbo when none is given",
  ),
  Argument.variadic(),
)
const seeds = Flag.String("seeds").pipe(
  Flag.withDescription(
    "Training seeds, such as 0,1,2: one run of each model a seed; the specs' own when absent",
  ),
  Flag.optional,
)
const table = Flag.Boolean("table").pipe(
  Flag.withDescription("Make the comparison again from finished runs; nothing is trained"),
  Flag.withDefault(false),
)
const out = Flag.String("out").pipe(
  Flag.withAlias("o"),
  Flag.withDescription("Also write tables and plots into this folder, as repro report does"),
  Flag.optional,
)

export const matchedCommand = Command.make(
  "matched",
  { specs, profile, set, seeds, table, format, out, ...engineFlags, runs, json },
  (input) =>
    runHandler("matched", input, async () => {
      const { matchedComparison } = await import("../../app/matched.js")
      return matchedComparison(input)
    }),
).pipe(
  Command.withDescription(
    "Train models on one data set and budget (finished runs of the same experiments are used, stopped ones are gone on with) and set them side by side on the same windows: exact BPB with its kind of bound, the bound and the exact left-to-right code of the same weights, intervals, floors, parameters, tokens, time. What does not agree between the models is named; findings are stated with paired intervals. Exit codes: 0 done, 1 failed, 2 invalid spec, 3 a run is missing or stopped, or the models cannot be paired.",
  ),
  Command.withShortDescription("Train matched models and compare them on the same windows"),
  Command.withExamples([
    {
      command: "repro matched --profile laptop",
      description: "The causal network, PR #1241 as published, its weight mended, and both faults mended",
    },
    {
      command: "repro matched --profile laptop --seeds 0,1,2",
      description: "Three seeds each: intervals over seeds",
    },
    {
      command: "repro matched --profile laptop --table --format md",
      description: "The same table again, from finished runs",
    },
  ]),
)
