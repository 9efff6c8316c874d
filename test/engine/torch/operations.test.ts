import { checkOperations } from "../parity.js"
import { openTorch, testWithTorch } from "./available.js"

testWithTorch("every operation equals the eager oracle, on one and on two threads", async (t) => {
  for (const threads of [1, 2]) await checkOperations(t, await openTorch(t, { threads }))
})
