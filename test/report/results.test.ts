/** docs/results: what is printed there follows from the evidence that lies beside it. */
import { readdir, readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import t, { test } from "tap"
import { readPages, renderPages, resultsFolder } from "../../scripts/results.js"
import { resultsOf } from "../../src/app/run-results.js"
import { runTable } from "../../src/analysis/run-table.js"
import { readRun } from "../../src/run/directory.js"

// Every page is rendered from all of its evidence.
t.setTimeout(600_000)

const pages = await readPages()
const ids = [...new Set(pages.flatMap(({ runs }) => runs))]

/** Sums of float64 in one order; logarithms may differ in the last place between machines. */
const near = (a: number, b: number | undefined): boolean =>
  b !== undefined && Math.abs(a - b) <= 1e-12 * Math.abs(b)

test("every page is what its evidence makes (npm run results)", async (t) => {
  t.ok(pages.length > 0, "there are results")
  const rendered = await renderPages()
  for (const [name, text] of rendered) t.equal(await readFile(join(resultsFolder, name), "utf8"), text, name)
  const written = (await readdir(resultsFolder)).filter((name) => /\.(md|svg)$/.test(name))
  t.same(written.sort(), [...rendered.keys()].sort(), "and there are no others")
  t.same((await readdir(join(resultsFolder, "evidence"))).sort(), ids.toSorted(), "every stored run is named")
})

test("a stored run's own table is computed again from its evidence", async (t) => {
  for (const id of ids) {
    const run = await readRun(join(resultsFolder, "evidence", id))
    const stored = await resultsOf(run)
    const again = await runTable(run)
    const rows = again.rows.filter(({ group, value }) => value !== null && group !== "floor")
    t.ok(rows.length > 4, id)
    for (const { id: row, value, interval } of rows) {
      const before = stored?.rows.find((each) => each.id === row)
      if (!near(value!, before?.value ?? undefined)) t.fail(`${id}, ${row}: ${before?.value} and ${value}`)
      if (interval !== null && !near(interval.low, before?.interval?.low)) t.fail(`${id}, ${row}: interval`)
    }
  }
})

test("nothing private is stored", async (t) => {
  for (const id of ids) {
    const folder = join(resultsFolder, "evidence", id)
    t.same((await readdir(folder)).sort(), ["events.ndjson", "evidence", "manifest.json", "results.json"])
    for (const file of ["manifest.json", "events.ndjson", "results.json"])
      t.notMatch(
        await readFile(join(folder, file), "utf8"),
        /\/(home|root|Users|tmp|work)\//,
        `${id}/${file}`,
      )
  }
})

test("the stored results are small enough to live beside the code", async (t) => {
  const names = await readdir(resultsFolder, { recursive: true })
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(resultsFolder, name))).size))
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  t.ok(bytes > 1e6 && bytes <= 20e6, `docs/results holds ${bytes} bytes, at most 20 MB are wanted`)
})
