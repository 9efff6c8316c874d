import * as Command from "effect/cli/Command"
import { json, profile, set, spec } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

export const planCommand = Command.make("plan", { spec, profile, set, json }, (input) =>
  runHandler("plan", input, async () => {
    const { plan } = await import("../../app/plan.js")
    return plan(input.spec, input.profile, input.set)
  }),
).pipe(
  Command.withDescription(
    "Show what a run would do and cost: steps, tokens, parameters, FLOPs, memory, time, files, random streams and the numbers that it would produce. Runs nothing and reads no data.",
  ),
  Command.withShortDescription("Show what a run would do and cost"),
  Command.withExamples([
    { command: "repro plan specs/mdlm_eos.json", description: "The experiment as published" },
    { command: "repro plan mdlm_eos --set model.width=768", description: "What a wider network would cost" },
    { command: "repro plan mdlm_eos --profile laptop --json", description: "The small one, for a program" },
  ]),
)
