import t from "tap"
import { makeTfjsExecutor } from "../../../src/engine/tfjs/index.js"
import { relativeDifference } from "../parity.js"
import { tinyExperiment } from "../../train/tiny.js"
import { openTorch, testWithTorch } from "./available.js"
import { adamw, relative, run } from "./run-tiny.js"

// Each worker loads PyTorch, which takes seconds on a busy machine.
t.setTimeout(540_000)

const oracle = () => makeTfjsExecutor({ precision: "fp32", device: "cpu", threads: 1 })
const threeSteps = (over: Parameters<typeof tinyExperiment>[0] = {}) =>
  tinyExperiment({ ...over, training: { stepsPerGroup: 1, emaDecay: 0.9, ...over.training } })

/** Whether every value is one that bf16 has: the last sixteen bits are zero. */
const rounded = (data: ArrayLike<number>): boolean =>
  Array.from(new Uint32Array(Float32Array.from(data).buffer)).every((bits) => (bits & 0xffff) === 0)

testWithTorch("three steps equal the eager oracle: losses, norms and every tensor", async (t) => {
  const torch = await openTorch(t)
  for (const [name, experiment] of [
    ["Muon and AdamW", threeSteps()],
    ["AdamW, accumulation 1", threeSteps({ training: { optimizer: adamw, accumulation: 1 } })],
  ] as const) {
    const [expected, ours] = [await run(await oracle(), experiment), await run(torch, experiment)]
    expected.losses.forEach((loss, i) => {
      // fp32 sums in another order; 1e-5 of the loss, 1e-4 of a gradient's norm.
      t.ok(relative(ours.losses[i]!, loss) < 1e-5, `${name}: loss of step ${i + 1}`)
      t.ok(relative(ours.norms[i]!, expected.norms[i]!) < 1e-4, `${name}: gradient norm of step ${i + 1}`)
    })
    t.same(Object.keys(ours.state).sort(), Object.keys(expected.state).sort(), `${name}: names of the state`)
    for (const [key, tensor] of Object.entries(expected.state)) {
      // Adam divides a moment by its own root, so rounding in small gradients is magnified: 1e-3 after three steps.
      const difference = relativeDifference(tensor.data, ours.state[key]!.data)
      t.ok(difference < 1e-3, `${name}: ${key} differs by ${difference}`)
    }
  }
})

testWithTorch("a run that stops and goes on in another worker ends bit-identically", async (t) => {
  const experiment = tinyExperiment({ training: { stepsPerGroup: 2 } })
  const whole = await run(await openTorch(t), experiment)
  const first = await run(await openTorch(t), experiment, { stopAfter: 3 })
  t.equal(first.step, 5, "the steps that the worker already had are finished")
  const { step, state } = first
  const second = await run(await openTorch(t), experiment, { resume: { step, state } })
  t.same([...first.losses, ...second.losses], whole.losses, "every loss, bit by bit")
  for (const [name, { data }] of Object.entries(whole.state)) t.same(second.state[name]!.data, data, name)
})

testWithTorch("bf16 stays within its rounding of fp32, with parameters in fp32 or bf16", async (t) => {
  const experiment = threeSteps()
  const full = await run(await openTorch(t), experiment)
  for (const precision of ["bf16", "bf16-params"] as const) {
    const half = await run(await openTorch(t, { precision }), experiment)
    half.losses.forEach((loss, i) => {
      // A bf16 value has 8 bits, so one product is off by at most 2^-8; the mean over tokens by less than 1e-2.
      t.ok(relative(loss, full.losses[i]!) < 1e-2, `${precision}: loss of step ${i + 1} is ${loss}`)
      t.not(loss, full.losses[i]!, `${precision}: computes in bf16`)
    })
    const parameter = Object.keys(half.state).find((name) => !/^(adam|muon|ema)/.test(name))!
    t.equal(rounded(half.state[parameter]!.data), precision === "bf16-params", `${precision}: ${parameter}`)
    t.notOk(rounded(half.state[`ema/${parameter}`]!.data), `${precision}: averages stay fp32`)
  }
})
