/** Real processes killed at random moments, and two writers on one run. */
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { readdir, writeFile } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { test } from "tap"
import { nodeArguments } from "../../scripts/node-arguments.js"
import { createRun, latestCheckpoint, openRun, readRun } from "../../src/run/directory.js"
import { effectiveEvents } from "../../src/run/events.js"
import { summarizeRun } from "../../src/run/list.js"
import { isDead } from "../../src/files/lease.js"
import { input, temporary } from "./support.js"

const WRITER = nodeArguments("test/run/fixtures/writer.ts")

const start = (directory: string, mode: "write" | "hold"): ChildProcess =>
  spawn(process.execPath, [...WRITER, directory, mode], {
    stdio: ["ignore", "pipe", "inherit"],
  })

const firstLine = async (child: ChildProcess): Promise<string> => {
  let text = ""
  for await (const chunk of child.stdout!) {
    text += String(chunk)
    if (text.includes("\n")) break
  }
  return text.trim()
}

const kill = async (child: ChildProcess): Promise<void> => {
  const gone = once(child, "exit")
  child.kill("SIGKILL")
  await gone
}

test("killed at random moments: whole checkpoints, whole events, nothing skipped", async (t) => {
  const run = await createRun(await temporary(t), input)
  await run.close()
  let before = 0
  for (let round = 0; round < 6; round++) {
    const child = start(run.directory, "write")
    t.equal(await firstLine(child), "open")
    await sleep(30 + Math.random() * 220)
    await kill(child)

    const reader = await readRun(run.directory)
    t.equal((await summarizeRun(run.directory)).status, "stopped")
    const { checkpoint, unreadable } = await latestCheckpoint(reader)
    t.same(unreadable, [])
    for (const each of await reader.checkpoints()) {
      const { tensors } = await reader.readCheckpoint(each)
      for (const { data } of tensors.values()) {
        t.ok(
          (data as Float32Array).every((value) => value === each.step),
          `checkpoint ${each.step} is of one step`,
        )
      }
    }
    t.ok((checkpoint?.step ?? 0) >= before, "no checkpoint is lost")
    before = checkpoint?.step ?? 0
    const steps = effectiveEvents(await reader.events()).flatMap((event) =>
      event.type === "step" ? [event.step] : [],
    )
    t.same(
      steps,
      steps.map((_, index) => index + 1),
      "every step once, in order",
    )
    t.ok(steps.length >= before, "the events of every checkpointed step are there")
  }
  t.ok(before > 0, "the test saw checkpoints")
  const last = await openRun(run.directory)
  t.match(last.notices[0], /Took over the lock of process \d+/)
  t.equal(
    (await readdir(join(run.directory, "checkpoints"))).filter((name) => name.includes("tmp")).length,
    0,
  )
  await last.close()
})

test("two writers: the second is refused while the first lives, and takes over when it is dead", async (t) => {
  const run = await createRun(await temporary(t), input)
  await run.close()
  const child = start(run.directory, "hold")
  t.equal(await firstLine(child), "open")
  await t.rejects(openRun(run.directory), {
    reason: "locked",
    message: new RegExp(`process ${child.pid} on .* is writing this run; wait until it ends`),
  })
  t.equal((await summarizeRun(run.directory)).status, "running")
  await kill(child)
  const mine = await openRun(run.directory)
  t.match(mine.notices, [/Took over the lock/])
  await t.rejects(openRun(run.directory), { reason: "locked", message: /wait until it ends/ })
  await mine.close()
})

test("of many simultaneous contenders at most one is let in", async (t) => {
  const run = await createRun(await temporary(t), input)
  await run.close()
  const children = [1, 2, 3].map(() => start(run.directory, "hold"))
  const lines = await Promise.all(children.map(firstLine))
  t.ok(lines.filter((line) => line === "open").length <= 1, lines.join(" | "))
  for (const line of lines) t.match(line, /^(open$|refused .*is writing this run)/)
  await Promise.all(children.map(async (child) => child.exitCode === null && (await kill(child))))
})

test("a lock of another host is respected, with the file to move away", async (t) => {
  const run = await createRun(await temporary(t), input)
  await run.close()
  const since = "2026-01-31T00:00:00.000Z"
  await writeFile(
    join(run.directory, "lock", "1-ab.json"),
    JSON.stringify({ pid: 1, host: "elsewhere", since }),
  )
  await t.rejects(openRun(run.directory), {
    reason: "locked",
    message: /on elsewhere .* move .*1-ab\.json away/,
  })
})

test("a reused process id is not taken for the holder", (t) => {
  const holder = { pid: process.pid, host: hostname(), since: "2026-01-31T00:00:00.000Z" }
  t.equal(isDead(holder), false)
  t.equal(isDead({ ...holder, process: "other-boot/1" }), process.platform === "linux")
  t.end()
})
