import { test } from "tap"
import type { PlannedMember } from "../../src/app/study/members.js"
import { memberLine, estimator } from "../../src/app/study/progress.js"

/** A cell as far as the estimate goes. */
const cell = { seconds: 0.5 } as PlannedMember

test("before a cell was timed, the time left says that start-up is not in it", (t) => {
  const { took, left } = estimator()
  t.equal(
    memberLine(0, 3, "heads=2", 3, left([cell, cell, cell], 1)),
    "Cell 1 of 3, heads=2; about 1.5 s of training and evaluation, start-up not counted, for the 3 left.",
  )
  took(cell, 4) // start-up and all
  t.equal(
    memberLine(1, 3, "heads=4", 2, left([cell, cell], 1)),
    "Cell 2 of 3, heads=4; about 8.0 s for the 2 left.",
  )
  t.equal(
    memberLine(2, 3, "heads=8", 1, left([cell], 4)),
    "Cell 3 of 3, heads=8; about 4.0 s for the one left.",
  )
  t.same(left([cell, cell], 2), { seconds: 4, measured: true }, "workers divide it")
  t.end()
})
