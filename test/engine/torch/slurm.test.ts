import { chmod, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { execa } from "execa"
import t, { type Test } from "tap"
import { slurmScript, type SlurmOptions } from "../../../src/engine/torch/slurm.js"

const oneGpu: SlurmOptions = {
  program: ["node", "/opt/repro/dist/cli/bin.js"],
  spec: "specs/mdlm_eos.json",
  profile: "paper",
  name: "repro-mdlm_eos",
  nodes: 1,
  gpusPerNode: 1,
  cpusPerNode: 8,
  time: "24:00:00",
  directory: "/home/ada/work",
  runs: "/home/ada/work/runs",
  worker: "/opt/repro/python/repro_worker",
}
const twoNodes: SlurmOptions = {
  ...oneGpu,
  nodes: 2,
  gpusPerNode: 2,
  partition: "a100",
  account: "p_lm",
  precision: "bf16",
  directory: "/home/ada/it's here",
}

for (const [name, options] of [
  ["one-gpu", oneGpu],
  ["two-nodes", twoNodes],
] as const) {
  void t.test(`${name}: the script is the golden one and parses`, async (t) => {
    const path = new URL(`golden/${name}.sbatch`, import.meta.url)
    const script = slurmScript(options)
    // Written by this function and read by a person; a change of the script is a change of this file.
    t.equal(script, await readFile(path, "utf8"))
    await execa("bash", ["-n"], { input: script })
  })
}

/** A folder of programs that note how they were called, in place of SLURM and repro. */
const stubs = async (t: Test, repro: string): Promise<{ folder: string; calls: () => Promise<string> }> => {
  const folder = t.testdir({ bin: {}, work: {}, calls: "" })
  const note = (text: string): string => `echo "${text}" >> ${folder}/calls`
  const programs: Readonly<Record<string, string>> = {
    repro: repro.replaceAll("NOTE", note("repro $*")),
    scontrol: `${note("scontrol $*")}\nif [ "$1" = show ]; then printf 'n1\\nn2\\n'; fi`,
    srun: `${note("srun $*")}\nwhile [ "$1" != bash ]; do shift; done\nSLURM_PROCID=0 "$@"`,
    python3: note("python3 $*"),
  }
  for (const [name, body] of Object.entries(programs)) {
    await writeFile(join(folder, "bin", name), `#!/bin/bash\n${body}\n`)
    await chmod(join(folder, "bin", name), 0o755)
  }
  return { folder, calls: () => readFile(join(folder, "calls"), "utf8") }
}

const start = (folder: string, options: SlurmOptions) =>
  execa(
    "bash",
    [
      "-c",
      slurmScript({
        ...options,
        program: ["repro"],
        directory: join(folder, "work"),
        runs: join(folder, "work"),
      }),
    ],
    {
      env: { PATH: `${folder}/bin:/usr/bin:/bin`, SLURM_JOB_ID: "42", SLURM_JOB_NODELIST: "n[1-2]" },
      extendEnv: false,
      reject: false,
    },
  )

void t.test("a finished run ends the job; one that is started again is resumed", async (t) => {
  const { folder, calls } = await stubs(t, `NOTE\nmkdir -p ${t.testdirName}/work/slurm-42/run-1`)
  const common = "run specs/mdlm_eos.json --profile paper --engine torch --device gpu"
  t.equal((await start(folder, oneGpu)).exitCode, 0)
  t.equal(await calls(), `repro ${common} --runs ${folder}/work/slurm-42 \n`.replace(" \n", "\n"))
  t.equal((await start(folder, oneGpu)).exitCode, 0)
  t.match(await calls(), `repro ${common} --runs ${folder}/work/slurm-42 --resume latest\n`)
})

void t.test("the signal before the time limit stops the run and queues the job again", async (t) => {
  const { folder, calls } = await stubs(
    t,
    `trap 'echo stopping >> ${t.testdirName}/calls; sleep 0.3; exit 3' TERM\nNOTE\nwhile :; do sleep 0.05; done`,
  )
  const job = start(folder, oneGpu)
  while (!(await calls()).includes("repro run")) await sleep(20)
  job.kill("SIGTERM")
  const { exitCode, stdout } = await job
  t.equal(exitCode, 3)
  t.match(stdout, "Stopped before the time limit")
  t.match(await calls(), /repro run .*\nstopping\nscontrol requeue 42\n$/)
})

void t.test("a failed run fails the job, which is not queued again", async (t) => {
  const { folder, calls } = await stubs(t, "NOTE\nexit 1")
  t.equal((await start(folder, oneGpu)).exitCode, 1)
  t.notMatch(await calls(), "requeue")
})

void t.test("on two nodes the second meets the first under the same address", async (t) => {
  const { folder, calls } = await stubs(
    t,
    // The second node's start runs beside the first: the run goes on until it was noted.
    `NOTE\necho "$REPRO_TORCH_PROCESSES $REPRO_TORCHRUN" >> ${t.testdirName}/calls\nuntil grep -q python3 ${t.testdirName}/calls; do sleep 0.05; done`,
  )
  t.equal((await start(folder, twoNodes)).exitCode, 0)
  const all = await calls()
  // 20000 + 42 is the port of job 42.
  const meet = "--nnodes=2 --master-addr=n1 --master-port=20042"
  t.match(all, `2 ${meet} --node-rank=0\n`)
  t.match(
    all,
    `python3 -u -m torch.distributed.run ${meet} --node-rank=1 --nproc-per-node=2 -m repro_worker\n`,
  )
  t.match(all, "srun --relative=1 --nodes=1 --ntasks=1")
})
