import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { json } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

const claim = Argument.String("claim").pipe(
  Argument.withDescription("Id of a claim, such as pr1241-headline"),
)
const claims = Flag.String("claims").pipe(
  Flag.withDescription(
    "Folder of claims files, or one file (claims, lm-evaluation-harness results or an Every-Eval-Ever record), beside those that come with repro",
  ),
  Flag.optional,
)

export const rescoreCommand = Command.make("rescore", { claim, claims, json }, (input) =>
  runHandler("rescore", input, async () => {
    const { rescore } = await import("../../app/rescore.js")
    return rescore(input.claim, { claims: Option.getOrUndefined(input.claims) })
  }),
).pipe(
  Command.withDescription(
    "Give a published number under its definition where arithmetic leads there: step by step, with an interval when an input is uncertain, and every assumption named. Exit code 3 when no arithmetic leads there.",
  ),
  Command.withShortDescription("Give a published number under its definition"),
  Command.withExamples([
    { command: "repro rescore pr1241-headline", description: "0.9901 under the exact byte table" },
    { command: "repro rescore pr1106-t512 --json", description: "For a program" },
  ]),
)
