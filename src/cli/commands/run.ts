import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { engineFlags, outputRuns as runs, profileOrBest as profile } from "../engine-flags.js"
import { json, set, spec } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

const resume = Flag.String("resume").pipe(
  Flag.withDescription(
    "Go on with a run that was stopped: its id, the beginning of it, or latest, the newest of this spec",
  ),
  Flag.optional,
)
const again = Flag.Boolean("again").pipe(
  Flag.withDescription("Train again what is finished here, instead of showing its table"),
  Flag.withDefault(false),
)
export const runCommand = Command.make(
  "run",
  { spec, profile, set, resume, again, ...engineFlags, runs, json },
  (input) =>
    runHandler("run-outcome", input, async () => {
      const { run } = await import("../../app/run.js")
      return run(input)
    }),
).pipe(
  Command.withDescription(
    "Train and evaluate an experiment and print its results table. What is finished here is shown and not trained again. What must be downloaded is said first. Progress goes to standard error; Ctrl-C stops after the step in progress and says how to go on. Exit codes: 0 finished, 1 failed, 2 invalid spec, 3 stopped before the end.",
  ),
  Command.withShortDescription("Run an experiment and print its results table"),
  Command.withExamples([
    { command: "repro run specs/mdlm_eos.json", description: "What this machine can do of PR #1241" },
    { command: "repro run mdlm_eos --profile ci --json", description: "The smallest version, for a program" },
    {
      command: "repro run mdlm_eos --profile ci --set model.width=96",
      description: "One thing varied; the table says what",
    },
    { command: "repro run mdlm_eos --profile laptop --resume latest", description: "Go on after Ctrl-C" },
  ]),
)
