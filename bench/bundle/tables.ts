/** The GPU's part of RESULTS.md, from what a bundle measured. What was not measured says so. */
import { bf16Peak } from "../machine.js"
import { table } from "../table.js"
import type { BundleReport, BundleResult } from "./report.js"

/** A job's train step. */
interface StepRow {
  readonly secondsPerStep: number
  readonly tokensPerSecond: number
  readonly utilisation?: number
  readonly firstLoss?: number
  readonly memory?: { readonly allocated?: number }
}
interface ParityRow {
  readonly lossDifference: number
  readonly gradients: { readonly worst: number; readonly at: string; readonly parameters: number }
  readonly agrees?: boolean
}
interface Kernel {
  readonly name: string
  readonly millisecondsPerStep: number
  readonly calls: number
}
interface Profile {
  readonly millisecondsPerStep: number
  readonly busyMillisecondsPerStep: number
  readonly kernels: readonly Kernel[]
  /** Where a step made the host wait for the device, in PyTorch's words. */
  readonly waits: readonly string[]
}
interface Found {
  readonly compiled?: string
  readonly jobs?: Readonly<Record<string, ParityRow>>
  readonly rows?: Readonly<
    Record<string, Partial<StepRow> & { readonly failed?: string; readonly skipped?: string }>
  >
  readonly secondsPerUnit?: number
  readonly unit?: string
  readonly memory?: { readonly allocated?: number }
  readonly elbo?: { readonly secondsPerUnit: number; readonly unit: string }
  readonly order?: { readonly secondsPerUnit: number; readonly unit: string }
  readonly digest?: string
  readonly deterministic?: string
  readonly steps?: number
  readonly profiles?: Readonly<Record<string, Profile>>
  /** Why nothing was measured. */
  readonly skipped?: string
}
const foundOf = (result: BundleResult): Found => result.found as Found

const gigabytes = (memory: Found["memory"]): string =>
  memory?.allocated === undefined ? "" : `${(memory.allocated / 1e9).toFixed(1)} GB`

/** Seconds in the unit that leaves them two digits or more. */
const time = (seconds: number): string =>
  seconds >= 1
    ? `${seconds.toFixed(2)} s`
    : seconds >= 1e-3
      ? `${(1e3 * seconds).toFixed(1)} ms`
      : `${(1e6 * seconds).toFixed(0)} µs`

const head = ({ machine, date, commit }: BundleReport): string => {
  const peak = bf16Peak(machine.cards[0] ?? "")
  return table(
    ["", ""],
    [
      [
        "card",
        machine.cards.join(", ") +
          (machine.memory === null ? "" : `, ${(machine.memory / 1e9).toFixed(0)} GB`),
      ],
      [
        "its dense bf16 peak",
        peak === undefined ? "unknown" : `${peak.flops / 1e12} TFLOP/s (${peak.source})`,
      ],
      ["driver, CUDA", `${machine.driver ?? "unknown"}, ${machine.cuda ?? "unknown"}`],
      ["PyTorch, Triton", `${machine.torch}, ${machine.triton ?? "none"}`],
      ["Python, processor cores", `${machine.python}, ${machine.cores ?? "unknown"}`],
      ["date", date],
      ["commit of the bundle", commit ?? "unknown"],
    ],
  )
}

const parity = (results: readonly BundleResult[]): readonly string[] => {
  const rows = results.flatMap((result) =>
    Object.entries(foundOf(result).jobs ?? {}).map(([job, row]) => [
      result.name,
      job,
      row.lossDifference.toExponential(1),
      row.gradients.worst.toExponential(1),
      `\`${row.gradients.at}\``,
      `${row.gradients.parameters} parameters`,
      row.agrees === undefined ? "" : row.agrees ? "agrees" : "**differs**",
    ]),
  )
  if (rows.length === 0) return []
  const columns = [
    "part",
    "job",
    "loss differs by",
    "worst gradient differs by",
    "of",
    "compared",
    "fp32 bounds",
  ]
  return [
    "### Parity with the numbers that the CPU oracle stored",
    table(columns, rows),
    "Differences are relative to the largest expected entry. fp32 is held to 1e-4 of the loss and 1e-3 of every gradient; bf16 rounds operands to 8 significant bits and is held to nothing.",
  ]
}

const steps = (results: readonly BundleResult[]): readonly string[] => {
  const rows = results.flatMap((result) =>
    Object.entries(foundOf(result).rows ?? {}).map(([job, row]) =>
      row.tokensPerSecond === undefined || row.secondsPerStep === undefined
        ? [result.name, job, row.failed ?? row.skipped ?? "not measured", "", "", ""]
        : [
            result.name,
            job,
            row.tokensPerSecond.toFixed(0),
            time(row.secondsPerStep),
            row.utilisation === undefined ? "" : `${(100 * row.utilisation).toFixed(1)} %`,
            gigabytes(row.memory),
          ],
    ),
  )
  if (rows.length === 0) return []
  return [
    "### Train steps: forward, backward, clip, AdamW, loss read back",
    table(["part", "job", "tokens/s", "a step", "model FLOPs utilisation", "memory"], rows),
    "The number at the end of a job's name is its batch, in sequences. Times are medians; compiling is not timed.",
  ]
}

const passes = (results: readonly BundleResult[]): readonly string[] => {
  const rows = results.flatMap((result) => {
    const { elbo, order, secondsPerUnit, unit, memory } = foundOf(result)
    const timed = [
      ...(elbo === undefined ? [] : [elbo]),
      ...(order === undefined ? [] : [order]),
      ...(secondsPerUnit === undefined ? [] : [{ secondsPerUnit, unit: unit ?? "pass" }]),
    ]
    return timed.map((each) => [result.name, time(each.secondsPerUnit), each.unit, gigabytes(memory)])
  })
  if (rows.length === 0) return []
  return ["### Evaluation and sampling", table(["part", "time", "for one", "memory"], rows)]
}

const bits = (results: readonly BundleResult[]): readonly string[] => {
  const runs = results.filter((result) => foundOf(result).digest !== undefined)
  if (runs.length === 0) return []
  const rows = runs.map((result) => {
    const { digest, steps: count, deterministic } = foundOf(result)
    return [result.name, String(count ?? ""), `\`${digest!.slice(0, 16)}\``, deterministic ?? "not said"]
  })
  const columns = ["part", "steps", "SHA-256 of the state begins", "what the worker said of its bits"]
  return ["### The state after some steps, in two processes", table(columns, rows)]
}

/** Kernels listed of a profile. */
const LISTED = 12

const profiles = (results: readonly BundleResult[]): readonly string[] =>
  results.flatMap((result) =>
    Object.entries(foundOf(result).profiles ?? {}).flatMap(([job, profile]) => {
      const { kernels, millisecondsPerStep: wall, busyMillisecondsPerStep: busy, waits } = profile
      const rows = kernels
        .slice(0, LISTED)
        .map(({ name, millisecondsPerStep, calls }) => [
          `\`${name.replaceAll("|", "\\|").slice(0, 72)}\``,
          millisecondsPerStep.toFixed(2),
          `${((100 * millisecondsPerStep) / busy).toFixed(0)} %`,
          calls.toFixed(0),
        ])
      const waited =
        waits.length === 0 ? "Nothing in a step made the host wait for it." : `Waits: ${waits.join("; ")}.`
      return [
        `### Where a step's time goes: ${result.name}, ${job}`,
        `The device was busy for ${busy.toFixed(1)} ms of a step; under the profiler, which slows the host, a step took ${wall.toFixed(1)} ms. ${waited}`,
        table(["kernel", "ms a step", "of the busy time", "calls"], rows),
      ]
    }),
  )

const left = ({ results, notMeasured = [] }: BundleReport): readonly string[] => {
  const lines = [
    ...results
      .filter(({ status }) => status !== "ok")
      .map(({ name, status, errors = [] }) => `- ${name}: ${[status, ...errors.slice(-1)].join(": ")}`),
    ...results.flatMap((result) => {
      const { skipped } = foundOf(result)
      return skipped === undefined ? [] : [`- ${result.name}: ${skipped}`]
    }),
    ...notMeasured.map((name) => `- ${name}: not measured, time ran out first`),
  ]
  return lines.length === 0 ? [] : ["### Not measured, or cut short", lines.join("\n")]
}

/** Markdown of one report, under a heading of its own. @param why what explains it, in Markdown */
export const bundleSection = (report: BundleReport, why: string | undefined): string => {
  const { results, machine, date } = report
  return [
    `## ${machine.cards[0] ?? "GPU"}, ${date}`,
    head(report),
    "Measured by `measure.py` of a bundle (README.md): jobs, published steps in ordinary PyTorch, each part in a process of its own.",
    ...(why === undefined ? [] : [why.trim()]),
    ...steps(results),
    ...passes(results),
    ...parity(results),
    ...bits(results),
    ...profiles(results),
    ...left(report),
  ].join("\n\n")
}
