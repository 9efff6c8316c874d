import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import { json } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

const name = Argument.Literals("name", ["experiment", "claim"]).pipe(
  Argument.withDescription("experiment, of spec files, or claim, of files of published figures"),
  Argument.withDefault("experiment" as const),
)

export const schemaCommand = Command.make("schema", { name, json }, (input) =>
  runHandler("schema", input, async () => {
    const { schema } = await import("../../app/schema.js")
    return schema(input.name)
  }),
).pipe(
  Command.withDescription(
    "Print the JSON Schema by which an editor completes and checks spec files or claims files; the same file is node_modules/repro/generated/experiment.schema.json where repro is installed.",
  ),
  Command.withShortDescription("Print the JSON Schema of spec or claims files"),
  Command.withExamples([
    { command: "repro schema > experiment.schema.json", description: "For $schema in a spec of your own" },
  ]),
)
