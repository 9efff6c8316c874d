import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test, type Test } from "tap"
import { locateSpec } from "../../src/app/locate.js"
import { adviceFor, resumeCommand } from "../../src/app/resume-advice.js"
import { createRun, type Run } from "../../src/run/directory.js"
import type { ManifestInput } from "../../src/run/manifest.js"
import { cellSpecs } from "../../src/spec/cell-spec.js"
import { loadSpec, type Profile } from "../../src/spec/spec-file.js"
import { input } from "../run/support.js"
import { smallSpec } from "./small.js"

const begin = async (t: Test, over: Partial<ManifestInput>): Promise<{ run: Run; root: string }> => {
  const root = await mkdtemp(join(tmpdir(), "repro-advice-"))
  t.teardown(() => rm(root, { recursive: true, force: true }))
  return { root, run: await createRun(root, { ...input, differences: [], ...over }) }
}

/** A run of a spec that comes with the program, stopped. */
const stopped = async (t: Test, name: string, profile: Profile) => {
  const { fingerprint } = await loadSpec(await locateSpec(name), profile)
  const { run, root } = await begin(t, { spec: name, profile, fingerprint })
  await run.close()
  return { run, root, id: run.manifest.id }
}

void test("the whole command is given: spec, profile, run and the folder of the runs", async (t) => {
  const { run, root, id } = await stopped(t, "ar_matched", "ci")
  t.equal(
    await adviceFor(run),
    `finish it with "repro run ar_matched --profile ci --resume ${id} --runs ${root}"`,
    "found by its fingerprint, whatever the file of the spec was called",
  )
  t.equal(resumeCommand("x", "ci", "y", "runs"), "repro run x --profile ci --resume y")
})

void test("a run in progress is left to its process", async (t) => {
  const { run } = await begin(t, {})
  t.match(await adviceFor(run), new RegExp(`^it is in progress \\(process ${process.pid} on .*wait until`))
  await run.close()
  t.match(await adviceFor(run), /^finish it with "repro run SPEC /, "its lock is free")
})

void test("a cell of a sweep is finished by the sweep", async (t) => {
  const file = await locateSpec("ablation_heads")
  const [cell] = cellSpecs(await loadSpec(file, "ci"))
  const { run, root } = await begin(t, { profile: "ci", fingerprint: cell!.spec.fingerprint })
  await run.close()
  t.equal(
    await adviceFor(run),
    `finish it with "repro sweep ablation_heads --profile ci --only ${cell!.cell.name} --runs ${root}"`,
  )
})

void test("a spec that is not found is named; scored weights are measured again", async (t) => {
  const { folder, spec } = await smallSpec(20)
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const { fingerprint } = await loadSpec(spec, "paper")
  const spot = { ...input.provenance, spec: { ...input.provenance.spec, file: "small.json" } }
  const { run } = await begin(t, { profile: "paper", fingerprint, provenance: spot })
  await run.close()
  t.match(await adviceFor(run), /"repro run SPEC --profile paper .*", where SPEC is the file small\.json/)
  const weights = { pointer: "/training/weights", paper: "trained as stated", profile: "x.pt" }
  const scored = await begin(t, { profile: "paper", fingerprint, differences: [weights] })
  await scored.run.close()
  t.match(await adviceFor(scored.run), /measure that again with "repro eval"/)
})
