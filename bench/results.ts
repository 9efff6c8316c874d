/** RESULTS.md from what was measured. A figure that was not measured says so. */
import { bf16Peak, type Versions } from "./machine.js"
import type { Measured, Timing } from "./measure.js"
import { bundleVerdicts, type BundleReport } from "./bundle/report.js"
import { bundleSection } from "./bundle/tables.js"
import { lladaSection, lladaVerdicts, type LladaResults } from "./llada/section.js"
import { insertionSection, insertionVerdicts, type InsertionResults } from "./insertion/section.js"
import type { Other } from "./other.js"
import { table } from "./table.js"
import {
  cpuVerdicts,
  gpuVerdicts,
  ratioOf,
  tokensPerSecond,
  utilisation,
  type Ratio,
  type Verdict,
} from "./targets.js"

/** Stored results of another format are not read. */
export const FORMAT = 2

/** One run of the benchmark on one machine. */
export interface Results {
  readonly format: typeof FORMAT
  readonly date: string
  readonly hardware: string
  readonly gpu?: string
  /** Load average of the minute before. */
  readonly load: number
  readonly versions: Versions
  readonly command: string
  readonly measured: readonly Measured[]
  readonly other: readonly Other[]
}

const gigabytes = (bytes: number | undefined): string =>
  bytes === undefined ? "not measured" : `${(bytes / 1e9).toFixed(2)} GB`

const ratio = (r: Ratio | undefined): string =>
  r === undefined ? "" : `${r.median.toFixed(2)}x (${r.low.toFixed(2)}-${r.high.toFixed(2)})`

const milliseconds = ({ median, low, high }: Timing): string =>
  `${(1000 * median).toFixed(0)} (${(1000 * low).toFixed(0)}-${(1000 * high).toFixed(0)})`

const columns = (ids: readonly string[]): readonly string[] => ids.map((id) => `against ${id}`)

const against = (timings: readonly Timing[], bases: readonly string[]): readonly string[] =>
  bases.filter((id) => timings.some((t) => t.id === id))

const ratios = (timings: readonly Timing[], t: Timing, bases: readonly string[]): readonly string[] =>
  bases.map((id) =>
    id === t.id
      ? "1"
      : ratio(
          ratioOf(
            t,
            timings.find((each) => each.id === id),
          ),
        ),
  )

const shapeSection = (m: Measured, gpu: string | undefined): string => {
  const { shape } = m
  const bases = ["torch eager fp32", "torch compile fp32", "torch compile bf16", "torch published step"]
  const [stepBases, elboBases] = [against(m.steps, bases), against(m.elbo, bases)]
  const share = (t: Timing): string => {
    const value = gpu === undefined ? undefined : utilisation(m, t, gpu)
    return value === undefined ? "peak unknown" : `${(100 * value).toFixed(1)} %`
  }
  return [
    `## ${shape.name}: ${shape.layers} layers, width ${shape.width}, ${shape.heads} heads, ${shape.batch} x ${shape.length} tokens`,
    `${m.masked} of ${shape.batch * shape.length} positions are masked; a program for the whole batch has room for ${m.capacity}. \`tensorflow\` computes a slice of the batch on each core, with room of its own.`,
    ...(m.parity.length === 0
      ? []
      : [
          "### Parity with torch eager fp32: same parameters, batch and masks",
          table(
            [
              "contender",
              "loss",
              "loss differs by",
              "worst gradient differs by",
              "of",
              "compared",
              "ELBO differs by",
            ],
            m.parity.map((p) => [
              p.id,
              p.loss.toFixed(5),
              p.lossDifference.toExponential(1),
              p.worstGradient.toExponential(1),
              `\`${p.worstParameter}\``,
              `${p.parameters} parameters`,
              p.elboDifference?.toExponential(1) ?? "",
            ]),
          ),
        ]),
    "### Train step: forward, backward, clip, AdamW, loss read back",
    table(
      [
        "contender",
        "tokens/s",
        "ms a step",
        "steps",
        gpu === undefined ? "peak memory" : "GPU memory",
        ...(gpu === undefined ? [] : ["model FLOPs utilisation"]),
        ...columns(stepBases),
      ],
      m.steps.map((t) => [
        t.id,
        tokensPerSecond(m, t).toFixed(0),
        milliseconds(t),
        String(t.count),
        gigabytes(t.peakBytes),
        ...(gpu === undefined ? [] : [share(t)]),
        ...ratios(m.steps, t, stepBases),
      ]),
    ),
    ...(m.products === undefined
      ? []
      : [
          `The step's matrix products alone, without repeating any, each by PyTorch in fp32 with its operands in place: ${(1000 * m.products.seconds).toFixed(0)} ms for ${(m.products.flops / 1e9).toFixed(1)} GFLOP (${(m.products.flops / 1e9 / m.products.seconds).toFixed(0)} GFLOP/s).`,
        ]),
    ...(m.elbo.length === 0
      ? []
      : [
          `### ELBO evaluation, T = ${m.elboSteps}`,
          table(
            ["contender", "windows/minute", "ms a window", ...columns(elboBases)],
            m.elbo.map((t) => [
              t.id,
              (60 / t.median).toFixed(0),
              milliseconds(t),
              ...ratios(m.elbo, t, elboBases),
            ]),
          ),
        ]),
    ...m.failures.map((f) => `Not measured: ${f.id} (${f.why.split("\n")[0]}).`),
  ].join("\n\n")
}

const peakOf = (gpu: string): string => {
  const peak = bf16Peak(gpu)
  return peak === undefined ? "unknown" : `${peak.flops / 1e12} TFLOP/s (${peak.source})`
}

const about = (r: Results): string =>
  table(
    ["", ""],
    [
      ["command", `\`${r.command}\``],
      ["date", r.date],
      ["hardware", r.hardware],
      ...(r.gpu === undefined
        ? []
        : [
            ["GPU", r.gpu],
            ["its dense bf16 peak", peakOf(r.gpu)],
          ]),
      ["load before the start", r.load.toFixed(1)],
      ["Node, onnxruntime-node", `${r.versions.node}, ${r.versions.onnxruntime ?? "not installed"}`],
      ["PyTorch", r.versions.torch ?? "not installed"],
      ["TensorFlow", r.versions.tensorflow ?? "not installed"],
      ["commit", r.versions.commit ?? "unknown"],
    ],
  )

const verdictTable = (verdicts: readonly Verdict[]): string =>
  table(
    ["what", "measured as", "target", "result", "", ""],
    verdicts.map((v) => [
      v.what,
      v.measuredAs,
      v.target,
      v.result,
      v.met === undefined ? "" : v.met ? "met" : "**missed**",
      v.remark,
    ]),
  )

const METHOD = [
  "The reference is `bench/reference/mdlm_torch.py`: the step and the bound of parameter-golf PR #1241 in ordinary PyTorch, with full logits at every position and one window at a time; `compile` compiles loss and network as one. Ours is the traced graph as `repro run` uses it: head and cross-entropy at masked positions only, windows batched.",
  "Every contender is a process of its own with all cores; blocks of steps take turns, A B C A B C. Times are medians with quartiles, memory is the largest resident set. A ratio is the median over rounds of (their time / our time), with the lowest and the highest round; above 1, the row is faster than the column; it is left out where the two did not take turns (the paper shape is measured in two groups, so that memory suffices). Loading, tracing and compiling are not timed on any side.",
]

const GPU_METHOD =
  "At the published batch the contenders share the GPU and take turns; at twice, four times, ... that batch each has it to itself, until ours runs out of memory. Utilisation is the FLOPs of the published network's products, head at every position, by the peak; ours computes about 1 % fewer, because it leaves out the head at visible positions."

const NO_GPU =
  "Not measured: no GPU was at hand. Where one is, `npm run bench -- --gpu` measures the published step (eager, bf16 parameters) against the `torch` executor. Where Node is not, `npm run bench -- --gpu-bundle DIR` prepares the measurement; see README.md."

/** What a bundle measured, and what explains it. */
export interface Bundled {
  readonly report: BundleReport
  readonly why: string | undefined
}

/**
 * @param why the text of NOTES.md: what explains a missed target
 * @param bundled what bundles measured, the latest first
 * @param insertion FlexMDM on a CPU, with what explains its missed targets
 * @param llada LLaDA on a CPU, likewise
 */
export const resultsMarkdown = (
  cpu: Results | undefined,
  gpu: Results | undefined,
  why: string | undefined,
  bundled: readonly Bundled[] = [],
  insertion?: { readonly results: InsertionResults; readonly why: string | undefined },
  llada?: { readonly results: LladaResults; readonly why: string | undefined },
): string => {
  const verdicts = [
    ...cpuVerdicts(cpu?.measured ?? [], cpu?.other ?? []),
    ...insertionVerdicts(insertion?.results.measured ?? []),
    ...lladaVerdicts(llada?.results.measured),
    ...(gpu === undefined && bundled.length > 0 ? [] : gpuVerdicts(gpu?.measured ?? [], gpu?.gpu)),
    ...bundleVerdicts(bundled.map(({ report }) => report)),
  ]
  return `${[
    "# Benchmark results",
    "Made by `npm run bench`; edit nothing by hand.",
    ...(cpu === undefined ? ["Two-core rows: not measured."] : [about(cpu)]),
    ...METHOD,
    "## Targets",
    verdictTable(verdicts),
    ...(why === undefined ? [] : [why.trim()]),
    ...(cpu?.measured ?? []).map((m) => shapeSection(m, undefined)),
    ...(insertion === undefined ? [] : [insertionSection(insertion.results, insertion.why)]),
    ...(llada === undefined ? [] : [lladaSection(llada.results, llada.why)]),
    "# GPU",
    ...(gpu === undefined
      ? bundled.length === 0
        ? [NO_GPU]
        : []
      : [about(gpu), GPU_METHOD, ...gpu.measured.map((m) => shapeSection(m, gpu.gpu))]),
    ...bundled.map((each) => bundleSection(each.report, each.why)),
  ].join("\n\n")}\n`
}
