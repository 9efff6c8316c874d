import { test } from "tap"
import {
  chooseEngine,
  LONG_SECONDS,
  needsSearch,
  NOTHING,
  openExecutor,
  type Available,
  type EngineName,
  type EngineRequest,
} from "../../src/engine/choose.js"

const all: Available = { tensorflow: true, torch: true, gpu: true }
const both: Available = { ...all, gpu: false }
const onlyTorch: Available = { ...NOTHING, torch: true }
const long = LONG_SECONDS
const short = LONG_SECONDS - 1

/** Request, what is there, seconds of training; executor, compiled or not, part of the reason. */
const TABLE: readonly (readonly [EngineRequest, Available, number, EngineName, boolean, RegExp])[] = [
  [{}, NOTHING, 0, "onnxruntime", false, /comes with repro/],
  [{}, all, short, "onnxruntime", false, /suits a short run/],
  [{}, both, long, "tensorflow", false, /about 10 min, and libtensorflow is 1\.2 to 1\.4 times as fast/],
  [{}, onlyTorch, long, "torch", true, /about 10 min, and compiled PyTorch is 1\.1 to 1\.2 times/],
  [{}, NOTHING, long, "onnxruntime", false, /neither .* was found; .*pip install tensorflow-cpu would/],
  [{ engine: "tfjs" }, all, long, "tfjs", false, /--engine tfjs was asked for/],
  [{ engine: "torch" }, NOTHING, long, "torch", false, /--engine torch was asked for/],
  [{ engine: "auto", device: "gpu", precision: "bf16" }, all, short, "torch", false, /sees a GPU/],
  [{ device: "gpu" }, all, short, "torch", false, /sees a GPU/],
  [{ precision: "bf16" }, both, short, "tensorflow", false, /libtensorflow was found/],
  [{ precision: "bf16" }, both, long, "tensorflow", false, /libtensorflow was found/],
  [{ precision: "bf16" }, onlyTorch, short, "torch", false, /PyTorch was found/],
  [{ precision: "bf16" }, onlyTorch, long, "torch", true, /PyTorch was found/],
  [{ xla: "on" }, NOTHING, short, "tensorflow", false, /only it has/],
  [{ xla: "on", device: "gpu", precision: "bf16" }, all, long, "tensorflow", false, /only it has/],
  [{ recompute: "on" }, NOTHING, short, "torch", false, /only it has/],
  [{ recompute: "off" }, all, short, "onnxruntime", false, /suits a short run/],
  [{ xla: "off" }, all, short, "onnxruntime", false, /suits a short run/],
  [{ precision: "bf16-params" }, both, short, "torch", false, /only torch/],
]

void test("what is asked for is taken, else the fastest that is there, and the reason is said", (t) => {
  for (const [request, available, seconds, engine, compile, reason] of TABLE) {
    const name = `${JSON.stringify(request)} on ${JSON.stringify(available)}, ${seconds} s`
    const choice = chooseEngine(request, available, seconds)
    t.equal(choice.engine, engine, name)
    t.equal(choice.options.compile ?? false, compile, `${name}: compiled`)
    t.match(choice.reason, reason, name)
    t.equal(choice.options.precision, request.precision ?? "fp32", `${name}: the precision stays`)
    t.equal(choice.options.device, request.device ?? "cpu")
    t.equal(choice.options.recompute ?? false, request.recompute === "on", `${name}: recomputation`)
    t.equal(choice.options.xla ?? false, request.xla === "on", `${name}: XLA`)
  }
  t.end()
})

void test("the machine is searched only where the answer decides", (t) => {
  for (const [request, , seconds, , , reason] of TABLE) {
    // Without a search nothing is there: the choice must then be the same whatever there is.
    if (needsSearch(request, seconds)) continue
    const choices = [NOTHING, onlyTorch, both, all].map((there) => chooseEngine(request, there, seconds))
    t.same(new Set(choices.map(({ engine }) => engine)).size, 1, String(reason))
  }
  t.notOk(needsSearch({}, short))
  t.ok(needsSearch({}, long))
  t.ok(needsSearch({ device: "gpu" }, 0))
  t.ok(needsSearch({ precision: "bf16" }, 0))
  t.notOk(needsSearch({ engine: "torch", device: "gpu" }, long))
  t.end()
})

void test("what is not there is refused with the command that adds it", (t) => {
  t.throws(() => chooseEngine({ device: "gpu" }, NOTHING), {
    name: "ExecutorError",
    message: /no PyTorch that sees one.*pip install torch/,
  })
  t.throws(() => chooseEngine({ device: "gpu" }, onlyTorch), /the PyTorch that was found sees none/)
  t.throws(() => chooseEngine({ engine: "onnxruntime", recompute: "on" }, all), {
    message: /only torch does that; use --engine torch, or leave --recompute away/,
  })
  t.throws(
    () => chooseEngine({ engine: "torch", xla: "on" }, all),
    /torch: XLA was asked for, and only tensorflow compiles with it; use --engine tensorflow/,
  )
  t.throws(
    () => chooseEngine({ precision: "bf16" }, NOTHING),
    /pip install tensorflow-cpu, or use --precision fp32/,
  )
  t.end()
})

void test("the embedded executor opens", async (t) => {
  const executor = await openExecutor(chooseEngine({ threads: 1 }, NOTHING))
  t.equal(executor.name, "onnxruntime")
  t.match(executor.version, /^1\./)
  await executor.dispose()
})
