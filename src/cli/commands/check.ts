import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { json, profile, set, spec } from "../flags.js"
import { runHandler, UsageError } from "../../app/outcome.js"

const tokenizer = Flag.String("tokenizer").pipe(
  Flag.withDescription("A SentencePiece model: check its byte table on --tokens instead of a spec"),
  Flag.optional,
)
const tokens = Flag.String("tokens").pipe(
  Flag.withDescription("A token shard made with --tokenizer; it may be the beginning of one"),
  Flag.optional,
)

export const checkCommand = Command.make(
  "check",
  { spec: spec.pipe(Argument.optional), profile, set, tokenizer, tokens, json },
  (input) =>
    runHandler("check", input, async () => {
      const { check, checkBytes } = await import("../../app/check.js")
      const [given, model, shard] = [input.spec, input.tokenizer, input.tokens].map(Option.getOrUndefined)
      if ((model === undefined) !== (shard === undefined))
        throw new UsageError("--tokenizer and --tokens go together: a model and a shard made with it.")
      if (given !== undefined && model !== undefined)
        throw new UsageError("Give a spec, or --tokenizer and --tokens, not both.")
      if (model !== undefined && shard !== undefined) return checkBytes(model, shard)
      if (given === undefined) throw new UsageError("Give a spec, or --tokenizer and --tokens.")
      return check(given, input.profile, input.set)
    }),
).pipe(
  Command.withDescription(
    "Is what a spec asks for there? Looks at the data, the executor and the memory, names what is missing and the command that adds it. Where the data are there, the byte table is summed over the slice that is scored and held against the slice's text, so that a denominator that counts a byte twice is seen before a run. Fetches nothing. Ends with 3 when something is missing or wrong. With --tokenizer and --tokens the byte table of any SentencePiece model is checked on any shard.",
  ),
  Command.withShortDescription("Is what a spec asks for there?"),
  Command.withExamples([
    {
      command: "repro check mdlm_eos --profile laptop",
      description: "Could this run start now, without fetching?",
    },
    {
      command: "repro check --tokenizer fineweb_1024_bpe.model --tokens fineweb_val_000000.bin",
      description: "Do the bytes of a tokenizer's table add up to the text?",
    },
  ]),
)
