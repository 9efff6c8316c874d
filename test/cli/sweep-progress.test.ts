import { test } from "tap"
import type { PlannedCell } from "../../src/app/sweep/cells.js"
import { cellLine, estimator } from "../../src/app/sweep/progress.js"

/** A cell as far as the estimate goes. */
const cell = { seconds: 0.5 } as PlannedCell

test("before a cell was timed, the time left says that start-up is not in it", (t) => {
  const { took, left } = estimator()
  t.equal(
    cellLine(0, 3, "heads=2", 3, left([cell, cell, cell], 1)),
    "Cell 1 of 3, heads=2; about 1.5 s of training and evaluation, start-up not counted, for the 3 left.",
  )
  took(cell, 4) // start-up and all
  t.equal(
    cellLine(1, 3, "heads=4", 2, left([cell, cell], 1)),
    "Cell 2 of 3, heads=4; about 8.0 s for the 2 left.",
  )
  t.equal(
    cellLine(2, 3, "heads=8", 1, left([cell], 4)),
    "Cell 3 of 3, heads=8; about 4.0 s for the one left.",
  )
  t.same(left([cell, cell], 2), { seconds: 4, measured: true }, "workers divide it")
  t.end()
})
