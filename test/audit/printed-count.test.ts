import { test } from "tap"
import { printedCount, printedFigure } from "../../src/audit/printed-count.js"

void test("one count in other digits is one count", (t) => {
  for (const printed of [
    "62021632",
    "62,021,632",
    "62_021_632",
    "62'021'632",
    "62.021.632",
    "62\u202f021\u202f632",
    "62021632.0",
    "6.2021632e7",
    "6.2021632E+07",
    "62.021632M",
    "62021.632k",
    "0.062021632B",
  ])
    t.same(printedCount(printed), { kind: "whole", value: 62_021_632 }, printed)
  t.end()
})

void test("what is not a count to the last unit is refused", (t) => {
  for (const printed of [
    "62M",
    "62.0M",
    "62k",
    "6.2e7",
    "62.021",
    "62,02,1632",
    "62,021_632",
    "62 021 632",
    "-62021632",
    "0",
    "~62021632",
    "62MiB",
    "0x3B26000",
    "nan",
    "",
    "1e30",
  ])
    t.match(printedCount(printed), { kind: "refused", printed }, printed)
  t.match(printedCount("62M"), { reason: "it is rounded" })
  t.end()
})

void test("a figure keeps its digits, or is refused", (t) => {
  for (const printed of ["2.03588345", "2.0700", "2.03588345e+00", ".5", "2"])
    t.same(printedFigure(printed), { kind: "figure", printed })
  for (const printed of [
    "nan",
    "inf",
    "-inf",
    "-2.03588345",
    "0.0",
    "2,03588345",
    "1_000.5",
    "2.1%",
    "--",
    "None",
  ])
    t.match(printedFigure(printed), { kind: "refused", printed }, printed)
  t.end()
})
