import t from "tap"
import type { Graph } from "../../../src/engine/ir.js"
import { lowerGraph } from "../../../src/engine/tensorflow/lower.js"
import { makeTensorflowExecutor, type TensorflowOptions } from "../../../src/engine/tensorflow/index.js"
import { checkOperations } from "../parity.js"
import { testWithLibrary } from "./available.js"

// Every operation is compiled several times over, which takes a while on a busy machine.
t.setTimeout(540_000)

const check = async (
  test: typeof t,
  options: Partial<TensorflowOptions>,
  tolerance?: (op: string) => number,
  of?: (op: string) => boolean,
) => {
  const executor = await makeTensorflowExecutor({ precision: "fp32", device: "cpu", threads: 1, ...options })
  await checkOperations(test as never, executor, tolerance, of)
  await executor.dispose()
}

testWithLibrary("every operation equals the eager oracle, on one and on two threads", async (t) => {
  for (const threads of [1, 2]) await check(t as never, { threads })
})

const attention = (op: string): boolean => op.startsWith("attention")

testWithLibrary("attention in blocks of one head and one query, recomputed for the gradient", async (t) => {
  // 5 keys of 4 bytes: blocks of 20 bytes hold one query.
  await check(t as never, { attentionBlockBytes: 20, keepAttentionBytes: 0 }, undefined, attention)
  await check(t as never, { attentionBlockBytes: 20 }, undefined, attention)
})

testWithLibrary("bf16 rounds the operands of matrix products alone", async (t) => {
  // bf16 holds 8 significant bits: relative rounding 2^-9 of each operand and of the result, 3 * 2^-9 = 0.6 % of
  // the largest term; the cases' sums have at most 5 terms, and attention chains three products.
  const bound: Readonly<Record<string, number>> = { matMul: 0.02, attention: 0.02, attentionGrad: 0.04 }
  for (const bf16Products of ["bf16", "fp32"] as const)
    await check(t as never, { precision: "bf16", bf16Products }, (op) => bound[op] ?? 1e-5)
})

void t.test("an operation without a lowering fails by name", (t) => {
  const graph = {
    name: "g",
    nodes: [{ id: 0, op: "conv2d", inputs: [], attrs: {}, outputs: [{ dtype: "f32", shape: [1] }] }],
    inputs: [],
    outputs: [],
  } as unknown as Graph
  const options = {
    precision: "fp32",
    bf16Products: "bf16",
    device: "cpu",
    keepAttentionBytes: 0,
    attentionBlockBytes: 0,
  } as const
  t.throws(() => lowerGraph(graph, options), /graph g uses the operation conv2d, which has no lowering/)
  t.end()
})
