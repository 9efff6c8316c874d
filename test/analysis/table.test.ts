/**
 * The expected files in golden/ were read through when they were made. To make them again after an intended
 * change: `UPDATE_GOLDEN=1 npx tsx test/report/table.test.ts`, then read the difference.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { test, type Test } from "tap"
import { decimalsFor, formatCount, formatNumber } from "../../src/analysis/numbers.js"
import { renderTable, TABLE_FORMATS } from "../../src/report/render/index.js"
import { renderTerminal, wrap } from "../../src/report/render/terminal.js"
import { makeTable, parseTable, TableError, type TableRow } from "../../src/analysis/table.js"
import { rows, table } from "../report/example.js"

const golden = (t: Test, name: string, text: string): void => {
  const path = new URL(`golden/${name}.golden`, import.meta.url)
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, text)
  t.equal(text, readFileSync(path, "utf8"), name)
}

test("every format is as expected, byte by byte", (t) => {
  for (const format of TABLE_FORMATS) {
    golden(
      t,
      `table.${format === "terminal" ? "txt" : format}`,
      renderTable(table, format, { width: 80, colour: false }),
    )
  }
  golden(t, "table-120.txt", renderTerminal(table, { width: 120, colour: false }))
  t.end()
})

test("a terminal of any width is never exceeded, and colour changes no text", (t) => {
  for (let width = 40; width <= 160; width++) {
    const lines = renderTerminal(table, { width, colour: false }).split("\n")
    t.ok(Math.max(...lines.map((line) => [...line].length)) <= width, `width ${width}`)
  }
  const coloured = renderTerminal(table, { width: 80, colour: true })
  t.match(coloured, /\x1b\[1m/) // oxlint-disable-line no-control-regex
  t.equal(
    coloured.replace(/\x1b\[\d+m/g, ""), // oxlint-disable-line no-control-regex
    renderTerminal(table, { width: 80, colour: false }),
  )
  t.end()
})

test("every rendering that people read marks every value that is not exact", (t) => {
  const signs = { "upper-bound": "≤", "lower-bound": "≥", estimate: "≈", unknown: "?" }
  for (const [boundKind, sign] of Object.entries(signs)) {
    const row: TableRow = {
      ...rows.find(({ id }) => id === "claim/pr-820")!,
      boundKind: boundKind as TableRow["boundKind"],
    }
    const one = makeTable(table.header, [row], table.contracts)
    for (const format of ["terminal", "md", "html"] as const) {
      t.ok(
        renderTable(one, format, { width: 80, colour: false }).includes(`${sign} 1.6252`),
        `${format} ${sign}`,
      )
    }
  }
  t.end()
})

test("laws of reporting are enforced", (t) => {
  const floors = rows.filter(({ group }) => group === "floor")
  const published = rows.find(({ group }) => group === "as published")!
  const result = rows.find(({ id }) => id === "elbo/nats-per-token")!
  const build = (...changed: readonly TableRow[]) => makeTable(table.header, [...changed, ...floors])
  t.doesNotThrow(() => build(result, published))
  const refused: readonly (readonly [string, readonly TableRow[], RegExp])[] = [
    ["a constant called BPB", [{ ...published, label: "BPB" }], /label lacks "as published"/],
    ["its unit", [{ ...published, unit: "bits/byte" }], /unit lacks "as published"/],
    ["among the results", [{ ...published, group: "result" }], /stands among the results/],
    ["twice", [result, result], /occurs twice/],
    ["no reason", [{ ...result, value: null, notes: [] }], /no note that says why/],
    ["not a number", [{ ...result, value: Number.NaN }], /has the value NaN/],
    [
      "interval",
      [{ ...result, interval: { low: 2, high: 1, level: 0.95, method: "" } }],
      /interval \[2, 1\]/,
    ],
    ["contract", [{ ...result, contractId: "c1:ab" }], /which the table lacks/],
  ]
  for (const [name, changed, message] of refused) {
    t.throws(() => build(...changed), { name: "TableError", message }, name)
  }
  for (const floor of ["uniform", "unigram", "bigram", "xz"]) {
    const rest = floors.filter(({ id }) => id !== `floor/${floor}`)
    t.throws(() => makeTable(table.header, [result, ...rest]), {
      message: new RegExp(`"${floor}" is missing`),
    })
  }
  t.end()
})

test("what is written as JSON is read back, anything else is refused with a sentence", (t) => {
  const text = renderTable(table, "json", { width: 80, colour: false })
  t.same(parseTable(JSON.parse(text), "results.json"), table)
  t.throws(() => parseTable({}, "results.json"), /results\.json: this is not a results table/)
  t.throws(() => parseTable({ ...table, version: 2 }, "results.json"), /version 2/)
  t.throws(() => parseTable(null, "results.json"), TableError)
  t.end()
})

test("CSV: quotes, commas and line ends inside a field, read back by a parser written from RFC 4180", (t) => {
  const text = renderTable(table, "csv", { width: 80, colour: false })
  const records: string[][] = []
  let at = 0
  while (at < text.length) {
    const record: string[] = []
    for (;;) {
      const match = /"((?:[^"]|"")*)"|([^",\r\n]*)/y
      match.lastIndex = at
      const [whole, quoted, plain] = match.exec(text)!
      record.push(quoted === undefined ? (plain ?? "") : quoted.replaceAll('""', '"'))
      at += whole.length
      if (text[at] !== ",") break
      at++
    }
    t.equal(text.slice(at, at + 2), "\r\n")
    at += 2
    records.push(record)
  }
  const [names, ...lines] = records
  t.equal(lines.length, table.rows.length)
  for (const [index, row] of table.rows.entries()) {
    const field = (name: string): string => lines[index]![names!.indexOf(name)]!
    t.equal(field("id"), row.id)
    t.equal(field("value"), row.value === null ? "" : String(row.value))
    t.equal(field("notes"), row.notes.join(" "))
  }
  t.end()
})

const interval = (half: number) => ({ low: 1 - half, high: 1 + half, level: 0.95, method: "" })

test("decimals show two significant digits of the half-width", (t) => {
  t.equal(decimalsFor("bits/byte", interval(0.0114)), 3) // 0.011
  t.equal(decimalsFor("bits/byte", interval(0.5)), 2)
  t.equal(decimalsFor("bits/byte", interval(25)), 0)
  t.equal(decimalsFor("bits/byte", interval(1e-9)), 6)
  t.equal(decimalsFor("bits/byte", interval(0)), 4)
  t.equal(decimalsFor("bits/byte", null), 4)
  t.equal(decimalsFor("percent", null), 2)
  t.equal(formatNumber(-0.00001, 2), "-1.00e-5")
  t.equal(formatNumber(-0, 2), "0.00")
  t.equal(formatNumber(1.005, 2), "1.00") // the double nearest to 1.005 lies below it
  t.equal(formatNumber(0.0004, 4), "0.0004")
  t.equal(formatCount(1234), "1234")
  t.equal(formatCount(62_021_846), "62 021 846")
  t.end()
})

test("wrapping keeps every word and the width", (t) => {
  t.same(wrap("one two three", 7), ["one two", "three"])
  t.same(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"])
  t.same(wrap("", 4), [])
  t.end()
})
