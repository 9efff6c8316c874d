/** RESULTS.md from what was measured. A figure that was not measured says so. */
import type { Measured, Timing } from "./measure.js"
import type { Other } from "./other.js"
import type { Versions } from "./machine.js"

export interface Results {
  readonly date: string
  readonly hardware: string
  readonly gpu: string | undefined
  readonly versions: Versions
  readonly command: string
  readonly measured: readonly Measured[]
  readonly other: readonly Other[]
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [
    `| ${head.join(" | ")} |`,
    `|${head.map(() => "---").join("|")}|`,
    ...rows.map((r) => `| ${r.join(" | ")} |`),
  ].join("\n")

const find = (timings: readonly Timing[], id: string): Timing | undefined => timings.find((t) => t.id === id)

const timingRows = (
  timings: readonly Timing[],
  unit: number,
  bases: readonly string[],
): readonly (readonly string[])[] =>
  timings.map((t) => [
    t.id,
    (unit / t.median).toFixed(0),
    `${(1000 * t.median).toFixed(0)} (${(1000 * t.low).toFixed(0)}-${(1000 * t.high).toFixed(0)})`,
    gigabytes(t.rssBytes),
    ...bases.map((id) => {
      const base = find(timings, id)
      return base === undefined ? "not measured" : `${(base.median / t.median).toFixed(2)}x`
    }),
  ])

interface Target {
  readonly what: string
  readonly ours: string
  readonly base: string
  readonly of: "steps" | "elbo"
  readonly shape: "small" | "paper"
  readonly atLeast: number
}

const TARGETS: readonly Target[] = [
  ...(["small", "paper"] as const).flatMap((shape): Target[] => [
    {
      what: `train step, ${shape}`,
      ours: "onnxruntime fp32",
      base: "torch eager fp32",
      of: "steps",
      shape,
      atLeast: 1,
    },
    {
      what: `train step, ${shape}`,
      ours: "tensorflow fp32",
      base: "torch compile fp32",
      of: "steps",
      shape,
      atLeast: 1.15,
    },
    {
      what: `train step, ${shape}`,
      ours: "tensorflow bf16",
      base: "torch compile bf16",
      of: "steps",
      shape,
      atLeast: 1.3,
    },
  ]),
  {
    what: "ELBO evaluation, small",
    ours: "onnxruntime fp32",
    base: "torch eager fp32",
    of: "elbo",
    shape: "small",
    atLeast: 1.5,
  },
]

const targetRow = (target: Target, measured: readonly Measured[]): readonly string[] => {
  const [ours, base] =
    measured
      .filter((m) => m.shape.name === target.shape)
      .map((m) => [find(m[target.of], target.ours), find(m[target.of], target.base)] as const)
      .find(([a, b]) => a !== undefined && b !== undefined) ?? []
  const named = [target.what, `${target.ours} against ${target.base}`, `>= ${target.atLeast}x`]
  if (ours === undefined || base === undefined) return [...named, "not measured", ""]
  const ratio = base.median / ours.median
  return [
    ...named,
    `${ratio.toFixed(2)}x`,
    ratio >= target.atLeast ? "met" : `missed by ${((1 - ratio / target.atLeast) * 100).toFixed(0)} %`,
  ]
}

const shapeSection = (m: Measured): string => {
  const { shape } = m
  const tokens = shape.batch * shape.length
  const bases = ["torch eager fp32", "torch compile fp32", "torch compile bf16"]
  const head = ["contender", "tokens/s", "ms (quartiles)", "peak memory", ...bases.map((b) => `against ${b}`)]
  return [
    `## ${shape.name}: ${shape.layers} layers, width ${shape.width}, ${shape.heads} heads, ${shape.batch} x ${shape.length} tokens`,
    `${m.masked} of ${tokens} positions are masked; our program has room for ${m.capacity}.`,
    "### Parity with PyTorch eager fp32, same parameters and batch",
    table(
      [
        "executor",
        "loss",
        "relative difference",
        "worst gradient",
        "of the parameter",
        "parameters compared",
      ],
      m.parity.map((p) => [
        p.id,
        p.loss.toFixed(5),
        p.lossDifference.toExponential(1),
        p.worstGradient.toExponential(1),
        p.worstParameter,
        String(p.parameters),
      ]),
    ),
    "### Train step: forward, backward, clip, AdamW, loss read back",
    table(head, timingRows(m.steps, tokens, bases)),
    ...(m.elbo.length === 0
      ? []
      : [
          "### ELBO evaluation, T = 128, per window",
          table(head, timingRows(m.elbo, 128 * shape.length, bases)),
        ]),
    ...m.failures.map((f) => `Not measured: ${f.id} (${f.why.split("\n")[0]}).`),
  ].join("\n\n")
}

/** `notes`: what was learnt from the figures, in Markdown. */
export const resultsMarkdown = (r: Results, notes: string): string =>
  `${[
    "# Benchmark results",
    `Made by \`${r.command}\`; edit nothing by hand.`,
    table(
      ["", ""],
      [
        ["date", r.date],
        ["hardware", r.hardware],
        ["GPU", r.gpu ?? "none; every GPU row is not measured"],
        ["Node", r.versions.node],
        ["PyTorch", r.versions.torch ?? "not installed"],
        ["TensorFlow", r.versions.tensorflow ?? "not installed"],
        ["commit", r.versions.commit ?? "unknown"],
      ],
    ),
    "Contenders run in processes of their own and take turns, block by block; times are medians with quartiles. Ratios above 1 mean faster than the column's contender.",
    "## Targets",
    table(
      ["what", "measured as", "target", "result", ""],
      [
        ...TARGETS.map((t) => targetRow(t, r.measured)),
        ...r.other.map((o) => [
          o.what,
          "seconds",
          `< ${o.target} s`,
          `${o.seconds.toFixed(2)} s`,
          o.note ??
            (o.seconds < o.target ? "met" : `missed by ${((o.seconds / o.target - 1) * 100).toFixed(0)} %`),
        ]),
        ...r.other
          .filter((o) => o.peakBytes !== undefined)
          .map((o) => [
            o.what,
            "peak memory",
            "< 2 GB",
            gigabytes(o.peakBytes!),
            o.peakBytes! < 2e9 ? "met" : "missed",
          ]),
      ],
    ),
    notes.trim(),
    ...r.measured.map(shapeSection),
    ...(r.gpu === undefined
      ? [
          "## GPU",
          "Not measured: PyTorch saw no GPU on this machine. `npm run bench -- --gpu` measures the published step (eager, bf16 parameters) against the `torch` executor there.",
        ]
      : []),
  ].join("\n\n")}\n`
