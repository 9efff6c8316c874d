/** Whether memory grows with the steps, shards or evaluations of a run: the most that is resident, of one and ten times as many. */
import { spawn } from "node:child_process"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { writeShard } from "../../src/data/rows/shards.js"
import { smallSpec } from "../../test/cli/small.js"
import { syntheticTokens } from "../../test/train/tiny.js"
import type { Figures, Part } from "./figures.js"
import { PROGRAM } from "./program.js"

/** What of one that is not flat: a tenfold that holds everything holds more than this, here. */
const ALLOWED_MEBIBYTES = 32
const POLL_MS = 20

/** The most that was resident at once, in MiB, by the system's own high-water mark. */
const highest = async (args: readonly string[]): Promise<number> => {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ["ignore", "ignore", "pipe"] })
  let kibibytes = 0
  let said = ""
  child.stderr.on("data", (part: Buffer) => (said += part.toString()))
  const poll = setInterval(() => {
    void readFile(`/proc/${child.pid}/status`, "utf8").then(
      (text) => (kibibytes = Math.max(kibibytes, Number(/^VmHWM:\s+(\d+)/m.exec(text)?.[1] ?? 0))),
      () => undefined,
    )
  }, POLL_MS)
  const code = await new Promise((resolve) => child.on("close", resolve))
  clearInterval(poll)
  if (code !== 0 || kibibytes === 0) throw new Error(`${args.join(" ")} ended with ${String(code)}: ${said}`)
  return Math.round(kibibytes / 1024)
}

/** 2 MiB of it. */
const SHARD_TOKENS = 1 << 20

const specsOf: Readonly<Record<string, (times: number) => Promise<string>>> = {
  steps: async (times) => (await smallSpec(150 * times, { training: { checkpointEvery: 1000 } })).spec,
  shards: async (times) => {
    const { folder } = await smallSpec(20)
    const tokens = Array.from({ length: SHARD_TOKENS / (1 << 12) }, () => [...syntheticTokens(1 << 12, 7)])
    const train: string[] = []
    for (let i = 0; i < 3 * times; i++) {
      const path = join(folder, `large_${i}.bin`)
      await writeShard(path, Uint16Array.from(tokens.flat()))
      train.push(`file:${path}`)
    }
    return (await smallSpec(30, { data: { corpus: { train } } })).spec
  },
  evaluations: async (times) => {
    const { spec } = await smallSpec(20)
    const { evaluations } = JSON.parse(await readFile(spec, "utf8")) as { evaluations: readonly object[] }
    const many = Array.from({ length: 2 * times }, (_, i) => ({
      ...evaluations[0],
      id: `evaluation-${i}`,
      seed: i,
    }))
    return (await smallSpec(20, { evaluations: many })).spec
  },
}

export const remembering = async (root: string, figures: Figures): Promise<Part> => ({
  name: "memory",
  step: async () => {
    for (const [what, make] of Object.entries(specsOf)) {
      const mebibytes: number[] = []
      for (const times of [1, 10])
        mebibytes.push(
          await highest(["run", await make(times), "--runs", join(root, `memory-${what}-${times}`)]),
        )
      const [one, ten] = mebibytes as [number, number]
      figures.most(`MiB at most, ${what}`, one)
      figures.most(`MiB at most, ten times the ${what}`, ten)
      if (ten > one + ALLOWED_MEBIBYTES)
        figures.fail(`ten times the ${what} took ${ten} MiB where one took ${one}`)
    }
  },
})
