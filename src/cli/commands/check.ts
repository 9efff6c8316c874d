import * as Command from "effect/cli/Command"
import { json, profile, spec } from "../flags.js"
import { runHandler } from "../outcome.js"

export const checkCommand = Command.make("check", { spec, profile, json }, (input) =>
  runHandler(input, async () => {
    const { check } = await import("../handlers/check.js")
    return check(input.spec, input.profile)
  }),
).pipe(
  Command.withDescription(
    "Is what a spec asks for there? Looks at the data, the executor, the memory and the disk, names what is missing and the command that adds it. Fetches nothing. Ends with 3 when something is missing.",
  ),
  Command.withShortDescription("Is what a spec asks for there?"),
  Command.withExamples([
    {
      command: "repro check mdlm_eos --profile laptop",
      description: "Could this run start now, without fetching?",
    },
  ]),
)
