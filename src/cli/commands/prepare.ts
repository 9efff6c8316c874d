import * as Command from "effect/cli/Command"
import { json, profile, set, spec } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

export const prepareCommand = Command.make("prepare", { spec, profile, set, json }, (input) =>
  runHandler(input, async () => {
    const { prepare } = await import("../../app/prepare.js")
    return prepare(input.spec, input.profile, input.set)
  }),
).pipe(
  Command.withDescription(
    "Fetch and write the data of a spec: says what it fetches and where to, resumes what was cut off, checks sizes and digests. Nothing is fetched twice.",
  ),
  Command.withShortDescription("Fetch and write the data of a spec"),
  Command.withExamples([
    { command: "repro prepare mdlm_eos --profile laptop", description: "Seven megabytes of speeches" },
    { command: "repro prepare mdlm_eos", description: "The published shards, 3 GB, into the cache" },
  ]),
)
