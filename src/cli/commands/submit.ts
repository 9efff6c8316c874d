import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { json, profile, set, spec } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

const slurm = Flag.Boolean("slurm").pipe(Flag.withDescription("For the SLURM queue"), Flag.withDefault(false))
const nodes = Flag.Int("nodes").pipe(Flag.withDescription("Number of nodes"), Flag.withDefault(1))
const gpus = Flag.Int("gpus").pipe(
  Flag.withDescription("GPUs of each node; each gets its share of the micro-batches of a step"),
  Flag.withDefault(1),
)
const cpus = Flag.Int("cpus").pipe(Flag.withDescription("Processor cores of each node"), Flag.withDefault(8))
const time = Flag.String("time").pipe(
  Flag.withDescription("Time limit of one turn, HH:MM:SS; a run that needs more goes on in the next"),
  Flag.withDefault("24:00:00"),
)
const partition = Flag.String("partition").pipe(
  Flag.withDescription("Partition of the cluster"),
  Flag.optional,
)
const account = Flag.String("account").pipe(Flag.withDescription("Account that is charged"), Flag.optional)
const precision = Flag.Literals("precision", ["fp32", "bf16", "bf16-params"]).pipe(
  Flag.withDescription("As for repro run"),
  Flag.optional,
)
const output = Flag.String("output").pipe(
  Flag.withAlias("o"),
  Flag.withDescription("Where the script goes; SPEC.sbatch in this folder when absent"),
  Flag.optional,
)
const runs = Flag.String("runs").pipe(
  Flag.withDescription("Folder of run directories; each job writes into slurm-JOB in it"),
  Flag.withDefault("runs"),
)
const send = Flag.Boolean("send").pipe(
  Flag.withDescription("Hand the script to sbatch at once"),
  Flag.withDefault(false),
)

export const submitCommand = Command.make(
  "submit",
  {
    spec,
    profile,
    set,
    slurm,
    nodes,
    gpus,
    cpus,
    time,
    partition,
    account,
    precision,
    output,
    runs,
    send,
    json,
  },
  (input) =>
    runHandler("submit", input, async () => {
      const { submit } = await import("../../app/submit.js")
      return submit(input)
    }),
).pipe(
  Command.withDescription(
    "Write the batch script that runs an experiment on a cluster with the torch executor, on one or several nodes. The run stops with a checkpoint before the time limit, and the job puts itself into the queue again until it is finished.",
  ),
  Command.withShortDescription("Write the batch script of a cluster job"),
  Command.withExamples([
    { command: "repro submit mdlm_eos --slurm --gpus 4", description: "One node with four GPUs" },
    {
      command: "repro submit mdlm_eos --slurm --nodes 2 --gpus 2 --precision bf16 --send",
      description: "Two nodes, submitted",
    },
  ]),
)
