/** The pages of a table, of a report and of an audit in a browser, at the width of a phone and of a desktop. */
import t from "tap"
import { recomputeTable } from "../../src/app/run-results.js"
import { curvesOf } from "../../src/app/report.js"
import { runLadder } from "../../src/analysis/run-table.js"
import { renderHtml } from "../../src/report/render/html.js"
import { reportFiles } from "../../src/report/report-files.js"
import { readRun } from "../../src/run/directory.js"
import { table as example } from "./example.js"
import { CHROMIUM, layouts } from "./layout.js"

const RUN = "docs/results/evidence/20261121T133642Z-mdlm_eos-laptop-734de551"

t.test(
  "table and report at phone and desktop width",
  CHROMIUM === undefined ? { skip: "chromium is not installed: layout not measured" } : { timeout: 900_000 },
  async (test) => {
    const run = await readRun(RUN)
    const table = await recomputeTable(run)
    const report = reportFiles(table, [await curvesOf(run)], await runLadder(run)).get("table.html") as string
    const pages = [renderHtml(table), report, renderHtml(example)]
    const widths = [390, 1200]
    const wide = report.replace("<main>", '<main style="min-width:900px">')
    const found = await layouts([
      ...pages.flatMap((html) => widths.map((width) => ({ html, width }))),
      { html: wide, width: 390 },
    ])
    for (const [index, { width, out, small }] of found.slice(0, -1).entries()) {
      const name = `page ${Math.floor(index / 2) + 1} at ${widths[index % 2]} pixels`
      test.equal(width, widths[index % 2], `${name}: the frame has the width asked for`)
      test.same(
        out,
        [],
        `${name}: nothing sticks out, the page never scrolls sideways, no text covers another`,
      )
      test.equal(small, 0, `${name}: no type below 12 pixels`)
    }
    // A phone shows 844 pixels at least; a desktop window 900.
    for (const { verdict } of [found[0]!, found[2]!])
      test.ok(verdict !== null && verdict < 844, `the verdict is on a phone's first screen: ${verdict}`)
    for (const { headline } of [found[1]!, found[3]!])
      test.ok(headline !== null && headline < 900, `the headline is on a desktop's first screen: ${headline}`)
    test.ok(found.at(-1)!.out.length > 0, "the measure sees a page that is too wide")
  },
)
