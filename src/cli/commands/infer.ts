import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { json } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

const path = Argument.String("path").pipe(
  Argument.withDescription("A log, or a folder of logs"),
  Argument.optional,
)
const loss = Flag.String("loss").pipe(Flag.withDescription("Loss as printed, all digits"), Flag.optional)
const bpb = Flag.String("bpb").pipe(
  Flag.withDescription("Bits per byte as printed, all digits"),
  Flag.optional,
)
const tokens = Flag.Int("tokens").pipe(Flag.withDescription("Scored tokens, where known"), Flag.optional)
const vocab = Flag.Int("vocab").pipe(
  Flag.withDescription("Pieces of the tokenizer, where the log does not say: whose totals count"),
  Flag.optional,
)
const tokenizer = Flag.String("tokenizer").pipe(
  Flag.withDescription(
    "Hold the figures against a tokenizer: the file of a SentencePiece model or a tokenizer.json",
  ),
  Flag.optional,
)
const bytesPerToken = Flag.String("bytes-per-token").pipe(
  Flag.withDescription("Hold the figures against this ratio, all digits"),
  Flag.optional,
)
const total = Flag.Int("total").pipe(
  Flag.withDescription("Hold the figures against this number of bytes of the scored text; needs the tokens"),
  Flag.optional,
)
const unit = Flag.Literals("unit", ["nats/token", "bits/token"]).pipe(
  Flag.withDescription("Unit of the loss"),
  Flag.optional,
)
const preset = Flag.Literals("preset", ["parameter-golf", "mdlm-variational"]).pipe(
  Flag.withDescription("How the log prints its figures; every preset is tried when absent"),
  Flag.optional,
)
const pattern = Flag.String("pattern").pipe(
  Flag.withDescription("A regular expression with the named groups loss and bpb, instead of a preset"),
  Flag.optional,
)
const all = Flag.Boolean("all").pipe(
  Flag.withDescription("Every pair of a log instead of the most precise ones"),
  Flag.withDefault(false),
)

export const inferCommand = Command.make(
  "infer",
  { path, loss, bpb, tokens, vocab, tokenizer, bytesPerToken, total, unit, preset, pattern, all, json },
  (input) =>
    runHandler("infer", input, async () => {
      const { infer } = await import("../../app/infer.js")
      return infer({
        path: Option.getOrUndefined(input.path),
        loss: Option.getOrUndefined(input.loss),
        bpb: Option.getOrUndefined(input.bpb),
        tokens: Option.getOrUndefined(input.tokens),
        vocab: Option.getOrUndefined(input.vocab),
        tokenizer: Option.getOrUndefined(input.tokenizer),
        bytesPerToken: Option.getOrUndefined(input.bytesPerToken),
        total: Option.getOrUndefined(input.total),
        unit: Option.getOrUndefined(input.unit),
        preset: Option.getOrUndefined(input.preset),
        pattern: Option.getOrUndefined(input.pattern),
        all: input.all,
      })
    }),
).pipe(
  Command.withDescription(
    "Recover the bytes per token, and the byte total, behind a printed loss and BPB, or behind those of a log or a folder of logs, and say whether they are what a ratio, a total or a tokenizer of yours gives; without one, whether they are what is known of the published splits, and no more. Exit code 3 when they are not.",
  ),
  Command.withShortDescription("Recover the denominator behind printed figures"),
  Command.withExamples([
    {
      command: "repro infer --loss 2.03588345 --bpb 1.20576485 --tokens 62021632",
      description: "Two printed figures",
    },
    {
      command: "repro infer --loss 3.02 --bpb 0.98 --bytes-per-token 4.3",
      description: "Held against a ratio of your own",
    },
    { command: "repro infer train.log", description: "The sharpest pair of a log" },
    { command: "repro infer logs/ --json", description: "One table for a folder" },
  ]),
)
