/** A spec that trains in seconds, and the program as a process of its own. */
import { spawn } from "node:child_process"
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { nodeArguments } from "../../scripts/node-arguments.js"
import { writeShard } from "../../src/data/rows/shards.js"
import { mergePatch } from "../../src/spec/merge-patch.js"
import { syntheticTokens } from "../train/tiny.js"

export const root = fileURLToPath(new URL("../..", import.meta.url))

/** Node's arguments that start the program. */
export const program = nodeArguments("src/cli/bin.ts")

interface Published {
  readonly data: { readonly tokenizer: object; readonly batching: object }
  readonly model: object
  readonly training: { readonly schedule: object }
  readonly evaluations: readonly object[]
}

/**
 * The published spec cut down to a network of 16 and shards of random tokens, in a folder of its own, with `change` as a
 * merge patch on it.
 */
export const smallSpec = async (
  steps: number,
  change: object = {},
): Promise<{ readonly folder: string; readonly spec: string }> => {
  const folder = await mkdtemp(join(tmpdir(), "repro-run-"))
  const shard = async (name: string, salt: number, count: number): Promise<string> => {
    await writeShard(join(folder, name), syntheticTokens(count, salt))
    return `file:${join(folder, name)}`
  }
  const published = JSON.parse(await readFile(join(root, "specs/mdlm_eos.json"), "utf8")) as Record<
    string,
    never
  >
  const { data, model, training, evaluations } = published as unknown as Published
  const spec = {
    ...published,
    id: "small",
    claims: [],
    data: {
      ...data,
      corpus: {
        kind: "files",
        train: [await shard("train_0.bin", 1, 3000), await shard("train_1.bin", 2, 3000)],
        validation: [await shard("val.bin", 3, 1500)],
      },
      tokenizer: { ...data.tokenizer, model: "embedded" },
      batching: { ...data.batching, length: 32 },
    },
    model: { ...model, layers: 1, width: 16, heads: 2 },
    training: {
      ...training,
      stepsPerGroup: steps,
      microBatch: 4,
      accumulation: 1,
      checkpointEvery: 10,
      schedule: { ...training.schedule, warmup: 5, warmdown: 10 },
    },
    evaluations: [
      {
        ...evaluations[0],
        windows: { length: 32, count: 8, alignment: "raw-stream" },
        steps: 8,
      },
    ],
    execution: { engine: "onnxruntime", device: "cpu", precision: "fp32", threads: 1 },
    profiles: {},
  }
  const path = join(folder, "small.json")
  await writeFile(path, JSON.stringify(mergePatch(spec, change)))
  return { folder, spec: path }
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the program; `interrupt` sends a signal some time after training has begun. */
export const repro = (
  args: readonly string[],
  interrupt?: { readonly signal: NodeJS.Signals; readonly afterMs: number },
): Promise<Ended> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [...program, ...args], {
      cwd: root,
      env: { ...process.env, NO_COLOR: "1" },
    })
    let [stdout, stderr] = ["", ""]
    let sent = false
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString()
      if (interrupt !== undefined && !sent && stderr.includes("training")) {
        sent = true
        setTimeout(() => child.kill(interrupt.signal), interrupt.afterMs)
      }
    })
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }))
  })

export const runFolder = async (runs: string): Promise<string> =>
  join(
    runs,
    (await readdir(runs)).find((name) => /^\d{8}T/.test(name))!,
  )
