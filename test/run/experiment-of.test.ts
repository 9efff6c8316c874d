import { readdir } from "node:fs/promises"
import { test } from "tap"
import { readRun } from "../../src/run/directory.js"
import { RunError } from "../../src/run/errors.js"
import { experimentOf } from "../../src/run/experiment-of.js"
import type { Json } from "../../src/run/events.js"
import { loadSpec } from "../../src/spec/spec-file.js"
import { derivedFingerprint } from "./derived-fingerprint.js"

test("every stored run's experiment is decoded and is what its fingerprint says", async (t) => {
  const folder = "docs/results/evidence"
  for (const name of await readdir(folder)) {
    const run = await readRun(`${folder}/${name}`)
    t.equal(
      derivedFingerprint({ ...run.manifest, experiment: experimentOf(run) }),
      run.manifest.fingerprint,
      name,
    )
    t.equal(experimentOf(run), experimentOf(run), "decoded once")
  }
})

const manifestOf = async (change: Readonly<Record<string, unknown>>) => {
  const { experiment } = await loadSpec("specs/mdlm_eos.json", "ci")
  return {
    directory: "runs/x",
    manifest: { version: 1 as const, experiment: { ...experiment, ...change } as unknown as Json },
  }
}

test("a manifest without an experiment is refused with every place and the cure", async (t) => {
  const run = await manifestOf({ id: 7, objective: { kind: "autoregressive", order: 1 } })
  t.throws(() => experimentOf(run), RunError)
  try {
    experimentOf(run)
  } catch (error) {
    const { message, reason } = error as RunError
    t.equal(reason, "damaged")
    t.match(message, /^runs\/x\/manifest\.json: it holds no experiment/)
    t.match(message, /\/experiment\/id/)
    t.match(message, /\/experiment\/objective\/order/)
    t.match(message, /Restore it from a copy of the run, or use the version that wrote it\.$/)
  }
})
