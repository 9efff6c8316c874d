/** Runs a test where libtensorflow is installed; elsewhere the test is reported as skipped, by name. */
import t, { type Test } from "tap"
import { findLibrary } from "../../../src/engine/tensorflow/find-library.js"

const found = await findLibrary()

export const testWithLibrary = (name: string, body: (t: Test) => Promise<void>): void => {
  const skip = found.kind === "missing" && "skipped: tensorflow executor not installed"
  void t.test(name, { skip }, body)
}
