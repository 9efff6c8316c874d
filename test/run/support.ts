/** Shared by the tests of src/run: a manifest's input and a folder that goes away. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ManifestInput } from "../../src/run/manifest.js"

export const input: ManifestInput = {
  spec: "mdlm_eos",
  profile: "ci",
  fingerprint: "repro-1:0123456789abcdef",
  specText: '{ "id": "mdlm_eos" }\n',
  experiment: { id: "mdlm_eos" },
  plan: { steps: 3 },
  differences: [{ pointer: "/data/corpus/kind", paper: "parameter-golf", profile: "speeches" }],
  provenance: {
    repro: "0.1.0",
    spec: { file: "mdlm_eos.json", commit: null, modified: null },
    node: "v20.20.2",
    os: { platform: "linux", release: "6", arch: "x64" },
    cpu: { model: "test", cores: 2 },
    memoryBytes: 1 << 30,
    executor: { name: "tfjs", version: "4.22.0", precision: "fp32", device: "cpu", threads: 0 },
    collected: "2026-01-31T14:25:30.000Z",
  },
}

/** A clock that starts at 2026-01-31T14:25:30Z and moves one second at each reading. */
export const clock = (): (() => Date) => {
  let seconds = Date.UTC(2026, 0, 31, 14, 25, 30) / 1000
  return () => new Date(seconds++ * 1000)
}

export const temporary = async (t: { teardown: (f: () => unknown) => void }): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "repro-run-"))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A checkpoint whose every element equals its step, so a mixture of two would show. */
export const tensorsOf = (step: number) => ({
  a: { dtype: "F32" as const, shape: [64, 256], data: new Float32Array(64 * 256).fill(step) },
  b: { dtype: "I32" as const, shape: [5], data: new Int32Array(5).fill(step) },
})
