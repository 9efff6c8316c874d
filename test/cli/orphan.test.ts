/** What a process started is gone with it, also when it was killed. */
import { spawn, spawnSync } from "node:child_process"
import { readdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import tap, { test } from "tap"
import { program, root, smallSpec } from "./small.js"

tap.setTimeout(300_000)

const linux = { skip: process.platform === "linux" ? false : "processes are found in /proc" }

/** Processes that `parent` started and that run this program. */
const childrenOf = async (parent: number): Promise<readonly number[]> => {
  const found: number[] = []
  for (const name of (await readdir("/proc")).filter((each) => /^\d+$/.test(each))) {
    const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => "")
    const command = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "")
    // The second field is a name in parentheses, which may hold anything.
    if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === parent && command.includes("bin."))
      found.push(Number(name))
  }
  return found
}

const isThere = async (pid: number): Promise<boolean> =>
  !/^State:\s+Z/m.test(await readFile(`/proc/${pid}/status`, "utf8").catch(() => "State:\tZ"))

test("workers of a sweep end when it is killed", linux, async (t) => {
  // Far longer than the test: none of them ends by itself.
  const { folder, spec } = await smallSpec(500_000, {
    sweep: { seeds: [0, 1], streams: "paired" },
  })
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const args = ["sweep", spec, "--runs", join(folder, "runs"), "--workers", "2"]
  const sweep = spawn(process.execPath, [...program, ...args], { cwd: root, stdio: "ignore" })
  const training = async (): Promise<number> => {
    const runs = await readdir(join(folder, "runs")).catch(() => [])
    const logs = await Promise.all(
      runs.map((run) => readFile(join(folder, "runs", run, "events.ndjson"), "utf8").catch(() => "")),
    )
    return logs.filter((log) => log.includes('"type":"step"')).length
  }
  while ((await training()) < 2) {
    if (sweep.exitCode !== null) throw new Error(`the sweep ended with ${sweep.exitCode}`)
    await sleep(100)
  }
  const workers = await childrenOf(sweep.pid!)
  t.equal(workers.length, 2)
  const began = performance.now()
  sweep.kill("SIGKILL")
  for (const worker of workers) while (await isThere(worker)) await sleep(50)
  t.comment(`gone after ${((performance.now() - began) / 1000).toFixed(1)} s`)
})

test("a worker whose parent was killed before it began does nothing", async (t) => {
  const { pid } = spawnSync(process.execPath, ["--version"])
  const { status, stdout } = spawnSync(process.execPath, [...program, "list"], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, REPRO_PARENT: String(pid) },
  })
  t.same([status, stdout], [1, ""])
  const child = spawnSync(process.execPath, [...program, "--version"], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, REPRO_PARENT: String(process.ppid) },
  })
  t.same([child.status, child.stdout === ""], [0, false], "one that a worker started minds its own parent")
})
