import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { json, profile, set, spec } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

const workers = Flag.Int("workers").pipe(
  Flag.withDescription("Threads; as many as the machine has when absent"),
  Flag.optional,
)
const out = Flag.String("out").pipe(
  Flag.withDescription("A folder that gets a copy of the shards and their totals"),
  Flag.optional,
)

export const tokenizeCommand = Command.make("tokenize", { spec, profile, set, workers, out, json }, (input) =>
  runHandler("tokenize", input, async () => {
    const { tokenize } = await import("../../app/tokenize.js")
    return tokenize({
      spec: input.spec,
      profile: input.profile,
      settings: input.set,
      workers: Option.getOrUndefined(input.workers),
      out: Option.getOrUndefined(input.out),
    })
  }),
).pipe(
  Command.withDescription(
    "Turn the text files of a spec (data.corpus of kind text) into token shards: streaming, over several threads, going on where it was stopped. Says the exact bytes of the text beside those of the tokens.",
  ),
  Command.withShortDescription("Turn text of your own into token shards"),
  Command.withExamples([
    { command: "repro tokenize mine --profile laptop", description: "Shards of your own text, in the cache" },
    {
      command: "repro tokenize mine --out shards --json",
      description: "A copy to hand on, counts for a program",
    },
  ]),
)
