import * as Command from "effect/cli/Command"
import { json } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

export const listCommand = Command.make("list", { json }, (input) =>
  runHandler(input, async () => {
    const { list } = await import("../../app/list.js")
    return list()
  }),
).pipe(
  Command.withDescription("Show the experiments that are here and the runs that were made."),
  Command.withShortDescription("Show experiments and runs"),
  Command.withExamples([
    { command: "repro list", description: "Specs with their profiles, and runs" },
    { command: "repro list --json", description: "The same for a program" },
  ]),
)
