/** Runs a test where PyTorch is installed; elsewhere the test is reported as skipped, by name. */
import t, { type Test } from "tap"
import { makeTorchExecutor, type TorchOptions } from "../../../src/engine/torch/index.js"
import { findPython } from "../../../src/engine/torch/find-torch.js"
import type { Executor } from "../../../src/engine/executor.js"

/** Looks for the package without loading it. */
const python = await findPython()

export const testWithTorch = (name: string, body: (t: Test) => Promise<void>): void => {
  const skip = python === undefined && "skipped: torch executor not installed"
  void t.test(name, { skip }, body)
}

/**
 * The environment in which a worker is forked from a process that has loaded PyTorch, where `npm test` started one: for
 * tests of what a worker computes. One whose start, end or environment is what is tested is a process of its own.
 */
export const forkedEnvironment = (): NodeJS.ProcessEnv => {
  const python = process.env["REPRO_TEST_FORKS"]
  return python === undefined ? process.env : { ...process.env, REPRO_PYTHON: python }
}

interface Opened extends Partial<TorchOptions> {
  /** A process of its own, as a user has it: also where it compiles, or is given an environment. */
  readonly own?: true
}

/** An executor on one CPU thread, without compilation, that ends with the test. */
export const openTorch = async (t: Test, { own, ...options }: Opened = {}): Promise<Executor> => {
  const executor = await makeTorchExecutor({
    ...(own === true || options.compile === true ? {} : { env: forkedEnvironment() }),
    precision: "fp32",
    device: "cpu",
    threads: 1,
    compile: false,
    ...options,
  })
  t.teardown(() => executor.dispose())
  return executor
}
