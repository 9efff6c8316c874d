/** Measurements that have no PyTorch counterpart: start-up, byte counting, whole profiles. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { EMBEDDED_TOKENIZER } from "../src/data/assets.js"
import { readSentencePiece } from "../src/data/sentencepiece.js"
import { buildByteTable, countBytes } from "../src/metric/byte-table.js"

export interface Other {
  readonly what: string
  readonly seconds: number
  readonly target: number
  readonly peakBytes?: number
  readonly note?: string
}

const bin = fileURLToPath(new URL("../dist/cli/bin.js", import.meta.url))

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!

const timed = (run: () => void, times: number): number => {
  const seconds = Array.from({ length: times }, () => {
    const start = performance.now()
    run()
    return (performance.now() - start) / 1000
  })
  return median(seconds)
}

/** Byte counting over as many tokens as the FineWeb validation split has, under a real vocabulary. */
const byteTable = async (): Promise<Other> => {
  const { pieces } = await readSentencePiece(EMBEDDED_TOKENIZER)
  const table = buildByteTable(pieces)
  const tokens = new Uint16Array(62_021_846)
  let state = 1
  for (let i = 0; i < tokens.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    tokens[i] = state % pieces.length
  }
  return {
    what: "byte table over 62 021 846 tokens",
    seconds: timed(() => void countBytes(table, tokens), 5),
    target: 1,
  }
}

const start = (args: readonly string[], what: string, target: number): Other => ({
  what,
  seconds: timed(() => void spawnSync(process.execPath, [bin, ...args], { stdio: "ignore" }), 9),
  target,
})

/** Peak resident memory of a child, where GNU time is installed. */
const profile = (name: "ci" | "laptop", target: number): Other => {
  const runs = mkdtempSync(join(tmpdir(), "repro-bench-runs-"))
  const peakFile = join(runs, "peak")
  const time = spawnSync("/usr/bin/time", ["--version"]).status === 0
  const command = [process.execPath, bin, "run", "mdlm_eos", "--profile", name, "--runs", runs]
  const from = performance.now()
  const result = time
    ? spawnSync("/usr/bin/time", ["-f", "%M", "-o", peakFile, ...command], { stdio: "ignore" })
    : spawnSync(command[0]!, command.slice(1), { stdio: "ignore" })
  const seconds = (performance.now() - from) / 1000
  const peak = time ? Number(readFileSync(peakFile, "utf8").trim().split("\n").at(-1)) * 1024 : undefined
  rmSync(runs, { recursive: true, force: true })
  return {
    what: `repro run mdlm_eos --profile ${name}`,
    seconds,
    target,
    ...(peak === undefined
      ? { note: "peak memory not measured (GNU time is not installed)" }
      : { peakBytes: peak }),
    ...(result.status === 0 ? {} : { note: `ended with exit code ${String(result.status)}` }),
  }
}

export const measureOther = async (profiles: boolean): Promise<readonly Other[]> => [
  start(["--help"], "repro --help", 0.35),
  start(["audit", "mdlm_eos", "--json"], "repro audit mdlm_eos --json (with start-up)", 1.5),
  await byteTable(),
  ...(profiles ? [profile("ci", 20), profile("laptop", 240)] : []),
]
