/** AdamW by PyTorch's fused kernel against the traced update: the same job with and without its words. */
import t from "tap"
import type { HostTensors, TrainPrograms } from "../../../src/engine/executor.js"
import type { TorchOptions } from "../../../src/engine/torch/index.js"
import { networkOf } from "../../../src/families/traced.js"
import { tracePrograms } from "../../../src/train/programs.js"
import { initialState, stepScalars } from "../../../src/train/state.js"
import { numbers } from "../op-cases.js"
import { relativeDifference } from "../parity.js"
import { LENGTH, tinyExperiment } from "../../train/tiny.js"
import { openTorch, testWithTorch } from "./available.js"
import { adamw, relative } from "./run-tiny.js"

// Each worker loads PyTorch, which takes seconds on a busy machine.
t.setTimeout(540_000)

const ROWS = 4
const CAPACITY = 32

const job = (over: Parameters<typeof tinyExperiment>[0] = {}) => {
  const experiment = tinyExperiment({ ...over, training: { optimizer: adamw, ...over.training } })
  const network = networkOf(experiment)
  const feeds = network.feeds("loss", { rows: ROWS, length: LENGTH, capacity: CAPACITY })
  const { training } = experiment
  return { network, training, feeds, programs: tracePrograms({ network, training, feeds: [feeds] }) }
}

/** Feeds of the right kinds and ranges; their values are arbitrary. */
const microBatch = (feeds: ReturnType<typeof job>["feeds"], salt: number): HostTensors =>
  Object.fromEntries(
    feeds.map(({ name, dtype, shape }) => {
      const size = shape.reduce((a, b) => a * b, 1)
      const noise = numbers(size, salt)
      const data =
        dtype === "i32"
          ? Int32Array.from(noise, (x, i) => Math.abs(Math.round(1000 * x) + i) % (ROWS * LENGTH))
          : Float32Array.from(noise, (x) => Math.abs(x) + 0.1)
      return [name, { shape, data }]
    }),
  )

/** State, losses and norms after each step. */
const steps = async (
  on: Awaited<ReturnType<typeof openTorch>>,
  { training, feeds }: ReturnType<typeof job>,
  programs: TrainPrograms,
  initial: HostTensors,
  [from, to]: readonly [number, number],
) => {
  const trainer = await on.trainer(programs, initial)
  const after: { state: HostTensors; loss: number; gradNorm: number }[] = []
  for (let i = from; i < to; i++) {
    const micro = Array.from({ length: training.accumulation }, (_, m) => microBatch(feeds, 10 * i + m))
    const result = await trainer.step(micro, stepScalars(training, i, 1))
    after.push({ ...result, state: await trainer.readState() })
  }
  await trainer.dispose()
  return after
}

const traced = ({ loss, step, apply }: TrainPrograms): TrainPrograms => ({ loss, step, apply })

testWithTorch("fused and traced AdamW agree after one step and after three", async (t) => {
  const cases = {
    "clip, decay, average": job({ training: { emaDecay: 0.9 } }),
    neither: job({ training: { clipNorm: 0, optimizer: { ...adamw, weightDecay: 0 }, accumulation: 1 } }),
  }
  const torch = await openTorch(t)
  for (const [name, each] of Object.entries(cases)) {
    t.equal(each.programs.update?.kind, "adamw", `${name}: said in words`)
    const initial = initialState(each.network, each.training)
    const fused = await steps(torch, each, each.programs, initial, [0, 3])
    const plain = await steps(torch, each, traced(each.programs), initial, [0, 3])
    for (const [step, tolerance] of [
      [0, 1e-5],
      [2, 1e-4],
    ] as const) {
      t.ok(relative(fused[step]!.gradNorm, plain[step]!.gradNorm) < tolerance, `${name}: norm ${step + 1}`)
      t.ok(plain[step]!.gradNorm > 1.1 * (each.training.clipNorm || 1), `${name}: clipping has an effect`)
      t.same(Object.keys(fused[step]!.state).sort(), Object.keys(plain[step]!.state).sort(), "names")
      for (const [key, tensor] of Object.entries(plain[step]!.state)) {
        const difference = relativeDifference(tensor.data, fused[step]!.state[key]!.data)
        t.ok(difference <= tolerance, `${name}, step ${step + 1}: ${key} differs by ${difference}`)
      }
    }
  }
})

testWithTorch("a state read after two steps goes on bit-identically in another worker", async (t) => {
  for (const precision of [
    "fp32",
    "bf16",
    "bf16-params",
  ] as const satisfies readonly TorchOptions["precision"][]) {
    const each = job({ training: { emaDecay: 0.9, accumulation: 1 } })
    const initial = initialState(each.network, each.training)
    const first = await openTorch(t, { precision })
    const whole = await steps(first, each, each.programs, initial, [0, 4])
    const rest = await steps(await openTorch(t, { precision }), each, each.programs, whole[1]!.state, [2, 4])
    t.equal(rest[1]!.loss, whole[3]!.loss, precision)
    for (const [name, { data }] of Object.entries(whole[3]!.state))
      t.same(rest[1]!.state[name]!.data, data, `${precision}: ${name}`)
  }
})

void t.test("Muon has no words and is applied as traced", (t) => {
  const { optimizer } = tinyExperiment().training
  t.equal(job({ training: { optimizer } }).programs.update, undefined)
  t.end()
})
