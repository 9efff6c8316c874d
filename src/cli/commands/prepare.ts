import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { json, profile, set, spec } from "../flags.js"
import { runHandler, UsageError } from "../../app/outcome.js"

const workers = Flag.Int("workers").pipe(
  Flag.withDescription(
    "Threads that tokenise; as many as there are processors when absent. The files are the same, byte by byte",
  ),
  Flag.optional,
)

const rewrite = Flag.Boolean("rewrite").pipe(
  Flag.withDescription("Make the shards again, although they are there; what was fetched is kept"),
  Flag.withDefault(false),
)

export const prepareCommand = Command.make(
  "prepare",
  { spec, profile, set, workers, rewrite, json },
  (input) =>
    runHandler("prepare", input, async () => {
      const { prepare } = await import("../../app/prepare.js")
      const threads = Option.getOrUndefined(input.workers)
      if (threads !== undefined && threads < 1)
        throw new UsageError(`--workers ${threads}: at least one thread tokenises; write 1 or more.`)
      return prepare(input.spec, input.profile, input.set, undefined, {
        rewrite: input.rewrite,
        ...(threads === undefined ? {} : { workers: threads }),
      })
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
