/** Flags of the commands that compute. */
import * as Flag from "effect/cli/Flag"

/** Absent: chosen by what this machine can do. */
export const profileOrBest = Flag.String("profile").pipe(
  Flag.withAlias("p"),
  Flag.withDescription(
    "Which configuration of the spec, such as paper, laptop or ci; when absent, paper where its data and a GPU are there, else laptop",
  ),
  Flag.optional,
)

const engine = Flag.Literals("engine", ["auto", "onnxruntime", "tensorflow", "torch", "tfjs"]).pipe(
  Flag.withDescription(
    "What computes, the same numbers up to rounding; auto (the default): the fastest that this machine has for the plan",
  ),
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

const xla = Flag.Literals("xla", ["on", "off"]).pipe(
  Flag.withDescription("on: TensorFlow compiles whole programs with XLA, which can pay on a GPU"),
  Flag.optional,
)

const recompute = Flag.Literals("recompute", ["on", "off"]).pipe(
  Flag.withDescription(
    "on: PyTorch computes activations inside blocks again instead of keeping them, to save memory",
  ),
  Flag.optional,
)

/** What computes, and how. */
export const engineFlags = { engine, precision, device, threads, xla, recompute }

export const outputRuns = Flag.String("runs").pipe(
  Flag.withDescription("Folder of run directories"),
  Flag.withDefault("runs"),
)
