/** The death of a worker, of one of several, and of the program that owns it. */
import { once } from "node:events"
import { readdir, readlink } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { execa } from "execa"
import t from "tap"
import { workerCommand } from "../../../src/engine/torch/index.js"
import { TorchWorker } from "../../../src/engine/torch/worker.js"
import { findPython } from "../../../src/engine/torch/find-torch.js"
import { nodeArguments, root } from "../../../scripts/node-arguments.js"
import { forkedEnvironment, testWithTorch } from "./available.js"

// Each worker loads PyTorch, which takes seconds on a busy machine.
t.setTimeout(540_000)

const hello = { precision: "fp32", device: "cpu", threads: 1, compile: false } as const

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

testWithTorch("a killed worker is reported, and nothing of it stays", async (t) => {
  const worker = await TorchWorker.start(await workerCommand({}, process.env), hello)
  const open = worker.request({ type: "read", id: 99 })
  await t.rejects(open, { message: /KeyError: 99/ }, "an error leaves the worker alive")
  process.kill(worker.pid!, "SIGKILL")
  await t.rejects(worker.request({ type: "read", id: 0 }), {
    name: "ExecutorError",
    message:
      /the worker was ended by SIGKILL, which is also what the system does when memory runs out; its last lines:\n(.*\n)*KeyError: 99\n; the run goes on from its last checkpoint with `repro run SPEC --resume latest`/,
  })
  await worker.close()
})

testWithTorch("one of several processes that dies ends them all", async (t) => {
  const worker = await TorchWorker.start(await workerCommand({ processes: 2 }, process.env), hello)
  t.equal(worker.ready.world, 2)
  const { stdout } = await execa("ps", ["-o", "pid=", "--ppid", String(worker.pid)])
  const ranks = stdout.split("\n").map(Number)
  t.equal(ranks.length, 2)
  process.kill(ranks[1]!, "SIGKILL")
  // The launcher notices within moments; until then rank 0 answers.
  const go = async (): Promise<never> => {
    for (;;) {
      await worker.request({ type: "read", id: 0 }).catch((error: Error) => {
        if (!error.message.startsWith("torch: KeyError")) throw error
      })
      await sleep(100)
    }
  }
  await t.rejects(go(), { message: /the worker ended with code 1; its last lines:\n/ })
  for (const rank of ranks) t.notOk(isAlive(rank))
})

/** A program that owns a worker, of one rank where not said. */
const owner = ({ ranks = 1, env = process.env }: { ranks?: number; env?: NodeJS.ProcessEnv } = {}) =>
  execa(process.execPath, [...nodeArguments("test/engine/torch/owner.ts"), String(ranks)], {
    reject: false,
    buffer: false,
    env,
  })

/** The process id of its worker, and the number of ranks. */
const saidBy = async ({ stdout }: ReturnType<typeof owner>): Promise<readonly [number, number]> => {
  const [line] = (await once(stdout, "data")) as [Buffer]
  const [pid, ranks] = line.toString().split(" ").map(Number)
  return [pid!, ranks!]
}

testWithTorch("the worker ends when its parent is killed", async (t) => {
  const parent = owner()
  const [pid] = await saidBy(parent)
  t.ok(pid > 0 && isAlive(pid))
  parent.kill("SIGKILL")
  // The worker looks every second; how long that takes on a busy machine is for the test's own time limit.
  while (isAlive(pid)) await sleep(100)
  t.pass("it ended")
})

testWithTorch("both of two ranks and their launcher end when the program is killed", async (t) => {
  const parent = owner({ ranks: 2 })
  const [launcher, world] = await saidBy(parent)
  t.equal(world, 2)
  const { stdout } = await execa("ps", ["-o", "pid=", "--ppid", String(launcher)])
  const all = [launcher, ...stdout.split("\n").map(Number)]
  t.equal(all.filter(isAlive).length, 3)
  // Stopped, they neither read the end of their input nor look for their parent: what ends them is the kernel.
  if (process.platform === "linux") for (const pid of all) process.kill(pid, "SIGSTOP")
  const began = performance.now()
  parent.kill("SIGKILL")
  for (const pid of all) while (isAlive(pid)) await sleep(50)
  t.comment(`gone after ${((performance.now() - began) / 1000).toFixed(1)} s`)
})

/** Processes that have a file open which another one has as its standard input. */
const readersWith = async (pid: number): Promise<readonly number[]> => {
  const input = await readlink(`/proc/${pid}/fd/0`)
  const all = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number)
  const found = await Promise.all(
    all.map(async (other) => {
      const folder = `/proc/${other}/fd`
      const open = await readdir(folder).catch(() => [])
      const links = await Promise.all(open.map((name) => readlink(join(folder, name)).catch(() => "")))
      return links.includes(input) && other !== pid ? [other] : []
    }),
  )
  return found.flat()
}

const forks = forkedEnvironment()["REPRO_TEST_FORKS"]

/** As the tests' own workers are made; without `npm test` there is none to fork from. */
void t.test(
  "a forked worker ends when its program is killed, whatever it does",
  { skip: forks === undefined && "no process to fork from: npm test starts one" },
  async (t) => {
    const parent = owner({ env: forkedEnvironment() })
    const [client] = await saidBy(parent)
    const workers = await readersWith(client)
    t.equal(workers.length, 1)
    // Stopped, it does not read the end of its input, as in the middle of a step.
    process.kill(workers[0]!, "SIGSTOP")
    parent.kill("SIGKILL")
    for (const pid of [client, ...workers]) while (isAlive(pid)) await sleep(50)
    t.pass("both ended")
  },
)

testWithTorch("a forked worker that calls sys.exit ends as the interpreter would", async (t) => {
  const python = (await findPython())!
  const folder = join(root, "test/engine/torch")
  const forked = `import sys; sys.path.insert(0, ${JSON.stringify(folder)}); import fork_exit, os
os._exit(fork_exit.exit_code(SystemExit(CODE)))`
  for (const said of ["None", "0", "3", "259", "-1", "'why it ended'", "['a', 1]"]) {
    const [real, ours] = await Promise.all(
      [`import sys; sys.exit(${said})`, forked.replace("CODE", said)].map((code) =>
        execa(python, ["-c", code], { reject: false }),
      ),
    )
    t.equal(ours!.exitCode, real!.exitCode, said)
    t.equal(ours!.stderr, real!.stderr, said)
  }
})
