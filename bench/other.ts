/** Measurements that have no PyTorch counterpart: start-up, byte counting, whole profiles. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { EMBEDDED_TOKENIZER } from "../src/data/assets.js"
import { readSentencePiece } from "../src/data/tokenizers/sentencepiece.js"
import { quantile } from "./measure.js"
import { buildByteTable, countBytes } from "../src/metric/bytes/byte-table.js"

export interface Other {
  readonly what: string
  /** Absent where it was not measured; `note` says why. */
  readonly seconds?: number
  readonly target: number
  readonly peakBytes?: number
  readonly peakTarget?: number
  readonly note?: string
}

const bin = fileURLToPath(new URL("../dist/cli/bin.js", import.meta.url))

const timed = (run: () => void, times: number): number => {
  const seconds = Array.from({ length: times }, () => {
    const start = performance.now()
    run()
    return (performance.now() - start) / 1000
  })
  return quantile(seconds, 0.5)
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

const command = (args: readonly string[], target: number): Other => {
  const what = `repro ${args.join(" ")}, with start-up`
  const ends = (): boolean => spawnSync(process.execPath, [bin, ...args], { stdio: "ignore" }).status === 0
  if (!existsSync(bin)) return { what, target, note: "not built: run `npm run build`" }
  if (!ends()) return { what, target, note: "the command failed" }
  return { what, target, seconds: timed(() => void ends(), 9) }
}

/** Runs a profile end to end; peak resident memory where GNU time is installed. */
const profile = (name: "ci" | "laptop", target: number, asked: boolean): Other => {
  const row = { what: `repro run mdlm_eos --profile ${name}`, target, peakTarget: 2e9 }
  if (!asked) return { ...row, note: "run with --profiles" }
  if (!existsSync(bin)) return { ...row, note: "not built: run `npm run build`" }
  const runs = mkdtempSync(join(tmpdir(), "repro-bench-runs-"))
  const peakFile = join(runs, "peak")
  const arguments_ = [bin, "run", "mdlm_eos", "--profile", name, "--runs", runs]
  const time = spawnSync("/usr/bin/time", ["--version"]).status === 0
  const from = performance.now()
  const result = time
    ? spawnSync("/usr/bin/time", ["-f", "%M", "-o", peakFile, process.execPath, ...arguments_], {
        stdio: "ignore",
      })
    : spawnSync(process.execPath, arguments_, { stdio: "ignore" })
  const seconds = (performance.now() - from) / 1000
  const peak = time ? Number(readFileSync(peakFile, "utf8").trim().split("\n").at(-1)) * 1024 : undefined
  rmSync(runs, { recursive: true, force: true })
  if (result.status !== 0) return { ...row, note: `ended with exit code ${String(result.status)}` }
  return peak === undefined ? { ...row, seconds } : { ...row, seconds, peakBytes: peak }
}

export const measureOther = async (profiles: boolean): Promise<readonly Other[]> => [
  command(["--help"], 0.35),
  command(["audit", "mdlm_eos", "--json"], 1.5),
  await byteTable(),
  profile("ci", 20, profiles),
  profile("laptop", 240, profiles),
]
