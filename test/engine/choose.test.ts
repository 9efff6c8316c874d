import { test } from "tap"
import { chooseEngine, openExecutor } from "../../src/engine/choose.js"

const nothing = { tensorflow: false, torch: false, gpu: false }
const all = { tensorflow: true, torch: true, gpu: true }

void test("what is asked for is taken, else the fastest that is there, and the reason is said", (t) => {
  t.match(chooseEngine({}, nothing), {
    engine: "onnxruntime",
    options: { precision: "fp32", device: "cpu", threads: 0 },
    reason: /comes with repro/,
  })
  t.match(chooseEngine({ engine: "tfjs" }, all), { engine: "tfjs", reason: /was asked for/ })
  t.match(chooseEngine({ engine: "auto", device: "gpu", precision: "bf16" }, all), {
    engine: "torch",
    reason: /sees a GPU/,
  })
  t.match(chooseEngine({ precision: "bf16" }, all), { engine: "tensorflow", reason: /bf16 on a CPU/ })
  t.match(chooseEngine({ precision: "bf16" }, { ...nothing, torch: true }), { engine: "torch" })
  t.match(chooseEngine({ precision: "bf16-params" }, all), { engine: "torch", reason: /only torch/ })
  t.end()
})

void test("what is not there is refused with the command that adds it", (t) => {
  t.throws(() => chooseEngine({ device: "gpu" }, nothing), {
    name: "ExecutorError",
    message: /no PyTorch that sees one.*pip install torch/,
  })
  t.throws(() => chooseEngine({ device: "gpu" }, { ...nothing, torch: true }), /a GPU was asked for/)
  t.throws(
    () => chooseEngine({ precision: "bf16" }, nothing),
    /pip install tensorflow-cpu, or use --precision fp32/,
  )
  t.end()
})

void test("the embedded executor opens", async (t) => {
  const executor = await openExecutor(chooseEngine({ threads: 1 }, nothing))
  t.equal(executor.name, "onnxruntime")
  t.match(executor.version, /^1\./)
  await executor.dispose()
})
