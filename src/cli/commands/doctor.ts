import * as Command from "effect/cli/Command"
import { json } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

export const doctorCommand = Command.make("doctor", { json }, (input) =>
  runHandler("doctor", input, async () => {
    const { doctor } = await import("../../app/doctor.js")
    return doctor()
  }),
).pipe(
  Command.withDescription(
    "Show what this machine can run: Node, cores, memory, executors, tools and the cache, each with the one command that adds what is missing. Ends with 3 when something that every run needs is missing.",
  ),
  Command.withShortDescription("Show what this machine can run"),
  Command.withExamples([{ command: "repro doctor", description: "Check this machine" }]),
)
