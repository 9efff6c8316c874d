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

/** An executor on one CPU thread, without compilation, that ends with the test. */
export const openTorch = async (t: Test, options: Partial<TorchOptions> = {}): Promise<Executor> => {
  const executor = await makeTorchExecutor({
    precision: "fp32",
    device: "cpu",
    threads: 1,
    compile: false,
    ...options,
  })
  t.teardown(() => executor.dispose())
  return executor
}
