/** Compares an executor with the eager `cpu` oracle, operation by operation. */
import type { Test } from "tap"
import type { Executor, HostTensors } from "../../src/engine/executor.js"
import { makeTfjsExecutor } from "../../src/engine/tfjs/index.js"
import { opCases } from "./op-cases.js"

/** The largest difference of two arrays, relative to the largest entry of the first (at least 1e-3). */
export const relativeDifference = (expected: ArrayLike<number>, actual: ArrayLike<number>): number => {
  let [difference, size] = [0, 1e-3]
  if (expected.length !== actual.length) return Infinity
  for (let i = 0; i < expected.length; i++) {
    const d = Math.abs(expected[i]! - actual[i]!)
    if (Number.isNaN(d)) return Infinity
    difference = Math.max(difference, d)
    size = Math.max(size, Math.abs(expected[i]!))
  }
  return difference / size
}

const run = async (on: Executor, c: ReturnType<typeof opCases>[number]): Promise<HostTensors> => {
  const evaluator = await on.evaluator(c.graph, {})
  try {
    return await evaluator.run(c.feeds)
  } finally {
    await evaluator.dispose()
  }
}

const withOracle = async () => {
  const oracle = await makeTfjsExecutor({ precision: "fp32", device: "cpu", threads: 0 })
  const cases = []
  for (const c of opCases()) cases.push({ ...c, expected: await run(oracle, c) })
  return cases
}

let known: ReturnType<typeof withOracle> | undefined

/** The cases with what the oracle answers, asked once for all executors of a test file. */
const expectedCases = (): ReturnType<typeof withOracle> => (known ??= withOracle())

/**
 * Runs every operation case on the executor. Tolerance: fp32 rounding over sums of at most 400 terms, 1e-5 of
 * the largest entry, unless the caller states another (bf16 matrix products). `of`: the operations that an option of
 * the executor is about.
 */
export const checkOperations = async (
  t: Test,
  executor: Executor,
  tolerance: (op: string) => number = () => 1e-5,
  of: (op: string) => boolean = () => true,
): Promise<void> => {
  const cases = (await expectedCases()).filter(({ op }) => of(op))
  t.ok(cases.length > 0, "operations to compare")
  for (const { expected, ...c } of cases) {
    const actual = await run(executor, c)
    for (const [name, tensor] of Object.entries(expected)) {
      t.same(actual[name]!.shape, tensor.shape, `${executor.name}: ${c.name}: shape of ${name}`)
      const difference = relativeDifference(tensor.data, actual[name]!.data)
      t.ok(difference <= tolerance(c.op), `${executor.name}: ${c.name}: ${name} differs by ${difference}`)
    }
  }
}
