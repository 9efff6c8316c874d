import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { json, set } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

const name = Argument.String("name").pipe(Argument.withDescription("Name of the spec file to write"))
const from = Flag.String("from").pipe(
  Flag.withDescription("The spec to vary: a file, or the name of one that comes with repro"),
)

export const newCommand = Command.make("new", { name, from, set, json }, (input) =>
  runHandler("new", input, async () => {
    const { newSpec } = await import("../../app/new.js")
    return newSpec(input)
  }),
).pipe(
  Command.withDescription(
    "Write a small spec of your own that varies another: it names that one with `extends` and says only what is different. A file that is there is never overwritten.",
  ),
  Command.withShortDescription("Write a small spec that varies another"),
  Command.withExamples([
    { command: "repro new mine --from mdlm_eos", description: "mine.json, to be filled in" },
    {
      command: "repro new wide --from mdlm_eos --set model.width=768",
      description: "One thing varied, kept in a file",
    },
  ]),
)
