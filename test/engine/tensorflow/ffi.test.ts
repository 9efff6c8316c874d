import { test } from "tap"
import { ExecutorError } from "../../../src/engine/errors.js"
import { loadFfi } from "../../../src/engine/tensorflow/ffi.js"

test("the platform's package calls into C by itself", (t) => {
  const absolute = loadFfi().load(null).func("int abs(int value)")
  t.equal(absolute(-3), 3)
  t.end()
})

test("a platform without a package is named with what to install", (t) => {
  t.throws(() => loadFfi("@koromix/koffi-none-x0"), {
    name: "ExecutorError",
    message: /npm package @koromix\/koffi-none-x0, which could not be loaded \(Cannot find module/,
  })
  try {
    loadFfi("@koromix/koffi-none-x0")
  } catch (error) {
    t.match((error as ExecutorError).cure, /npm i @koromix\/koffi-none-x0@3/)
  }
  t.end()
})
