/** Our side of a measurement: one executor in a process of its own, driven by the same JSON lines as the reference. */
import { readSafetensors, toFloat32, writeSafetensors, type StoredTensor } from "../src/files/safetensors.js"
import { batchFeeds, type CorruptedBatch } from "../src/diffusion/batch.js"
import { sliceBatch } from "../src/diffusion/slices.js"
import { openExecutor, type EngineName } from "../src/engine/choose.js"
import type { Executor, HostTensors, Trainer } from "../src/engine/executor.js"
import { measureDiscreteElbo } from "../src/evaluators/discrete-elbo/measure.js"
import { makeScorer, type Scorer } from "../src/inference/scorer.js"
import type { ScoredWindows } from "../src/inference/windows.js"
import { networkOf } from "../src/families/traced.js"
import type { Network } from "../src/model/network.js"
import { programFor, roomsOf } from "../src/families/mdlm/feeds.js"
import { layoutFor } from "../src/train/layout.js"
import { initialState, stepScalars } from "../src/train/state.js"
import { traceGradients, tracePrograms } from "../src/train/programs.js"
import { ELBO_SEED } from "./job.js"
import { benchExperiment, type Shape } from "./shapes.js"
import { answerLines } from "./answer-lines.js"

interface Init {
  readonly shape: Shape
  readonly engine: EngineName
  readonly precision: "fp32" | "bf16"
  readonly device: "cpu" | "gpu"
  readonly threads: number
  readonly parameters: string
  readonly batch: string
  readonly capacity: number
}

let state: {
  readonly init: Init
  readonly executor: Executor
  readonly network: Network
  readonly values: HostTensors
  readonly batch: CorruptedBatch
  readonly tokens: Int32Array
}
let trainer: Trainer | undefined
let scorer: Scorer | undefined
let step = 0

const host = (tensors: ReadonlyMap<string, StoredTensor>): HostTensors =>
  Object.fromEntries([...tensors].map(([name, t]) => [name, { shape: t.shape, data: toFloat32(t) }]))

const commands = {
  init: async (init: Init) => {
    const experiment = benchExperiment(init.shape)
    const network = networkOf(experiment)
    const executor = await openExecutor({
      engine: init.engine,
      reason: "",
      options: { precision: init.precision, device: init.device, threads: init.threads },
    })
    const parameters = host((await readSafetensors(init.parameters)).tensors)
    const values = { ...initialState(network, experiment.training), ...parameters }
    const { tensors } = await readSafetensors(init.batch)
    const ints = (name: string): Int32Array => tensors.get(name)!.data as Int32Array
    const batch: CorruptedBatch = {
      rows: init.shape.batch,
      length: init.shape.length,
      inputIds: ints("ids"),
      sigma: Float64Array.from(toFloat32(tensors.get("alpha")!), (a) => -Math.log(a)),
      times: new Float64Array(init.shape.batch),
      positions: ints("positions"),
      targets: ints("targets"),
      weights: Float64Array.from(toFloat32(tensors.get("weights")!)),
      divisor: 1,
    }
    state = { init, executor, network, values, batch, tokens: ints("tokens") }
    return { version: executor.version }
  },
  gradients: async ({ out }: { readonly out: string }) => {
    const { init, executor, network, values, batch } = state
    const { batch: rows, length } = init.shape
    const graph = traceGradients(network, network.feeds("loss", { rows, length, capacity: init.capacity }))
    const evaluator = await executor.evaluator(graph, values)
    const result = await evaluator.run(batchFeeds(batch, init.capacity))
    await evaluator.dispose()
    const tensors = Object.entries(result).filter(([name]) => name.startsWith("grad/"))
    await writeSafetensors(
      out,
      Object.fromEntries(
        tensors.map(([name, t]) => [
          name.slice(5),
          { dtype: "F32", shape: t.shape, data: t.data as Float32Array } as const,
        ]),
      ),
    )
    return { loss: result["loss"]!.data[0] }
  },
  steps: async ({ count }: { readonly count: number }) => {
    const { init, executor, network, values, batch } = state
    const experiment = benchExperiment(init.shape)
    const { training } = experiment
    const layout = layoutFor(experiment, executor.layout)
    const slices = sliceBatch(batch, layout.slices)
    const capacity = roomsOf(layout)[programFor(slices, roomsOf(layout))]!
    trainer ??= await executor.trainer(
      tracePrograms({
        network,
        training,
        slices: layout.slices,
        feeds: [network.feeds("loss", { rows: layout.rows, length: init.shape.length, capacity })],
      }),
      values,
    )
    const micro = slices.map((slice) => batchFeeds(slice, capacity))
    const seconds: number[] = []
    let loss = 0
    for (let i = 0; i < count; i++) {
      const start = performance.now()
      loss = (await trainer.step(micro, stepScalars(training, step++, 1))).loss
      seconds.push((performance.now() - start) / 1000)
    }
    return { seconds, loss }
  },
  elbo: async ({ windows, steps }: { readonly windows: number; readonly steps: number }) => {
    const { init, executor, network, values, tokens } = state
    const { length, batch } = init.shape
    const windowsOf = (count: number): ScoredWindows => ({
      tokens: Int32Array.from({ length: count * length }, (_, i) => tokens[i % (batch * length)]!),
      count,
      length,
      starts: new Int32Array(count),
      available: count,
    })
    const rule = { maskId: 1024, padId: 1025, boundaryId: 1, boundary: "free" } as const
    const options = { schedule: { kind: "log-linear", eps: 1e-3 }, rule, draws: 1, seed: ELBO_SEED } as const
    if (scorer === undefined) {
      scorer = await makeScorer(executor, network, values, { length })
      await measureDiscreteElbo(scorer, windowsOf(1), { ...options, steps: 8 })
    }
    const start = performance.now()
    const evidence = await measureDiscreteElbo(scorer, windowsOf(windows), { ...options, steps })
    const seconds = (performance.now() - start) / 1000
    return {
      seconds: [seconds / windows],
      bits: evidence.tokenNats.reduce((a, b) => a + b, 0) / Math.LN2 / windows,
    }
  },
} as const

await answerLines(commands)
await trainer?.dispose()
await scorer?.dispose()
process.exit(0)
