import t from "tap"
import { checkOperations } from "../parity.js"
import { openTorch, testWithTorch } from "./available.js"

// Each worker loads PyTorch, which takes seconds on a busy machine.
t.setTimeout(170_000)

testWithTorch("every operation equals the eager oracle, on one and on two threads", async (t) => {
  for (const threads of [1, 2]) await checkOperations(t, await openTorch(t, { threads }))
})
