import { test } from "tap"
import { makeOnnxruntimeExecutor } from "../../../src/engine/onnxruntime/index.js"
import { checkOperations } from "../parity.js"

void test("every operation equals the eager oracle, on one and on two threads", async (t) => {
  for (const threads of [1, 2]) {
    await checkOperations(t, await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads }))
  }
})

void test("attention in blocks of one head and one query, its probabilities kept or recomputed", async (t) => {
  // 5 keys of 4 bytes: blocks of 20 bytes hold one query.
  for (const keepAttentionBytes of [0, 2 ** 20]) {
    const options = { precision: "fp32", device: "cpu", threads: 1, attentionBlockBytes: 20 } as const
    const executor = await makeOnnxruntimeExecutor({ ...options, keepAttentionBytes })
    await checkOperations(t, executor, undefined, (op) => op.startsWith("attention"))
  }
})

void test("bf16 is refused with a cure", async (t) => {
  await t.rejects(makeOnnxruntimeExecutor({ precision: "bf16", device: "cpu", threads: 1 }), {
    name: "ExecutorError",
    message: /no bf16 matrix product; use --precision fp32/,
  })
})
