/**
 * `npm run bench`: ours against PyTorch, parity first, then speed; writes RESULTS.md and results.json.
 *
 * --profiles   also the ci and laptop profiles end to end
 * --gpu        the published step against the torch executor on a GPU; writes results-gpu.json instead
 * --cpu-smoke  with --gpu: the same on this machine's CPU with a tiny network, nothing is written
 * --quick      a few steps of the small shape: a smoke test, nothing is written
 * --shape S    one CPU shape only, nothing is written
 * --only A,B   contenders whose names contain A or B, nothing is written
 * --commands   start-up, byte table and profiles again, beside the stored training steps
 * --render     RESULTS.md again, from the stored results and NOTES.md
 * --flexmdm    FlexMDM's train step and samplers against the published ones, beside what is stored; with --shape one of
 *              small, OWT; --threads N, --rounds N; --only A,B: contenders, "steps" and "sampling" whose names contain A or
 *              B, beside what is stored of the shape; --quick is a smoke test that writes nothing
 * --llada      LLaDA's tuning step with adapters and its sampler against the published ones, beside what is stored; with
 *              --shape one of laptop, small; --threads N, --rounds N;
 *              --quick is a smoke test that writes nothing
 * --left-to-right  speed of the exact evaluators; writes LEFT_TO_RIGHT.md alone
 * --gpu-bundle D  a folder that measures a GPU without Node (README.md); with --quick its small jobs alone
 * --gpu-results F G ...  keeps what measure.py of a bundle wrote, runs of one machine as one, in bench/gpu, and renders
 * --coverage   whether intervals cover, by simulation; writes COVERAGE.md alone
 *
 * Ends with 1 when an fp32 executor and PyTorch disagree, or one of them could not be compared.
 */
import { spawnSync } from "node:child_process"
import { mkdir, readdir, readFile } from "node:fs/promises"
import { availableParallelism, loadavg } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as prettier from "prettier"
import { writeFileAtomic } from "../src/files/atomic.js"
import { mergeReports, readReport, reportFile } from "./bundle/report.js"
import { GPU_SIDES, searchBatches } from "./gpu.js"
import { SMALL, SHAPES as INSERTION_SHAPES, TINY } from "./insertion/job.js"
import { measureInsertion, mergeMeasured, type InsertionPlan } from "./insertion/measure.js"
import { INSERTION_FORMAT, type InsertionResults } from "./insertion/section.js"
import { LLADA_SHAPES, LLADA_SMALL, LLADA_TINY } from "./llada/job.js"
import { measureLlada } from "./llada/measure.js"
import { LLADA_FORMAT, type LladaResults } from "./llada/section.js"
import { commit, gpuName, hardware, versions } from "./machine.js"
import { measure, REFERENCE, type Measured, type Plan, type Side } from "./measure.js"
import { measureOther } from "./other.js"
import { FORMAT, resultsMarkdown, type Bundled, type Results } from "./results.js"
import { CPU_SHAPES, PUBLISHED_BATCH, smokeShape } from "./shapes.js"
import { disagreements, PUBLISHED } from "./targets.js"
import { engineName, torchName } from "./turns.js"

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    profiles: { type: "boolean", default: false },
    gpu: { type: "boolean", default: false },
    "cpu-smoke": { type: "boolean", default: false },
    shape: { type: "string" },
    only: { type: "string" },
    commands: { type: "boolean", default: false },
    render: { type: "boolean", default: false },
    coverage: { type: "boolean", default: false },
    "gpu-bundle": { type: "string" },
    "gpu-results": { type: "boolean", default: false },
    "left-to-right": { type: "boolean", default: false },
    flexmdm: { type: "boolean", default: false },
    llada: { type: "boolean", default: false },
    threads: { type: "string" },
    rounds: { type: "string" },
  },
})

const say = (line: string): void => void process.stderr.write(`${line}\n`)

const CPU_SIDES: readonly Side[] = [
  { id: "onnxruntime fp32", ours: { engine: "onnxruntime", precision: "fp32" } },
  REFERENCE,
  { id: "tensorflow fp32", ours: { engine: "tensorflow", precision: "fp32" } },
  { id: "torch compile fp32", mode: "compile" },
  { id: "tensorflow bf16", ours: { engine: "tensorflow", precision: "bf16" } },
  { id: "torch compile bf16", mode: "compile-bf16" },
]
/** Measured when `--only` asks for it. */
const MORE_SIDES: readonly Side[] = [
  { id: "torch executor fp32", ours: { engine: "torch", precision: "fp32" } },
  { id: "torch eager bf16", mode: "eager-bf16" },
  { id: PUBLISHED, mode: "published" },
]
const CPU_FILE = "results.json"
const GPU_FILE = "results-gpu.json"
const INSERTION_FILE = "results-flexmdm.json"
const LLADA_FILE = "results-llada.json"
const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const stored = async (name: string): Promise<Results | undefined> => {
  const kept = await readText(name)
  if (kept === undefined) return undefined
  const found = JSON.parse(kept) as Partial<Results>
  if (found.format === FORMAT) return found as Results
  throw new Error(`bench/${name} is of an earlier benchmark: measure it again, or delete it`)
}
const readText = (name: string): Promise<string | undefined> =>
  readFile(path(name), "utf8").catch(() => undefined)
const when = ({ report }: Bundled): string => report.ended ?? report.date
/** What bundles measured, the latest first; `X.md` beside `X.json` explains it. */
const bundled = async (): Promise<readonly Bundled[]> => {
  const names = (await readdir(path("gpu")).catch(() => [])).filter((name) => name.endsWith(".json"))
  const reports = await Promise.all(
    names.map(async (name) => ({
      report: readReport(`bench/gpu/${name}`, (await readText(`gpu/${name}`)) ?? ""),
      why: await readText(`gpu/${name.replace(/json$/, "md")}`),
    })),
  )
  return reports.sort((a, b) => (when(a) < when(b) ? 1 : -1))
}
const storedAs = async <A extends { readonly format: number }>(
  name: string,
  format: A["format"],
): Promise<A | undefined> => {
  const kept = await readText(name)
  if (kept === undefined) return undefined
  const found = JSON.parse(kept) as A
  if (found.format === format) return found
  throw new Error(`bench/${name} is of an earlier benchmark: measure it again, or delete it`)
}
const storedInsertion = () => storedAs<InsertionResults>(INSERTION_FILE, INSERTION_FORMAT)
const render = async (onCpu: Results | undefined, onGpu: Results | undefined): Promise<string> => {
  const insertion = await storedInsertion()
  const llada = await storedAs<LladaResults>(LLADA_FILE, LLADA_FORMAT)
  return resultsMarkdown(
    onCpu,
    onGpu,
    await readText("NOTES.md"),
    await bundled(),
    insertion === undefined ? undefined : { results: insertion, why: await readText("NOTES-FLEXMDM.md") },
    llada === undefined ? undefined : { results: llada, why: await readText("NOTES-LLADA.md") },
  )
}

/** RESULTS.md from what is stored. */
const renderStored = async (): Promise<string> => {
  const page = await render(await stored(CPU_FILE), await stored(GPU_FILE))
  await writeFileAtomic(path("RESULTS.md"), page)
  return page
}
if (flags.render) {
  await renderStored()
  process.exit(0)
}
const store = async (name: string, results: object): Promise<void> => {
  const style = await prettier.resolveConfig(path(name))
  await writeFileAtomic(
    path(name),
    await prettier.format(JSON.stringify(results), { ...style, parser: "json" }),
  )
}
if (positionals.length > 0 && !flags["gpu-results"]) {
  say(`${positionals.join(" ")}: only --gpu-results takes files`)
  process.exit(2)
}
if (flags["gpu-results"]) {
  try {
    const report = mergeReports(
      await Promise.all(
        positionals.map(async (file) =>
          readReport(
            file,
            await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
              throw new Error(`${file} could not be read (${cause.code})`, { cause })
            }),
          ),
        ),
      ),
    )
    await mkdir(path("gpu"), { recursive: true })
    await store(`gpu/${reportFile(report)}`, report)
    await renderStored()
    say(`bench/gpu/${reportFile(report)} is kept, and RESULTS.md is written`)
    process.exit(0)
  } catch (error) {
    say((error as Error).message)
    process.exit(2)
  }
}
/** The commands are measured as built; what stands in `dist` may be older than the sources. */
const build = (): void => {
  const { status } = spawnSync("npm", ["run", "-s", "prepare"], { stdio: ["ignore", "ignore", "inherit"] })
  if (status !== 0) throw new Error("the sources do not build: see above")
}
if (flags.commands) {
  const known = await stored(CPU_FILE)
  if (known === undefined) throw new Error("nothing is stored: run `npm run bench` first")
  build()
  await store(CPU_FILE, { ...known, other: await measureOther(true) })
  process.stdout.write(await renderStored())
  process.exit(0)
}

if (flags["gpu-bundle"] !== undefined) {
  const { writeBundle } = await import("./bundle/write.js")
  const bytes = await writeBundle(flags["gpu-bundle"], { tiny: flags.quick, say })
  say(`${flags["gpu-bundle"]}: ${(bytes / 2 ** 20).toFixed(1)} MiB`)
  process.exit(0)
}

if (flags.flexmdm) {
  const shape = flags.quick
    ? TINY
    : flags.shape === undefined
      ? SMALL
      : INSERTION_SHAPES.find(({ name }) => name === flags.shape)
  if (shape === undefined) {
    say(`--shape ${flags.shape}: expected ${INSERTION_SHAPES.map(({ name }) => name).join(", ")}`)
    process.exit(2)
  }
  const threads = Number(flags.threads ?? availableParallelism())
  if (!Number.isSafeInteger(threads) || threads < 1) {
    say(`--threads ${flags.threads}: expected a whole number of at least 1`)
    process.exit(2)
  }
  const small = shape === SMALL
  const asked = (name: string): boolean => flags.only?.split(",").some((part) => name.includes(part)) ?? true
  const rounds = Number(flags.rounds ?? (small ? 3 : 2))
  if (!Number.isSafeInteger(rounds) || rounds < 0) {
    say(`--rounds ${flags.rounds}: expected a whole number`)
    process.exit(2)
  }
  const sampling = asked("sampling")
  const plan: InsertionPlan = {
    rounds: asked("steps") ? rounds : 0,
    stepsPerRound: small ? 2 : 1,
    threads,
    modes: (small ? (["eager", "compile"] as const) : (["eager"] as const)).filter((mode) =>
      asked(torchName(mode)),
    ),
    engines: (["onnxruntime", "tensorflow"] as const).filter((engine) => asked(engineName(engine))),
    ...(small && sampling
      ? { sampling: { rounds: Math.max(1, Math.min(2, rounds)), texts: 4, steps: 256, counted: 4 } }
      : flags.quick
        ? { sampling: { rounds: 1, texts: 2, steps: 32, counted: 2 } }
        : {}),
  }
  const before = loadavg()[0]!
  const found = await measureInsertion(shape, plan, say)
  const kept = flags.quick ? undefined : await storedInsertion()
  const insertion: InsertionResults = {
    format: INSERTION_FORMAT,
    date: new Date().toISOString().slice(0, 10),
    hardware: hardware(),
    load: before,
    commit: commit(),
    command: ["npm run bench --", ...process.argv.slice(2)].join(" "),
    measured: mergeMeasured(kept?.measured ?? [], found),
  }
  if (flags.quick) process.stdout.write(`${JSON.stringify(insertion)}\n`)
  else {
    await store(INSERTION_FILE, insertion)
    process.stdout.write(await renderStored())
  }
  process.exit(found.failures.length === 0 ? 0 : 1)
}

if (flags.llada) {
  const [threads, rounds] = [Number(flags.threads ?? 1), Number(flags.rounds ?? 5)]
  for (const [name, value] of Object.entries({ threads, rounds }))
    if (!Number.isSafeInteger(value) || value < 1) {
      say(`--${name}: expected a whole number of at least 1`)
      process.exit(2)
    }
  const shape = LLADA_SHAPES.find(({ name }) => name === (flags.shape ?? LLADA_SMALL.name))
  if (shape === undefined) {
    say(`--shape ${flags.shape}: expected ${LLADA_SHAPES.map(({ name }) => name).join(", ")}`)
    process.exit(2)
  }
  const before = loadavg()[0]!
  const measured = await measureLlada(
    flags.quick ? LLADA_TINY : shape,
    {
      rounds: flags.quick ? 1 : rounds,
      stepsPerRound: flags.quick ? 1 : 4,
      threads,
      modes: flags.quick ? ["eager"] : ["eager", "compile"],
      engines: ["onnxruntime", "tensorflow"],
      texts: flags.quick ? 2 : 8,
    },
    say,
  )
  const llada: LladaResults = {
    format: LLADA_FORMAT,
    date: new Date().toISOString().slice(0, 10),
    hardware: hardware(),
    load: before,
    commit: commit(),
    command: ["npm run bench --", ...process.argv.slice(2)].join(" "),
    measured: [
      ...(
        (flags.quick ? undefined : await storedAs<LladaResults>(LLADA_FILE, LLADA_FORMAT))?.measured ?? []
      ).filter(({ shape: { name } }) => name !== measured.shape.name),
      measured,
    ],
  }
  if (flags.quick) process.stdout.write(`${JSON.stringify(llada)}\n`)
  else {
    await store(LLADA_FILE, llada)
    process.stdout.write(await renderStored())
  }
  process.exit(measured.failures.length === 0 ? 0 : 1)
}

/** A page of its own, formatted, written and shown. */
const page = async (name: string, markdown: string): Promise<never> => {
  const style = await prettier.resolveConfig(path(name))
  const text = await prettier.format(markdown, { ...style, parser: "markdown" })
  await writeFileAtomic(path(name), text)
  process.stdout.write(text)
  process.exit(0)
}
if (flags.coverage) {
  const { coverage, coverageMarkdown } = await import("./coverage.js")
  await page("COVERAGE.md", coverageMarkdown(await coverage()))
}
if (flags["left-to-right"]) {
  const { exactMarkdown, measureExact } = await import("./left-to-right.js")
  const before = loadavg()[0]!
  const rows = await measureExact({ say, rounds: flags.quick ? 1 : 5 })
  const about = {
    date: new Date().toISOString().slice(0, 10),
    hardware: hardware(),
    engine: "onnxruntime",
    load: before,
  }
  if (flags.quick) process.stdout.write(exactMarkdown(rows, about))
  else await page("LEFT_TO_RIGHT.md", exactMarkdown(rows, about))
  process.exit(0)
}

const smoke = flags["cpu-smoke"]
if (smoke && !flags.gpu) {
  say("--cpu-smoke stands in for a GPU: give it with --gpu (a bundle's measure.py has its own)")
  process.exit(2)
}
const gpu = flags.gpu && !smoke ? gpuName() : undefined
if (flags.gpu && gpu === undefined && !smoke) {
  say(
    "GPU rows: not measured (PyTorch sees no GPU on this machine; --cpu-smoke tries the way there on its CPU)",
  )
  process.exit(0)
}

const planOf = (index: number): Plan => {
  const common = { threads: availableParallelism(), device: gpu === undefined ? "cpu" : "gpu" } as const
  if (smoke)
    return {
      ...common,
      threads: 1,
      rounds: 2,
      stepsPerBlock: 1,
      warmup: 1,
      parity: index === 0,
      elboWindows: index === 0 ? 1 : 0,
      elboSteps: 8,
    }
  if (flags.quick)
    return { ...common, rounds: 1, stepsPerBlock: 2, warmup: 1, parity: true, elboWindows: 1, elboSteps: 8 }
  if (flags.gpu)
    return {
      ...common,
      rounds: 5,
      stepsPerBlock: 10,
      warmup: 5,
      parity: index === 0,
      elboWindows: index === 0 ? 2 : 0,
      elboSteps: 128,
    }
  return index === 0
    ? { ...common, rounds: 5, stepsPerBlock: 8, warmup: 4, parity: true, elboWindows: 2, elboSteps: 128 }
    : { ...common, rounds: 3, stepsPerBlock: 2, warmup: 2, parity: true, elboWindows: 0, elboSteps: 128 }
}

/** Runnable processes, averaged over a minute, above which a measurement cannot be trusted. */
const BUSY = 0.5

const bf16 = (side: Side): boolean => side.id.endsWith("bf16")

/** The paper shape takes gigabytes a contender, so it is measured in two groups. */
const groupsOf = (index: number, all: readonly Side[]): readonly (readonly Side[])[] => {
  if (index === 0) return [all]
  return [all.filter((side) => !bf16(side)), all.filter(bf16)].filter((group) => group.length > 0)
}

const partial = smoke || flags.quick || flags.shape !== undefined || flags.only !== undefined
const names = flags.only?.split(",")
const sides = (flags.gpu ? GPU_SIDES : [...CPU_SIDES, ...(names === undefined ? [] : MORE_SIDES)]).filter(
  (side) =>
    (!smoke || side.mode !== "compile-bf16") && // Inductor takes half a minute
    (names?.some((name) => side.id.includes(name)) ??
      (!flags.quick || flags.gpu || side.ours?.precision === "fp32" || side === REFERENCE)),
)
if (!partial) await stored(flags.gpu ? CPU_FILE : GPU_FILE) // fails now rather than after the measurement
const load = loadavg()[0]!
if (load > BUSY) say(`the machine is busy (load ${load.toFixed(1)}): the figures will not be reproducible`)
const measureCpu = async (): Promise<readonly Measured[]> => {
  const all: Measured[] = []
  for (const [index, shape] of CPU_SHAPES.entries()) {
    if (flags.shape === undefined ? flags.quick && index > 0 : flags.shape !== shape.name) continue
    all.push(await measure(shape, groupsOf(index, sides), planOf(index), say))
  }
  return all
}
const measureGpu = (): Promise<readonly Measured[]> =>
  searchBatches(
    sides,
    (shape, groups, first) => measure(shape, groups, planOf(first ? 0 : 1), say),
    smoke ? 2 * PUBLISHED_BATCH : flags.quick ? PUBLISHED_BATCH : undefined,
    smoke ? smokeShape : undefined,
  )
if (!flags.gpu && !partial) build()
const measured = await (flags.gpu ? measureGpu() : measureCpu())
if (!flags.gpu) say("start-up, byte table, profiles")
const results: Results = {
  format: FORMAT,
  date: new Date().toISOString().slice(0, 10),
  hardware: hardware(),
  ...(gpu === undefined ? {} : { gpu }),
  load,
  versions: versions(),
  command: ["npm run bench", ...(process.argv.length > 2 ? ["--", ...process.argv.slice(2)] : [])].join(" "),
  measured,
  other: flags.gpu ? [] : await measureOther(flags.profiles),
}

if (partial)
  process.stdout.write(await render(flags.gpu ? undefined : results, flags.gpu ? results : undefined))
else {
  await store(flags.gpu ? GPU_FILE : CPU_FILE, results)
  process.stdout.write(await renderStored())
}

const apart = disagreements(
  measured,
  sides.filter(({ ours }) => ours?.precision === "fp32").map(({ id }) => id),
)
for (const line of apart) say(line)
process.exit(apart.length === 0 ? 0 : 1)
