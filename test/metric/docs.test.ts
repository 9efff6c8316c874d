import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import t from "tap"
import { METRIC_DOCS, metricDocs } from "../../scripts/generate-metric-docs.js"
import { contractPages } from "../../src/evaluators/pages.js"
import { DEFINITIONS } from "../../src/metric/contract/registry.js"

t.test(
  "docs/metrics is what the schema says: npx tsx scripts/generate-metric-docs.ts writes it",
  async (test) => {
    const pages = metricDocs()
    test.same((await readdir(METRIC_DOCS)).sort(), [...pages.keys()].sort())
    for (const [name, content] of pages)
      test.equal(await readFile(join(METRIC_DOCS, name), "utf8"), content, name)
  },
)

t.test("every definition and every evaluator has a page with formula, hazards and citations", (test) => {
  const ids = contractPages().map(({ id }) => id)
  for (const id of Object.keys(DEFINITIONS)) test.ok(ids.includes(id), id)
  for (const kind of [
    "discrete-elbo",
    "any-order",
    "chain-rule",
    "sliding",
    "block-nelbo",
    "importance-weighted",
    "autoregressive",
    "continuous-nelbo",
  ])
    test.ok(ids.includes(kind), kind)
  for (const { id, formula, hazards, citations } of contractPages())
    test.ok(formula.length > 0 && hazards.length > 0 && citations.length > 0, id)
  test.end()
})
