import { appendFile, mkdir, readFile, readdir, symlink, truncate, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { test } from "tap"
import { createRun, latestCheckpoint, openRun, readRun } from "../../src/run/directory.js"
import { RunError } from "../../src/run/errors.js"
import { effectiveEvents } from "../../src/run/events.js"
import { listRuns, resolveRun } from "../../src/run/list.js"
import { clock, input, temporary, tensorsOf } from "./support.js"

/** A clock that stands still on a day of January 2026. */
const day = (n: number) => (): Date => new Date(Date.UTC(2026, 0, n))

test("a new run has its whole layout and is listed", async (t) => {
  const root = join(await temporary(t), "runs")
  const run = await createRun(root, input, { now: clock() })
  t.equal(run.manifest.id, "20260131T142530Z-mdlm_eos-ci-01234567")
  t.equal(run.directory, join(root, run.manifest.id))
  t.same((await readdir(run.directory)).sort(), [
    "checkpoints",
    "events.ndjson",
    "evidence",
    "lock",
    "manifest.json",
  ])
  // printf '{ "id": "mdlm_eos" }\n' | sha256sum (coreutils)
  t.equal(run.manifest.source.text, input.specText)
  t.equal(run.manifest.source.sha256, "41872720db9e67d694f8adcda9264f45dce0c5ba6cb2e2510802f267e8b593b4")
  t.equal((await listRuns(root))[0]?.status, "running")
  await run.append({ type: "step", step: 1, loss: 2 })
  await run.append({ type: "finished" })
  await run.close()
  await run.close()
  t.match(await listRuns(root), [{ id: run.manifest.id, status: "finished", step: 1 }])
  const index = (await readFile(join(root, "index.ndjson"), "utf8")).trim().split("\n")
  t.same(
    index.map((line) => (JSON.parse(line) as { id: string }).id),
    [run.manifest.id],
  )
  t.same(await readdir(join(run.directory, "lock")), [])
})

test("two runs in the same second get different names", async (t) => {
  const root = await temporary(t)
  const first = await createRun(root, input, { now: day(31) })
  const second = await createRun(root, input, { now: day(31) })
  t.equal(second.manifest.id, `${first.manifest.id}-2`)
  t.equal((await readRun(second.directory)).manifest.id, second.manifest.id)
  await first.close()
  await second.close()
})

test("checkpoints: the last ones and the pinned ones are kept, the latest is found by listing", async (t) => {
  const root = await temporary(t)
  const run = await createRun(root, input, { keepCheckpoints: 2, pinnedSteps: [9] })
  for (const step of [9, 10, 100, 101]) await run.writeCheckpoint(step, tensorsOf(step), { step: `${step}` })
  t.same(
    (await run.checkpoints()).map(({ step }) => step),
    [9, 100, 101],
  )
  const { checkpoint } = await latestCheckpoint(run)
  t.equal(checkpoint?.step, 101)
  const file = await run.readCheckpoint(checkpoint!)
  t.same(file.tensors.get("b")?.data, new Int32Array(5).fill(101))
  t.same(file.metadata, { step: "101" })
  await run.close()
})

test("a checkpoint that the disk damaged is set aside and the one before it is used", async (t) => {
  const root = await temporary(t)
  const run = await createRun(root, input, { keepCheckpoints: 1 })
  await run.writeCheckpoint(1, tensorsOf(1))
  await run.close()
  await writeFile(join(run.directory, "checkpoints", "step-2.safetensors"), "damaged")
  await writeFile(join(run.directory, "checkpoints", "step-3.safetensors.tmp-1-ab"), "unfinished")
  const again = await openRun(run.directory, { keepCheckpoints: 1 })
  t.equal((await latestCheckpoint(again)).checkpoint?.step, 1)
  t.match(again.notices, [/step-2\.safetensors/])
  t.same((await readdir(join(run.directory, "checkpoints"))).sort(), [
    "step-1.safetensors",
    "step-2.safetensors.damaged",
  ])
  await again.close()
})

test("evidence is written once", async (t) => {
  const root = await temporary(t)
  const run = await createRun(root, input)
  await run.writeEvidence("elbo-128", tensorsOf(7), { steps: "128" })
  t.same(await run.evidence(), ["elbo-128"])
  t.same((await run.readEvidence("elbo-128")).metadata, { steps: "128" })
  await t.rejects(run.writeEvidence("elbo-128", tensorsOf(8)), { name: "RunError", reason: "exists" })
  t.same((await run.readEvidence("elbo-128")).tensors.get("b")?.data, new Int32Array(5).fill(7))
  await t.rejects(run.writeEvidence("../escape", tensorsOf(8)), RangeError)
  await run.close()
})

test("results are replaced whole", async (t) => {
  const run = await createRun(await temporary(t), input)
  t.equal(await run.results(), undefined)
  await run.writeResults({ rows: [1] })
  await run.writeResults({ rows: [2] })
  t.same(await run.results(), { rows: [2] })
  await run.close()
})

test("a torn last event is never read and is cut off on reopening", async (t) => {
  const run = await createRun(await temporary(t), input)
  await run.append({ type: "step", step: 1, loss: 2.5 })
  await run.close()
  const path = join(run.directory, "events.ndjson")
  const whole = await readFile(path)
  for (const torn of ['{"time":"2026', "\0\0\0\0", '{"time":"x","type":"st\n', "\0\0\n"]) {
    await appendFile(path, torn)
    t.same(
      (await run.events()).map(({ type }) => type),
      ["started", "step"],
      JSON.stringify(torn),
    )
    const again = await openRun(run.directory)
    t.match(again.notices, [new RegExp(`${torn.length} bytes`)])
    t.equal((await again.events()).length, 3) // with the notice
    await again.close()
    await truncate(path, whole.byteLength)
  }
})

test("a damaged line in the middle of the events is named", async (t) => {
  const run = await createRun(await temporary(t), input)
  await run.close()
  const path = join(run.directory, "events.ndjson")
  const first = await readFile(path, "utf8")
  await writeFile(path, `${first}nonsense\n${first}`)
  await t.rejects(run.events(), { reason: "damaged", message: /events\.ndjson: line 2 is not an event/ })
})

test("events of a trajectory that was taken again count once", (t) => {
  const at = { time: "2026-01-31T00:00:00Z" }
  const step = (n: number, loss: number) => ({ ...at, type: "step" as const, step: n, loss })
  const events = [
    step(1, 10),
    step(2, 20),
    step(3, 30),
    { ...at, type: "resumed" as const, step: 1 },
    step(2, 21),
  ]
  t.same(effectiveEvents(events), [events[0], events[3], events[4]])
  t.end()
})

test("a full disk stops with a sentence and leaves no half event", async (t) => {
  const run = await createRun(await temporary(t), input)
  await run.close()
  const { openEventLog } = await import("../../src/run/events.js")
  const path = join(run.directory, "full")
  await symlink("/dev/full", path) // every write fails with ENOSPC
  const log = await openEventLog(path, clock())
  await t.rejects(log.append({ type: "finished" }), {
    name: "RunError",
    reason: "no-space",
    message: /the disk is full .* --resume/,
  })
  await log.close()
})

test("a folder that cannot be made is a sentence and nothing is left", async (t) => {
  const root = await temporary(t)
  await writeFile(join(root, "runs"), "a file")
  await t.rejects(createRun(join(root, "runs"), input), { reason: "exists", message: /--runs/ })
  t.same(await readdir(root), ["runs"])
})

test("runs are named by path, id, beginning, part or latest", async (t) => {
  const root = await temporary(t)
  await t.rejects(resolveRun(root, "latest"), { reason: "unknown-run", message: /repro run SPEC/ })
  const first = await createRun(root, input, { now: day(1) })
  const second = await createRun(root, { ...input, profile: "laptop" }, { now: day(2) })
  await first.close()
  await second.close()
  t.equal(await resolveRun(root, first.directory), first.directory)
  t.equal(await resolveRun(root, first.manifest.id), first.directory)
  t.equal(await resolveRun(root, "20260102"), second.directory)
  t.equal(await resolveRun(root, "laptop"), second.directory)
  t.equal(await resolveRun(root, "latest"), second.directory)
  await t.rejects(resolveRun(root, "2026"), { reason: "ambiguous", message: /names 2 runs/ })
  await t.rejects(resolveRun(root, "nothing"), { reason: "unknown-run", message: /the latest is 20260102/ })
})

test("a folder that is no run is refused and not touched", async (t) => {
  const root = await temporary(t)
  await mkdir(join(root, "other"))
  await t.rejects(openRun(join(root, "other")), RunError)
  t.same(await readdir(join(root, "other")), [])
  await writeFile(join(root, "other", "manifest.json"), '{"format":"something"}')
  await t.rejects(openRun(join(root, "other")), { reason: "damaged", message: /another program/ })
  t.same(await listRuns(root), [])
})
