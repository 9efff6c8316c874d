import { readFileSync, writeFileSync } from "node:fs"
import { test, type Test } from "tap"
import { linearScale, logScale, thin } from "../../src/report/plot-scale.js"
import { intervalPlot, ladderPlot, linePlot } from "../../src/report/svg.js"
import { intervalVega, ladderVega, lineVega } from "../../src/report/vega.js"
import { cutAbove } from "../../src/report/line-plot.js"
import { NARROW, WIDE } from "../../src/report/svg-elements.js"
import { curve, forest, ladder } from "./plots.js"

// Looked at when they were made; see table.test.ts for how to make them again.
const golden = (t: Test, name: string, text: string): void => {
  const path = new URL(`golden/${name}.golden`, import.meta.url)
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, text)
  t.equal(text, readFileSync(path, "utf8"), name)
}

test("plots are as expected, byte by byte", (t) => {
  golden(t, "forest.svg", intervalPlot(forest))
  golden(t, "curve.svg", linePlot(curve))
  golden(t, "ladder.svg", ladderPlot(ladder))
  t.end()
})

test("text is escaped, nothing lies outside the frame, every number is finite", (t) => {
  const hostile = {
    ...forest,
    title: 'a "b" <c> & d',
    items: forest.items.map((item) => ({ ...item, label: "<&>" })),
  }
  const plots = [intervalPlot, linePlot, ladderPlot].flatMap((draw, i) =>
    [WIDE, NARROW].map((width) => draw([hostile, curve, ladder][i] as never, width)),
  )
  for (const svg of plots) {
    t.notMatch(svg, /NaN|Infinity|undefined/)
    const [, width, height] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg)!
    for (const [, name, number] of svg.matchAll(/ (x|x1|x2|cx|y|y1|y2|cy)="(-?[\d.]+)"/g)) {
      const most = Number(name!.includes("x") ? width : height)
      t.ok(Number(number) >= 0 && Number(number) <= most, `${name}=${number}`)
    }
  }
  t.match(plots[0], /a &quot;b&quot; &lt;c&gt; &amp; d/)
  t.end()
})

test("a curve is cut where it crosses the top of the picture, and marked where it lies above", (t) => {
  const points = [10, 2, 1, 3, 9, 1].map((y, x) => ({ x, y }))
  const { pieces, above } = cutAbove(points, 6)
  // From 10 to 2 the line passes 6 half way, from 3 to 9 half way, and from 9 to 1 after 3/8.
  t.same(pieces, [
    [
      { x: 0.5, y: 6 },
      { x: 1, y: 2 },
      { x: 2, y: 1 },
      { x: 3, y: 3 },
      { x: 3.5, y: 6 },
    ],
    [
      { x: 4.375, y: 6 },
      { x: 5, y: 1 },
    ],
  ])
  t.same(above, [0, 4])
  t.same(cutAbove(points, Infinity), { pieces: [points], above: [] })
  t.same(cutAbove(points, 0.5).pieces, [])
  const series = [{ name: "a", points }]
  const drawn = linePlot({ ...curve, references: [], series, ceiling: 6, note: "Cut at 6." })
  t.match(drawn, /Cut at 6\./)
  t.equal(drawn.match(/l3 -6l3 6z/g)?.length, 2, "a mark for each time above")
  t.notMatch(linePlot({ ...curve, references: [], series }), /l3 -6l3 6z/)
  t.end()
})

test("an empty or constant curve is drawn without failing", (t) => {
  t.match(linePlot({ ...curve, series: [] }), /no data/)
  t.notMatch(linePlot({ ...curve, references: [], series: [{ name: "a", points: [{ x: 1, y: 2 }] }] }), /NaN/)
  t.notMatch(
    linePlot({
      ...curve,
      series: [
        {
          name: "a",
          points: [
            { x: 1, y: Number.NaN },
            { x: 2, y: 3 },
          ],
        },
      ],
    }),
    /NaN/,
  )
  t.match(ladderPlot({ ...ladder, points: [] }), /no data/)
  t.end()
})

const texts = (low: number, high: number) => logScale(low, high, 0, 1).ticks.map(({ text }) => text)

test("ticks are round numbers that cover the range", (t) => {
  const ticks = linearScale(1.73, 1.76, 0, 100, 6).ticks
  t.same(
    ticks.map(({ text }) => text),
    ["1.730", "1.735", "1.740", "1.745", "1.750", "1.755", "1.760"],
  )
  const scale = linearScale(0, 10, 100, 200, 5)
  t.equal(scale.at(5), 150)
  t.same(
    linearScale(-1, 1, 0, 1, 4).ticks.map(({ text }) => text),
    ["-1.0", "-0.5", "0.0", "0.5", "1.0"],
  )
  const log = logScale(1, 1000, 0, 300)
  t.ok(Math.abs(log.at(10) - 100) < 1e-9)
  t.same(texts(8, 512), ["5", "10", "20", "50", "100", "200", "500", "1k"])
  t.same(texts(1, 1e4), ["1", "10", "100", "1k", "10k"])
  t.same(texts(0.05, 0.1), ["0.05", "0.1"])
  t.end()
})

test("thinning keeps ends and extremes", (t) => {
  const points = Array.from({ length: 10_000 }, (_, x) => ({ x, y: x === 4321 ? 99 : Math.sin(x / 50) }))
  const kept = thin(points, 200)
  t.ok(kept.length <= 200)
  t.same(kept[0], points[0])
  t.same(kept.at(-1), points.at(-1))
  t.ok(kept.some(({ y }) => y === 99))
  t.same(
    [...kept].sort((a, b) => a.x - b.x),
    kept,
    "in order",
  )
  t.equal(thin(points, 10_000), points)
  t.end()
})

test("the Vega-Lite specifications hold the same data", (t) => {
  t.match(intervalVega(forest), { data: { values: forest.items } })
  t.match(ladderVega(ladder), { layer: [{ data: { values: ladder.points } }] })
  const values = (lineVega(curve) as { layer: readonly { data: { values: readonly unknown[] } }[] }).layer[0]!
    .data.values
  t.equal(
    values.length,
    curve.series.reduce((sum, { points }) => sum + points.length, 0),
  )
  t.end()
})
