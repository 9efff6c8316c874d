/** Invented data for the plots. */
import type { LadderPlot } from "../../src/analysis/ladder-plot.js"
import type { IntervalPlot, LinePlot } from "../../src/report/svg.js"

export const forest: IntervalPlot = {
  title: "mdlm_eos: bits per byte",
  unit: "bits/byte",
  items: [
    {
      label: "NELBO T=128: BPB, exact byte table",
      value: 1.7478,
      low: 1.7364,
      high: 1.7592,
      boundKind: "upper-bound",
      group: "Measured by this run",
      text: "≤ 1.748",
    },
    {
      label: "left-to-right NLL: BPB, exact byte table",
      value: 1.69,
      low: 1.66,
      high: 1.72,
      boundKind: "exact",
      group: "Measured by this run",
      text: "1.690",
    },
    {
      label: "PR #820, T=32",
      value: 1.6252,
      boundKind: "upper-bound",
      group: "Published claims",
      text: "≤ 1.6252",
    },
    {
      label: "a training loss",
      value: 2.4,
      boundKind: "unknown",
      group: "Published claims",
      text: "? 2.4000",
    },
    {
      label: "a lower bound",
      value: 1.2,
      boundKind: "lower-bound",
      group: "Published claims",
      text: "≥ 1.2000",
    },
    {
      label: "a judge's estimate",
      value: 2.1,
      boundKind: "estimate",
      group: "Published claims",
      text: "≈ 2.1000",
    },
    {
      label: "unigram: BPB",
      value: 3.551,
      boundKind: "exact",
      group: "Floors on the same text",
      text: "3.5510",
    },
    {
      label: "xz -9e: BPB",
      value: 2.31,
      boundKind: "exact",
      group: "Floors on the same text",
      text: "2.3100",
    },
  ],
}

const decay = (scale: number) =>
  Array.from({ length: 300 }, (_, step) => ({
    x: step + 1,
    y: 5.5 + scale * Math.exp(-step / 60) + 0.15 * Math.sin(step * 1.7),
  }))

export const curve: LinePlot = {
  title: "Training loss",
  x: "step",
  y: "nats per token",
  series: [
    { name: "this run", points: decay(1.5) },
    { name: "published", points: decay(1.2) },
  ],
  references: [{ name: "unigram floor", y: 5.996 }],
}

export const ladder: LadderPlot = {
  title: "Bounds against their cost",
  cost: "network evaluations per window",
  unit: "bits/byte",
  points: [8, 16, 32, 64, 128, 512].map((steps) => ({
    label: `T=${steps}`,
    cost: steps,
    value: 1.72 + 2 / steps,
    low: 1.71 + 2 / steps,
    high: 1.73 + 2 / steps,
    boundKind: "upper-bound" as const,
  })),
  references: [{ name: "left to right", y: 1.69 }],
}
