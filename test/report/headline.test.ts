/** The headline of a stored run: its values are those of the table, and nothing is left out without a word. */
import { test } from "tap"
import { headlineOf } from "../../src/report/headline.js"
import { renderHeadline, withoutDetails } from "../../src/report/render/headline.js"
import { recomputeTable } from "../../src/app/run-results.js"
import { readRun } from "../../src/run/directory.js"
import { makeTable, type TableRow } from "../../src/analysis/table.js"

const RUN = "docs/results/evidence/20261121T133642Z-mdlm_eos-laptop-734de551"
const stored = readRun(RUN).then(recomputeTable)
const text = async (width: number): Promise<string> =>
  renderHeadline(await stored, "repro table latest --full", { width, colour: false })

test("the laptop's run is read at a glance, on one screen", async (t) => {
  const lines = (await text(120)).trimEnd().split("\n")
  t.ok(lines.length <= 25, `${lines.length} lines`)
  // Values as `repro table` prints them from the same evidence, see docs/results/mdlm_eos-laptop.md.
  t.match(lines.join("\n"), /^NELBO T=128 +≤ 2\.105 +\[2\.06, 2\.15\] +≤ 2\.146 +126\.5$/m)
  t.match(lines.join("\n"), /^left-to-right NLL +2\.074 +\[2\.03, 2\.12\] +2\.115 +63\.7$/m)
  t.match(lines.join("\n"), /T = 128: ≤ 0\.990101 as published, ≤ 1\.7478 with exact bytes$/m)
  t.match(
    lines.join("\n"),
    /uniform 3\.4290, unigram 2\.9316, bigram 1\.8640, trigram 1\.4702, xz 3\.1665\.$/m,
  )
  t.match(
    lines.join(" "),
    /2\.105 bits\/byte with boundaries charged\): below unigram \(2\.9316\), above bigram \(1\.8640\): this network has learned less than a bigram table\./,
  )
})

test("at any width no line is longer, and a column that has no room is named", async (t) => {
  for (const width of [40, 60, 80, 100]) {
    const lines = (await text(width)).split("\n")
    t.ok(
      lines.every((line) => [...line].length <= width),
      `${width}: ${lines.find((line) => [...line].length > width)}`,
    )
  }
  t.match((await text(60)).replaceAll("\n", " "), /Not shown at 60 columns: .*passes per window/)
  t.notMatch(await text(120), /Not shown/)
})

test("every row is in the headline or counted", async (t) => {
  const table = await stored
  const headline = headlineOf(table)!
  const shown = [
    ...headline.rows.flatMap(({ main, charged }) => [main, charged]),
    ...headline.claims.flatMap(({ printed, exact }) => [printed, exact]),
    ...headline.floors.map(({ row }) => row),
  ].filter((row) => row !== undefined)
  t.equal(new Set(shown).size, shown.length, "no row twice")
  t.equal(shown.length + headline.left, table.rows.length)
})

test("the verdict is taken at the floors' own text, and a bound above a floor decides nothing", async (t) => {
  const { header, rows, contracts } = await stored
  const verdict = (change: (row: (typeof rows)[number]) => (typeof rows)[number] | undefined) =>
    headlineOf(
      makeTable(
        header,
        rows.map(change).filter((row) => row !== undefined),
        contracts,
      ),
    )!.verdict
  const isResult = ({ group }: (typeof rows)[number]) => group === "result"
  t.match(
    verdict((row) => (isResult(row) && row.boundKind === "exact" ? undefined : row)),
    /^Lowest bound .*above bigram .*: a bound, which cannot say/,
  )
  const at = (value: number) =>
    verdict((row) =>
      isResult(row) && row.unit === "bits/byte" && row.value !== null
        ? { ...row, value, interval: null }
        : row,
    )
  t.match(at(1.5), /below bigram \(1\.8640\), above trigram .*learned less than a trigram table/)
  t.match(at(1.2), /below trigram \(1\.4702\): this network has learned more than a trigram table/)
  t.match(at(3), /below uniform \(3\.4290\), above unigram .*this network is untrained/)
  t.match(at(5), /: above uniform .*this network is untrained/)
  t.equal(
    verdict((row) => (isResult(row) ? { ...row, tokens: 7 } : row)),
    undefined,
    "other text, no verdict",
  )
})

test("what stands in parentheses leaves no gap", (t) => {
  t.equal(
    withoutDetails("6 of 2892 tokens (0.21 %) stand in both (a (b) c); so."),
    "6 of 2892 tokens stand in both, so.",
  )
  t.end()
})

test("what was graded stands in the headline, scores first, what it cost does not", async (t) => {
  const whole = await stored
  // Made for the test: figures of no network.
  const graded = (id: string, quantity: string, unit: string, value: number): TableRow => {
    const row = whole.rows.find(({ group }) => group === "result")!
    return {
      ...row,
      id,
      quantity,
      unit,
      value,
      boundKind: "exact",
      interval: null,
      denominator: null,
      label: id,
      notes: [],
    }
  }
  const rows = [
    graded("samples/entropy", "entropy", "bits/token", 5.22),
    graded("samples/passes", "cost", "passes/token", 0.66),
    graded("answers/flexible", "accuracy", "", 0.375),
    graded("programs/pass", "pass-rate", "", 0.25),
  ]
  const table = { ...whole, rows: [...rows, ...whole.rows] }
  const headline = headlineOf(table)
  t.same(
    headline?.graded.map(({ id, value }) => [id, value]),
    [
      ["answers/flexible", 0.375],
      ["programs/pass", 0.25],
      ["samples/entropy", 5.22],
    ],
  )
  // Every other row stays where it was, and the cost is counted among those left.
  t.equal(headline?.left, (headlineOf(whole)?.left ?? NaN) + 1)
  const text = renderHeadline(table, "repro table latest --full", { width: 120, colour: false })
  for (const each of [
    /^answers\/flexible: 0\.3750/m,
    /^programs\/pass: 0\.2500/m,
    /^samples\/entropy: 5\.2200 bits\/token/m,
  ])
    t.match(text, each)
  t.notMatch(text, /samples\/passes/)
  // Nor is a table of graded figures alone without a headline.
  t.equal(headlineOf({ ...whole, rows })?.graded.length, 3)
})
