/** The lock as a lease: holders whose process id says nothing here are told by their heartbeat. */
import { execFileSync, spawn } from "node:child_process"
import { readdir, readFile, rm, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { test } from "tap"
import { nodeArguments } from "../../scripts/node-arguments.js"
import { createRun, openRun } from "../../src/run/directory.js"
import { HEARTBEAT_MS, STALE_MS } from "../../src/files/lease.js"
import { input, temporary, tensorsOf } from "./support.js"

/** The lock of a holder on another machine whose last heartbeat is this old. */
const foreign = async (directory: string, ageMs: number): Promise<string> => {
  const path = join(directory, "lock", "7-abc.json")
  const since = "2026-01-31T00:00:00.000Z"
  await writeFile(
    path,
    JSON.stringify({ pid: 7, host: "elsewhere", since, owner: "abc", heartbeat: HEARTBEAT_MS }),
  )
  const beaten = new Date(Date.now() - ageMs)
  await utimes(path, beaten, beaten)
  return path
}

test("a silent holder of another machine is taken over with a word, a living one is not", async (t) => {
  const run = await createRun(await temporary(t), input)
  await run.close()
  await foreign(run.directory, STALE_MS / 2)
  await t.rejects(openRun(run.directory), {
    reason: "locked",
    message: /another machine, is writing this run.*taken over 120 s/,
  })
  await foreign(run.directory, STALE_MS * 2)
  const mine = await openRun(run.directory)
  t.match(mine.notices, [/Took over the lock of process 7/])
  t.equal((await readdir(join(run.directory, "lock"))).length, 1)
  await mine.close()
})

test("who lost the lease writes no evidence, checkpoint or result any more", async (t) => {
  const run = await createRun(await temporary(t), input)
  const [name] = await readdir(join(run.directory, "lock"))
  t.match(JSON.parse(await readFile(join(run.directory, "lock", name!), "utf8")), {
    pid: process.pid,
    owner: /^[0-9a-f]{32}$/,
    heartbeat: HEARTBEAT_MS,
  })
  await rm(join(run.directory, "lock", name!))
  await t.rejects(run.writeCheckpoint(1, tensorsOf(1)), {
    reason: "locked",
    message: /another took the run over/,
  })
  await t.rejects(run.writeEvidence("a", tensorsOf(1)), {
    name: "RunError",
    reason: "locked",
    message: /took the run over/,
  })
  await t.rejects(run.writeResults({}), { name: "RunError", reason: "locked", message: /took the run over/ })
  t.same(await run.evidence(), [])
  await run.close()
})

const why = ((): string | false => {
  try {
    execFileSync("unshare", ["--user", "--map-root-user", "--pid", "--fork", "true"], { stdio: "ignore" })
    return false
  } catch {
    return "unshare cannot make a process-id namespace here"
  }
})()

test("a writer in another process-id namespace with the same host name is seen", { skip: why }, async (t) => {
  const run = await createRun(await temporary(t), input)
  await run.close()
  const child = spawn(
    "unshare",
    [
      "--user",
      "--map-root-user",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
      process.execPath,
      ...nodeArguments("test/run/fixtures/writer.ts"),
      run.directory,
      "hold",
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  )
  t.teardown(() => child.kill("SIGKILL"))
  for await (const chunk of child.stdout)
    if (String(chunk).includes("\n")) {
      t.match(String(chunk), /^open/)
      break
    }
  await t.rejects(openRun(run.directory), {
    reason: "locked",
    message: /in another container, is writing this run/,
  })
})
