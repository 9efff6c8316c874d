import * as Option from "effect/Option"
import { test } from "tap"
import {
  chooseExecutor,
  chooseResumed,
  trainingSeconds,
  type EngineFlags,
} from "../../src/app/choose-executor.js"
import { locateSpec } from "../../src/app/locate.js"
import { loadSpec } from "../../src/spec/spec-file.js"

const flags = (over: Partial<EngineFlags> = {}): EngineFlags => ({
  engine: Option.none(),
  precision: Option.none(),
  device: Option.none(),
  threads: Option.none(),
  xla: Option.none(),
  ...over,
})

test("a run of seconds starts without a search; one of hours looks for faster libraries", async (t) => {
  const file = await locateSpec("mdlm_eos")
  const paper = await loadSpec(file, "paper")
  let searches = 0
  const available = () => Promise.resolve({ tensorflow: ++searches > 0, torch: true, gpu: false })
  const onCpu = { ...paper.experiment.execution, device: "cpu", precision: "fp32" } as const
  // Published: 76 019 s on an A10G; on a CPU longer still.
  const seconds = trainingSeconds({ ...paper, experiment: { ...paper.experiment, execution: onCpu } })
  t.ok(seconds > 76_019)
  for (const profile of ["ci", "laptop"] as const) {
    const { experiment, ...spec } = await loadSpec(file, profile)
    const short = trainingSeconds({ ...spec, experiment })
    const { engine } = await chooseExecutor(flags(), experiment.execution, available, short)
    t.equal(engine, "onnxruntime", `${profile}, ${short} s`)
  }
  t.equal(searches, 0)
  const { engine, reason } = await chooseExecutor(flags(), onCpu, available, seconds)
  t.equal(engine, "tensorflow")
  t.match(reason, /^training takes about \d+ min, and libtensorflow is/)
  t.equal(searches, 1)
  const asked = flags({ engine: Option.some("onnxruntime") })
  t.equal((await chooseExecutor(asked, onCpu, available, seconds)).engine, "onnxruntime")
  t.equal(searches, 1, "an executor that was asked for needs no search")
})

test("a resumed run goes on with the executor that began it, unless another is asked for", async (t) => {
  const begun = { name: "torch", version: "", precision: "fp32", device: "cpu", threads: 0 }
  const resumed = (engine: EngineFlags["engine"]) =>
    chooseResumed(flags({ engine }), begun, undefined, () => t.fail("no search is needed") as never, 0)
  for (const engine of [Option.none(), Option.some("auto" as const)]) {
    const choice = await resumed(engine)
    t.equal(choice.engine, "torch")
    t.equal(choice.reason, "the run was begun on it")
  }
  const asked = await resumed(Option.some("tensorflow"))
  t.equal(asked.engine, "tensorflow")
  t.equal(asked.reason, "--engine tensorflow was asked for")
})

test("the reason names who asked for an executor: the command line or the spec", async (t) => {
  const execution = { engine: "tfjs" } as const
  const choose = (over: Partial<EngineFlags>) => chooseExecutor(flags(over), execution)
  t.equal((await choose({})).reason, "the spec asks for it")
  t.equal((await choose({ engine: Option.some("tfjs") })).reason, "--engine tfjs was asked for")
})
