import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import { json } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

export const validateCommand = Command.make(
  "validate",
  {
    specs: Argument.String("spec").pipe(
      Argument.withDescription("Spec files or names; every spec that is here when none is given"),
      Argument.variadic(),
    ),
    json,
  },
  (input) =>
    runHandler("validate", input, async () => {
      const { validate } = await import("../../app/validate.js")
      return validate(input.specs)
    }),
).pipe(
  Command.withDescription(
    "Check spec files: every problem of every profile at once, each with its place, what was expected there, what was found and the nearest valid word. Runs nothing.",
  ),
  Command.withShortDescription("Check spec files and name every problem"),
  Command.withExamples([
    { command: "repro validate specs/mdlm_eos.json", description: "Check one spec in all its profiles" },
    { command: "repro validate --json", description: "Check every spec, for a program" },
  ]),
)
