/** Damage of every kind to a run's files: named with file and cure, by every read and by `verifyRun`. */
import { copyFile, cp, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { execa } from "execa"
import { test } from "tap"
import { createRun, latestCheckpoint, openRun, readRun, type RunReader } from "../../src/run/directory.js"
import { effectiveEvents } from "../../src/run/events.js"
import { experimentOf } from "../../src/run/experiment-of.js"
import { readFloors } from "../../src/run/floors.js"
import { damagedRuns, listRuns } from "../../src/run/list.js"
import type { Json } from "../../src/run/events.js"
import { verifyRun } from "../../src/run/verify.js"
import { loadSpec } from "../../src/spec/spec-file.js"
import { clock, input, temporary, tensorsOf } from "./support.js"

const FLOORS = JSON.stringify([
  { id: "uniform", label: "uniform over 1024 tokens", bitsPerToken: 10, bitsPerByte: null, notes: [] },
])

/** A finished run with a real experiment, two evaluations, floors, two checkpoints and results. */
const finished = async (root: string): Promise<string> => {
  const spec = await loadSpec("specs/mdlm_eos.json", "ci")
  const run = await createRun(
    root,
    {
      ...input,
      fingerprint: spec.fingerprint,
      specText: spec.text,
      experiment: spec.experiment as unknown as Json,
      differences: spec.differences,
    },
    { now: clock() },
  )
  await run.append({ type: "step", step: 72, loss: 2.99 })
  await run.writeCheckpoint(72, tensorsOf(72))
  await run.writeCheckpoint(80, tensorsOf(80))
  for (const id of ["a", "b"])
    await run.writeEvidence(
      id,
      { nats: { dtype: "F64", shape: [3], data: Float64Array.of(2.99, 1, 2) } },
      { evidence: JSON.stringify({ evaluation: { id } }) },
    )
  await run.writeEvidence("floors", {}, { floors: FLOORS })
  await run.writeResults({ rows: [1] })
  await run.append({ type: "finished" })
  await run.close()
  return run.directory
}

const flip = async (path: string, at: number): Promise<void> => {
  const bytes = await readFile(path)
  const place = at < 0 ? bytes.length + at : at
  bytes[place] = bytes[place]! ^ 1
  await writeFile(path, bytes)
}

test("a run as it was written is verified, also when it was copied elsewhere", async (t) => {
  const root = await temporary(t)
  const directory = await finished(join(root, "runs"))
  const copy = join(root, "elsewhere")
  await cp(directory, copy, { recursive: true })
  for (const each of [directory, copy]) {
    const { problems, verified, unverifiable } = await verifyRun(each)
    t.same(problems, [])
    t.equal(unverifiable, false)
    t.same([...verified].sort(), [
      "checkpoints/step-72.safetensors",
      "checkpoints/step-80.safetensors",
      "events.ndjson",
      "evidence/a.safetensors",
      "evidence/b.safetensors",
      "evidence/floors.safetensors",
      "results.json",
    ])
  }
})

interface Damage {
  readonly what: string
  readonly file: string
  readonly apply: (directory: string) => Promise<unknown>
  /** What the sentence says. */
  readonly says: RegExp
  /** A read that must refuse; `verifyRun` always must. */
  readonly read?: (run: RunReader) => Promise<unknown>
}

const at = (directory: string, file: string): string => join(directory, ...file.split("/"))
const evidenceA = "evidence/a.safetensors"
const step80 = "checkpoints/step-80.safetensors"

const edited = async (
  directory: string,
  change: (manifest: Record<string, unknown>) => void,
): Promise<void> => {
  const path = join(directory, "manifest.json")
  const manifest = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>
  change(manifest)
  await writeFile(path, JSON.stringify(manifest))
}

const DAMAGES: readonly Damage[] = [
  {
    what: "a bit of nats",
    file: evidenceA,
    apply: (directory) => flip(at(directory, evidenceA), -1),
    says: /changed or damaged since.*measure it again with --resume/,
    read: (run) => run.readEvidence("a"),
  },
  {
    what: "evidence cut short",
    file: evidenceA,
    apply: (directory) => truncate(at(directory, evidenceA), 100),
    says: /changed or damaged since/,
    read: (run) => run.readEvidence("a"),
  },
  {
    what: "swapped evidence",
    file: evidenceA,
    apply: (directory) => copyFile(at(directory, "evidence/b.safetensors"), at(directory, evidenceA)),
    says: /changed or damaged since/,
    read: (run) => run.readEvidence("a"),
  },
  {
    what: "evidence that the run did not write",
    file: "evidence/c.safetensors",
    apply: (directory) => copyFile(at(directory, evidenceA), at(directory, "evidence/c.safetensors")),
    says: /recorded no file of this name/,
    read: (run) => run.readEvidence("c"),
  },
  {
    what: "evidence that is gone",
    file: evidenceA,
    apply: (directory) => rm(at(directory, evidenceA)),
    says: /it is gone/,
    read: (run) => run.readEvidence("a"),
  },
  {
    what: "a bit of a weight",
    file: step80,
    apply: (directory) => flip(at(directory, step80), -1),
    says: /changed or damaged since.*checkpoint before it/,
    read: (run) => run.readCheckpoint({ step: 80, path: at(run.directory, step80) }),
  },
  {
    what: "step 72 copied to step 80",
    file: step80,
    apply: (directory) => copyFile(at(directory, "checkpoints/step-72.safetensors"), at(directory, step80)),
    says: /changed or damaged since/,
    read: (run) => run.readCheckpoint({ step: 80, path: at(run.directory, step80) }),
  },
  {
    what: "floors",
    file: "evidence/floors.safetensors",
    apply: (directory) => flip(at(directory, "evidence/floors.safetensors"), -40),
    says: /changed or damaged since/,
    read: readFloors,
  },
  {
    what: "results",
    file: "results.json",
    apply: (directory) => writeFile(at(directory, "results.json"), '{"rows":[2]}'),
    says: /changed or damaged since/,
    read: (run) => run.results(),
  },
  {
    what: "a digit of an event",
    file: "events.ndjson",
    apply: async (directory) => {
      const path = at(directory, "events.ndjson")
      await writeFile(path, (await readFile(path, "utf8")).replace("2.99", "2.95"))
    },
    says: /not those that the manifest recorded/,
    read: (run) => run.events(),
  },
  {
    what: "events that are gone",
    file: "events.ndjson",
    apply: async (directory) => {
      const path = at(directory, "events.ndjson")
      const lines = (await readFile(path, "utf8")).split("\n")
      await writeFile(path, `${lines.slice(0, 2).join("\n")}\n`)
    },
    says: /lines are gone/,
    read: (run) => run.events(),
  },
  {
    what: "differences: [] edited in",
    file: "manifest.json",
    apply: (directory) => edited(directory, (manifest) => (manifest["differences"] = [])),
    says: /\/differences is empty, but \/experiment is not the published one/,
    read: async (run) => experimentOf(run),
  },
  {
    what: "one difference taken out",
    file: "manifest.json",
    apply: (directory) => edited(directory, (manifest) => (manifest["differences"] as unknown[]).pop()),
    says: /\/differences are not those between/,
    read: async (run) => experimentOf(run),
  },
  {
    what: "an experiment with another seed",
    file: "manifest.json",
    apply: (directory) =>
      edited(
        directory,
        ({ experiment }) => ((experiment as { training: { seed: number } }).training.seed += 1),
      ),
    says: /\/fingerprint is .* but that of \/experiment is/,
    read: async (run) => experimentOf(run),
  },
  {
    what: "no experiment",
    file: "manifest.json",
    apply: (directory) => edited(directory, (manifest) => delete manifest["experiment"]),
    says: /it holds no experiment/,
    read: async (run) => experimentOf(run),
  },
  {
    what: "another source",
    file: "manifest.json",
    apply: (directory) =>
      edited(directory, (manifest) => ((manifest["source"] as { text: string }).text += "\n")),
    says: /SHA-256 of \/source\/text is not/,
  },
]

for (const { what, file, apply, says, read } of DAMAGES) {
  test(`${what}: named with the file, when it is read and when it is verified`, async (t) => {
    const directory = await finished(await temporary(t))
    await apply(directory)
    const { problems } = await verifyRun(directory)
    t.equal(problems.length, 1, problems.join("\n"))
    t.ok(problems[0]!.startsWith(at(directory, file)), problems[0]!)
    t.match(problems[0], says)
    if (read !== undefined)
      await t.rejects(readRun(directory).then(read), {
        name: "RunError",
        message: new RegExp(file.replace(/.*\//, "")),
      })
  })
}

test("without digests, evidence of another evaluation, NaN and broken floors are still named", async (t) => {
  const root = await temporary(t)
  const directory = await finished(root)
  const nan = { nats: { dtype: "F64" as const, shape: [2], data: Float64Array.of(1, Number.NaN) } }
  const other = await createRun(root, input)
  await other.writeEvidence("a", nan)
  await other.writeEvidence("floors", {}, { floors: '[{"id":"uniform"}]' })
  await other.close()
  await copyFile(at(other.directory, evidenceA), at(directory, evidenceA))
  await copyFile(
    at(other.directory, "evidence/floors.safetensors"),
    at(directory, "evidence/floors.safetensors"),
  )
  await edited(directory, (manifest) => delete manifest["files"])
  const events = join(directory, "events.ndjson")
  await writeFile(events, (await readFile(events, "utf8")).replaceAll(/,"sha256":"[0-9a-f]+"/g, ""))
  await rename(at(directory, "evidence/b.safetensors"), at(directory, "evidence/d.safetensors"))
  const { problems, unverifiable } = await verifyRun(directory)
  t.ok(unverifiable)
  t.match(
    problems.find((each) => each.includes("a.safetensors")),
    /element 1 of "nats" is not a number/,
  )
  t.match(
    problems.find((each) => each.includes("d.safetensors")),
    /it holds the evidence of b/,
  )
  t.match(
    problems.find((each) => each.includes("floors.safetensors")),
    /no floors that this program reads/,
  )
  t.equal(problems.length, 3)
})

test("a run of an earlier version is read, is said to be unverifiable, and records digests from its next use on", async (t) => {
  const stored = "docs/results/evidence"
  const all = await readdir(stored)
  const early = await Promise.all(
    all.map(async (id) => (await readRun(join(stored, id))).manifest.files === undefined),
  )
  const ids = all.filter((_, i) => early[i])
  t.ok(ids.length > 0 && ids.length < all.length, "runs of both kinds are stored")
  for (const [i, id] of all.entries())
    t.match(await verifyRun(join(stored, id)), { problems: [], unverifiable: early[i]! }, id)
  const copy = join(await temporary(t), ids[0]!)
  await cp(join(stored, ids[0]!), copy, { recursive: true })
  const run = await openRun(copy)
  t.match(run.notices, [/recorded no digests/])
  await run.close()
  t.match(await verifyRun(copy), { problems: [], unverifiable: false })
  const evidence = (await run.evidence())[0]!
  const file = at(copy, `evidence/${evidence}.safetensors`)
  // Kept results are packed; unpacked, a file is what was recorded.
  await writeFile(file, gunzipSync(await readFile(`${file}.gz`)))
  t.match(await verifyRun(copy), { problems: [] })
  await flip(file, -1)
  t.match((await verifyRun(copy)).problems, [/changed or damaged since/])
})

test("the latest checkpoint is the latest that is as it was written, and the others are set aside on resuming", async (t) => {
  const directory = await finished(await temporary(t))
  await flip(at(directory, step80), -1)
  const { checkpoint, unreadable } = await latestCheckpoint(await readRun(directory))
  t.equal(checkpoint?.step, 72)
  t.same(
    unreadable.map(({ step }) => step),
    [80],
  )
  const again = await openRun(directory)
  t.match(again.notices, [/Set aside step-80\.safetensors/])
  await again.close()
  t.same((await verifyRun(directory)).problems, [])
})

test("the digest is recorded before the file has its name, so no file is ever without one", async (t) => {
  const root = await temporary(t)
  const run = await createRun(root, input)
  await run.writeEvidence("a", tensorsOf(1))
  // What a kill between the record and the file leaves.
  await rm(at(run.directory, evidenceA))
  await run.writeEvidence("a", tensorsOf(2))
  t.same((await run.readEvidence("a")).tensors.get("b")?.data, new Int32Array(5).fill(2))
  t.equal(effectiveEvents(await run.events()).filter(({ type }) => type === "evaluation").length, 1)
  await run.close()
})

test("a folder or a pipe under the name of a recorded file is told, not waited for", async (t) => {
  const directory = await finished(await temporary(t))
  const path = join(directory, "evidence", "a.safetensors")
  await rm(path)
  await mkdir(path)
  t.match((await verifyRun(directory)).problems, [
    /evidence\/a.safetensors: it is not a regular file; restore it/,
  ])
  if (process.platform === "win32") return
  await rm(path, { recursive: true })
  await execa("mkfifo", [path])
  t.match((await verifyRun(directory)).problems, [
    /evidence\/a.safetensors: it is not a regular file; restore it/,
  ])
  await t.rejects(async () => (await readRun(directory)).readEvidence("a"), {
    name: "RunError",
    message: /not a regular file/,
  })
})

test("a damaged line hides no run, and a damaged manifest is named", async (t) => {
  const root = await temporary(t)
  const directory = await finished(root)
  const events = join(directory, "events.ndjson")
  const lines = (await readFile(events, "utf8")).split("\n")
  lines[1] = `x${lines[1]!.slice(1)}`
  await writeFile(events, lines.join("\n"))
  t.match(await listRuns(root), [{ status: "finished", step: 80, damagedLines: [2] }])
  t.match((await (await readRun(directory)).readEvidence("a")).metadata, {}, "evidence is still verified")
  await writeFile(join(directory, "manifest.json"), "{")
  t.match(await damagedRuns(root), [{ problem: /manifest\.json: it is not JSON/ }])
})
