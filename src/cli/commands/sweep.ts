import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { engineFlags, outputRuns as runs, profileOrBest as profile } from "../engine-flags.js"
import { json, set, spec } from "../flags.js"
import { runHandler } from "../../app/outcome.js"
import { format } from "./table.js"

const workers = Flag.Int("workers").pipe(
  Flag.withDescription("Processes that each compute one cell at a time and share the processor threads"),
  Flag.withDefault(1),
)
const seeds = Flag.String("seeds").pipe(
  Flag.withDescription(
    "Seeds such as 0,1,2, in place of the sweep's; a spec without a sweep is run once with each",
  ),
  Flag.optional,
)
const only = Flag.String("only").pipe(
  Flag.withDescription(
    'Only the cells called like that, such as "heads=4,seed=1" or "heads=4"; may be repeated',
  ),
  Flag.atLeast(0),
)
const dryRun = Flag.Boolean("dry-run").pipe(
  Flag.withDescription("List the cells, what is there of each and how long the rest may take; run nothing"),
  Flag.withDefault(false),
)
const table = Flag.Boolean("table").pipe(
  Flag.withDescription("Make the table again from the finished runs; run nothing"),
  Flag.withDefault(false),
)
const out = Flag.String("out").pipe(
  Flag.withAlias("o"),
  Flag.withDescription(
    "Also write the table in every format, the plots and the training curves of every cell into this folder",
  ),
  Flag.optional,
)

export const sweepCommand = Command.make(
  "sweep",
  {
    spec,
    profile,
    set,
    seeds,
    only,
    workers,
    ...engineFlags,
    dryRun,
    table,
    format,
    out,
    runs,
    json,
  },
  (input) =>
    runHandler("sweep", input, async () => {
      const { sweep } = await import("../../app/sweep.js")
      return sweep(input)
    }),
).pipe(
  Command.withDescription(
    "Run an experiment at every point of its spec's grid, with every seed, and print one table: each point's mean with its interval over seeds, each seed, paired tests between points with Holm's correction, and what difference could have been found. Each cell is a run of its own. A finished cell is never repeated, a stopped one is gone on with, and one that another process writes is left to it, so sweeps on several machines may share the folder of runs. Ctrl-C stops after the step in progress; a cell that fails does not stop the others. Exit codes: 0 all finished, 2 invalid spec, 3 some cells are not finished.",
  ),
  Command.withShortDescription("Run an experiment over a grid and seeds"),
  Command.withExamples([
    {
      command: "repro sweep ablation_heads --profile laptop --dry-run",
      description: "The cells and their states",
    },
    {
      command: "repro sweep ablation_heads --profile laptop --workers 2",
      description: "Run them, two at a time",
    },
    {
      command: "repro sweep mdlm_eos --profile laptop --seeds 0,1,2",
      description: "Seeds alone: the mean and its interval over them",
    },
    {
      command: "repro sweep ablation_heads --profile laptop --table --format md > heads.md",
      description: "The table again, from evidence",
    },
    {
      command: "repro sweep ablation_heads --profile laptop --table --out report",
      description: "Its report, with plots and curves",
    },
  ]),
)
