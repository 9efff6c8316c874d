import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { json, spec } from "../flags.js"
import { runHandler } from "../outcome.js"

const profile = Flag.Literals("profile", ["paper", "laptop", "ci"]).pipe(
  Flag.withAlias("p"),
  Flag.withDescription(
    "Which configuration; when absent, paper where its data and a GPU are there, else laptop",
  ),
  Flag.optional,
)
const resume = Flag.String("resume").pipe(
  Flag.withDescription("Go on with a run that was stopped: its id, the beginning of it, or latest"),
  Flag.optional,
)
const engine = Flag.Literals("engine", ["auto", "onnxruntime", "tensorflow", "torch", "tfjs"]).pipe(
  Flag.withDescription("What computes; the same numbers up to rounding"),
  Flag.optional,
)
const precision = Flag.Literals("precision", ["fp32", "bf16", "bf16-params"]).pipe(
  Flag.withDescription("fp32; bf16 matrix products on fp32 state; or everything in bf16, as PR #1241 did"),
  Flag.optional,
)
const device = Flag.Literals("device", ["cpu", "gpu"]).pipe(
  Flag.withDescription("Where to compute"),
  Flag.optional,
)
const threads = Flag.Int("threads").pipe(
  Flag.withDescription("Processor threads; the executor's choice when absent"),
  Flag.optional,
)
const runs = Flag.String("runs").pipe(
  Flag.withDescription("Folder of run directories"),
  Flag.withDefault("runs"),
)

export const runCommand = Command.make(
  "run",
  { spec, profile, resume, engine, precision, device, threads, runs, json },
  (input) =>
    runHandler(input, async () => {
      const { run } = await import("../handlers/run.js")
      return run(input)
    }),
).pipe(
  Command.withDescription(
    "Train and evaluate an experiment and print its results table. What must be downloaded is said first. Progress goes to standard error; Ctrl-C stops after the step in progress and says how to go on. Exit codes: 0 finished, 1 failed, 2 invalid spec, 3 stopped before the end.",
  ),
  Command.withShortDescription("Run an experiment and print its results table"),
  Command.withExamples([
    { command: "repro run specs/mdlm_eos.json", description: "What this machine can do of PR #1241" },
    { command: "repro run mdlm_eos --profile ci --json", description: "The smallest version, for a program" },
    { command: "repro run mdlm_eos --profile laptop --resume latest", description: "Go on after Ctrl-C" },
  ]),
)
