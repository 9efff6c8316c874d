import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { json } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

const side = (name: string) =>
  Argument.String(name).pipe(
    Argument.withDescription("Claim id, definition (such as bpb), or a JSON file with a contract"),
  )
const claims = Flag.String("claims").pipe(
  Flag.withDescription(
    "Folder of claims files, or one file (claims, lm-evaluation-harness results or an Every-Eval-Ever record), beside those that come with repro",
  ),
  Flag.optional,
)

export const compareCommand = Command.make(
  "compare",
  { first: side("first"), second: side("second"), claims, json },
  (input) =>
    runHandler("compare", input, async () => {
      const { compare } = await import("../../app/compare.js")
      return compare(input.first, input.second, { claims: Option.getOrUndefined(input.claims) })
    }),
).pipe(
  Command.withDescription(
    "Say whether two numbers may stand side by side: identical, convertible, ordered-only, incomparable or unknown, with one reason per axis. Exit code 0 for the first two, 3 for the others.",
  ),
  Command.withShortDescription("Say whether two numbers may stand side by side"),
  Command.withExamples([
    { command: "repro compare pr1241-headline ar-baseline-2026-03-17", description: "Two published claims" },
    {
      command: "repro compare pr820-t32 bpb --json",
      description: "A claim and the definition, for a program",
    },
  ]),
)
