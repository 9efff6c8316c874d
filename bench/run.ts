/**
 * `npm run bench`: ours against PyTorch, parity first, then speed.
 *
 * --quick: a few steps, nothing written. --profiles: the ci and laptop profiles end to end. --gpu: on a GPU.
 * --shape small|paper: one shape only. --render: RESULTS.md again from results.json.
 */
import { readFile } from "node:fs/promises"
import { parseArgs } from "node:util"
import { availableParallelism } from "node:os"
import { writeFileAtomic } from "../src/data/atomic.js"
import { gpuName, hardware, versions } from "./machine.js"
import { measure, type Measured, type Plan, type Side } from "./measure.js"
import { measureOther } from "./other.js"
import { resultsMarkdown, type Results } from "./results.js"
import { SHAPES } from "./shapes.js"

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    profiles: { type: "boolean", default: false },
    gpu: { type: "boolean", default: false },
    shape: { type: "string" },
    render: { type: "boolean", default: false },
  },
})

const say = (line: string): void => void process.stderr.write(`${line}\n`)

const CPU_SIDES: readonly Side[] = [
  { id: "onnxruntime fp32", ours: { engine: "onnxruntime", precision: "fp32" } },
  { id: "torch eager fp32", mode: "eager" },
  { id: "tensorflow fp32", ours: { engine: "tensorflow", precision: "fp32" } },
  { id: "torch compile fp32", mode: "compile" },
  { id: "tensorflow bf16", ours: { engine: "tensorflow", precision: "bf16" } },
  { id: "torch compile bf16", mode: "compile-bf16" },
]
const GPU_SIDES: readonly Side[] = [
  { id: "torch executor bf16", ours: { engine: "torch", precision: "bf16" } },
  { id: "published step", mode: "published" },
  { id: "torch eager fp32", mode: "eager" },
]

const notes = await readFile(new URL("NOTES.md", import.meta.url), "utf8")
if (flags.render) {
  const stored = JSON.parse(await readFile(new URL("results.json", import.meta.url), "utf8")) as Results
  await writeFileAtomic(new URL("RESULTS.md", import.meta.url).pathname, resultsMarkdown(stored, notes))
  process.exit(0)
}

const gpu = gpuName()
if (flags.gpu && gpu === undefined) {
  say("GPU rows: not measured (PyTorch sees no GPU on this machine)")
  process.exit(0)
}
const plan = (paper: boolean): Plan => ({
  rounds: flags.quick ? 1 : paper ? 3 : 5,
  stepsPerBlock: flags.quick ? 2 : paper ? 2 : 8,
  warmup: flags.quick ? 1 : paper ? 1 : 4,
  elboWindows: paper ? 0 : flags.quick ? 1 : 3,
  elboSteps: flags.quick ? 8 : 128,
  threads: availableParallelism(),
  device: flags.gpu ? "gpu" : "cpu",
})
/** The paper shape takes gigabytes a contender, so it is measured in two groups that fit 16 GB together. */
const groups = (paper: boolean): readonly (readonly Side[])[] => {
  if (flags.gpu) return [GPU_SIDES]
  if (flags.quick) return [CPU_SIDES.slice(0, 3)]
  return paper ? [CPU_SIDES.slice(0, 4), CPU_SIDES.slice(4)] : [CPU_SIDES]
}
const measured: Measured[] = []
for (const name of ["small", "paper"] as const) {
  if (flags.shape !== undefined && flags.shape !== name) continue
  const paper = name === "paper"
  for (const sides of groups(paper)) measured.push(await measure(SHAPES[name], sides, plan(paper), say))
}
say("start-up, byte table, profiles")
const results: Results = {
  date: new Date().toISOString().slice(0, 10),
  hardware: hardware(),
  gpu: flags.gpu ? gpu : undefined,
  versions: versions(),
  command: `npm run bench -- ${process.argv.slice(2).join(" ")}`.replace(/ -- $/, ""),
  measured,
  other: flags.gpu ? [] : await measureOther(flags.profiles),
}
const text = resultsMarkdown(results, notes)
process.stdout.write(text)
if (!flags.quick) {
  const name = flags.gpu ? "-gpu" : ""
  await writeFileAtomic(new URL(`RESULTS${name.toUpperCase()}.md`, import.meta.url).pathname, text)
  await writeFileAtomic(
    new URL(`results${name}.json`, import.meta.url).pathname,
    `${JSON.stringify(results, null, 2)}\n`,
  )
}
