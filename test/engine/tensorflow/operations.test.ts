import t from "tap"
import { makeTensorflowExecutor } from "../../../src/engine/tensorflow/index.js"
import { checkOperations } from "../parity.js"
import { testWithLibrary } from "./available.js"

testWithLibrary("every operation equals the eager oracle, on one and on two threads", async (t) => {
  for (const threads of [1, 2]) {
    const executor = await makeTensorflowExecutor({ precision: "fp32", device: "cpu", threads })
    await checkOperations(t, executor)
    await executor.dispose()
  }
})
void t
