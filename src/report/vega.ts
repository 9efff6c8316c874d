/** The same plots as Vega-Lite 5 specifications with their data inside, for those who want to restyle them. */
import type { LadderPlot } from "../analysis/ladder-plot.js"
import type { IntervalPlot, LinePlot } from "./svg.js"

const SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"

export const intervalVega = ({ title, unit, items }: IntervalPlot): unknown => ({
  $schema: SCHEMA,
  title,
  data: { values: items },
  encoding: {
    y: { field: "label", type: "nominal", sort: null, title: null },
    color: { field: "group", type: "nominal", title: null },
  },
  layer: [
    {
      mark: "rule",
      encoding: {
        x: { field: "low", type: "quantitative", scale: { zero: false }, title: unit },
        x2: { field: "high" },
      },
    },
    {
      mark: { type: "point", filled: true, size: 60 },
      encoding: {
        x: { field: "value", type: "quantitative", scale: { zero: false }, title: unit },
        shape: { field: "boundKind", type: "nominal", title: "kind" },
      },
    },
  ],
})

export const lineVega = ({ title, x, y, series, references = [], ceiling, note }: LinePlot): unknown => ({
  $schema: SCHEMA,
  title: note === undefined ? title : { text: title, subtitle: note },
  layer: [
    {
      data: {
        values: series.flatMap(({ name, points }) => points.map((point) => ({ series: name, ...point }))),
      },
      mark: ceiling === undefined ? "line" : { type: "line", clip: true },
      encoding: {
        x: { field: "x", type: "quantitative", scale: { zero: false, nice: false }, title: x },
        y: {
          field: "y",
          type: "quantitative",
          scale: { zero: false, nice: false, ...(ceiling === undefined ? {} : { domainMax: ceiling }) },
          title: y,
        },
        color: { field: "series", type: "nominal", title: null },
      },
    },
    {
      data: { values: references },
      mark: { type: "rule", strokeDash: [5, 4] },
      encoding: { y: { field: "y", type: "quantitative" }, tooltip: { field: "name", type: "nominal" } },
    },
  ],
})

export const ladderVega = ({ title, cost, unit, points, references = [] }: LadderPlot): unknown => ({
  $schema: SCHEMA,
  title,
  layer: [
    {
      data: { values: points },
      mark: "rule",
      encoding: {
        x: { field: "cost", type: "quantitative", scale: { type: "log" }, title: cost },
        y: { field: "low", type: "quantitative", scale: { zero: false }, title: unit },
        y2: { field: "high" },
      },
    },
    ...(points.some(({ curve }) => curve !== undefined)
      ? [
          {
            data: { values: points.filter(({ curve }) => curve !== undefined) },
            mark: "line",
            encoding: {
              x: { field: "cost", type: "quantitative", scale: { type: "log" }, title: cost },
              y: { field: "value", type: "quantitative", scale: { zero: false }, title: unit },
              color: { field: "series", type: "nominal" },
              detail: { field: "curve", type: "nominal" },
            },
          },
        ]
      : []),
    {
      data: { values: points },
      mark: { type: "point", filled: true, size: 60 },
      encoding: {
        x: { field: "cost", type: "quantitative", scale: { type: "log" }, title: cost },
        y: { field: "value", type: "quantitative", scale: { zero: false }, title: unit },
        shape: { field: "boundKind", type: "nominal", title: "kind" },
        tooltip: { field: "label", type: "nominal" },
      },
    },
    {
      data: { values: references },
      mark: { type: "rule", strokeDash: [5, 4] },
      encoding: { y: { field: "y", type: "quantitative" }, tooltip: { field: "name", type: "nominal" } },
    },
  ],
})
