/** The batch script of a SLURM job: one run on one or several nodes, resumed when the job is started again. */
import { WORKER_FOLDER } from "./worker.js"

export interface SlurmOptions {
  /** Starts the program, such as `node /opt/repro/dist/cli/bin.js`; it must pass signals on, which npx does not. */
  readonly program: readonly string[]
  /** Spec file or name, as `repro run` takes it. */
  readonly spec: string
  readonly profile: string
  /** What the command line set in the spec. */
  readonly settings?: readonly string[]
  /** Short name for the queue and the log. */
  readonly name: string
  readonly nodes: number
  readonly gpusPerNode: number
  readonly cpusPerNode: number
  /** `HH:MM:SS` or `D-HH:MM:SS` */
  readonly time: string
  readonly partition?: string | undefined
  readonly account?: string | undefined
  readonly precision?: string | undefined
  /** The folder in which the job starts. */
  readonly directory: string
  /** Runs go to a folder of the job's own in here, so that a job that is started again finds its run. */
  readonly runs: string
  /** The folder of the Python worker, for the nodes beside the first. */
  readonly worker?: string
}

/** Seconds before the time limit at which the run is asked to stop after its step. */
const NOTICE_SECONDS = 300

const quote = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`

const directive = (name: string, value: string | number | undefined): readonly string[] =>
  value === undefined ? [] : [`#SBATCH --${name}=${value}`]

/**
 * The script. The first node runs `repro`, whose worker starts this node's processes; every other node starts its
 * processes by torchrun and waits for the first. Before the time limit the run stops with a checkpoint and the job
 * is put into the queue again.
 */
export const slurmScript = (options: SlurmOptions): string => {
  const { nodes, gpusPerNode } = options
  const run = [
    ...options.program.map(quote),
    "run",
    quote(options.spec),
    `--profile ${quote(options.profile)}`,
    ...(options.settings ?? []).map((each) => `--set ${quote(each)}`),
    "--engine torch --device gpu",
    ...(options.precision === undefined ? [] : [`--precision ${quote(options.precision)}`]),
    '--runs "$runs" "${resume[@]}"',
  ].join(" ")
  return [
    "#!/bin/bash",
    ...directive("job-name", options.name),
    ...directive("nodes", nodes),
    ...directive("ntasks-per-node", 1),
    ...directive("gpus-per-node", gpusPerNode),
    ...directive("cpus-per-task", options.cpusPerNode),
    ...directive("time", options.time),
    ...directive("partition", options.partition),
    ...directive("account", options.account),
    ...directive("output", `${options.name}-%j.log`),
    "#SBATCH --open-mode=append",
    "#SBATCH --requeue",
    `#SBATCH --signal=B:TERM@${NOTICE_SECONDS}`,
    "set -euo pipefail",
    `cd ${quote(options.directory)}`,
    "",
    `runs=${quote(options.runs)}/slurm-$SLURM_JOB_ID`,
    "resume=()",
    'if compgen -G "$runs/*/" >/dev/null; then resume=(--resume latest); fi',
    "",
    `export REPRO_TORCH_PROCESSES=${gpusPerNode}`,
    ...(nodes > 1 ? peers(options) : []),
    "# Started here and not by srun: the signal before the time limit then reaches the run alone.",
    `${run} &`,
    "run=$!",
    `trap 'kill -TERM "$run"' TERM`,
    "status=0",
    'wait "$run" || status=$?',
    "# The signal ends the wait, not the run.",
    'while kill -0 "$run" 2>/dev/null; do',
    "  status=0",
    '  wait "$run" || status=$?',
    "done",
    "if [ $status -eq 3 ]; then",
    '  echo "Stopped before the time limit; the job goes on when its turn comes."',
    '  scontrol requeue "$SLURM_JOB_ID"',
    "fi",
    "exit $status",
    "",
  ].join("\n")
}

const peers = ({ nodes, gpusPerNode, worker = WORKER_FOLDER }: SlurmOptions): readonly string[] => [
  'first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)',
  `meet="--nnodes=${nodes} --master-addr=$first --master-port=$((20000 + SLURM_JOB_ID % 20000))"`,
  'export REPRO_TORCHRUN="$meet --node-rank=0" meet',
  `export PYTHONPATH=${quote(worker)}\${PYTHONPATH:+:$PYTHONPATH}`,
  `srun --relative=1 --nodes=${nodes - 1} --ntasks=${nodes - 1} --kill-on-bad-exit=1 bash -c '`,
  '  exec "${REPRO_PYTHON:-python3}" -u -m torch.distributed.run $meet \\',
  `    --node-rank=$((SLURM_PROCID + 1)) --nproc-per-node=${gpusPerNode} -m repro_worker' </dev/null &`,
]
