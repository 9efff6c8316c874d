/** Our side of the LLaDA measurements, in a process of its own, driven by JSON lines. */
import { stream } from "../../src/diffusion/philox.js"
import { openExecutor, type EngineName } from "../../src/engine/choose.js"
import type { Executor, HostTensors, Trainer } from "../../src/engine/executor.js"
import { objectivePart } from "../../src/families/index.js"
import { networkOf } from "../../src/families/traced.js"
import { readSafetensors, toFloat32 } from "../../src/files/safetensors.js"
import type { Network } from "../../src/model/network.js"
import { openForward, type ExecutorForward } from "../../src/samplers/executor/forward.js"
import { lladaTexts } from "../../src/samplers/llada/blocks.js"
import type { Experiment } from "../../src/spec/experiment.js"
import { layoutFor, shapeFor } from "../../src/train/layout.js"
import { tracePrograms } from "../../src/train/programs.js"
import { initialState, stepScalars } from "../../src/train/state.js"
import { answerLines } from "../answer-lines.js"
import { lladaExperiment, lladaRows, type LladaShape } from "./job.js"

interface Init {
  readonly shape: LladaShape
  readonly engine: EngineName
  readonly threads: number
  readonly parameters: string
}

let state: {
  readonly shape: LladaShape
  readonly experiment: Experiment
  readonly executor: Executor
  readonly network: Network
  readonly values: HostTensors
}
let training: {
  readonly trainer: Trainer
  readonly feedsOf: (step: number) => ReturnType<ReturnType<typeof feeder>>
}
let step = 0
let forward: ExecutorForward | undefined

const feeder = (experiment: Experiment, layout: ReturnType<typeof layoutFor>) =>
  objectivePart(experiment.objective).feeds(experiment.objective, {
    ...shapeFor(experiment),
    tokenizer: experiment.data.tokenizer,
    seed: experiment.training.seed,
    accumulation: 1,
    layout,
  })

const openTraining = async (): Promise<typeof training> => {
  const { shape, experiment, executor, network, values } = state
  const typical = [{ length: shape.length, free: (3 * shape.length) / 4 }]
  const layout = layoutFor(experiment, executor.layout, typical)
  const frozen = network.parameters.filter((spec) => spec.frozen === true)
  const weights = await executor.weights({ kind: "values", tensors: frozen, values })
  const trainer = await executor.trainer(
    tracePrograms({ network, training: experiment.training, slices: layout.slices, feeds: layout.programs }),
    { ...initialState(network, experiment.training), ...values },
    weights,
  )
  const feed = feeder(experiment, layout)
  return { trainer, feedsOf: (s) => feed(s, lladaRows(shape, s)) }
}

/** Wall and processor seconds of a piece of work; those of all threads. */
const timed = async <T>(work: () => Promise<T>): Promise<{ wall: number; cpu: number; result: T }> => {
  const [start, before] = [performance.now(), process.cpuUsage()]
  const result = await work()
  const { user, system } = process.cpuUsage(before)
  return { wall: (performance.now() - start) / 1000, cpu: (user + system) / 1e6, result }
}

const commands = {
  init: async ({ shape, engine, threads, parameters }: Init) => {
    const experiment = await lladaExperiment(shape)
    const executor = await openExecutor({
      engine,
      reason: "",
      options: { precision: "fp32", device: "cpu", threads },
    })
    const values = Object.fromEntries(
      [...(await readSafetensors(parameters)).tensors].map(([name, t]) => [
        name,
        { shape: t.shape, data: toFloat32(t) },
      ]),
    )
    state = { shape, experiment, executor, network: networkOf(experiment), values }
    return { version: executor.version }
  },
  steps: async ({ count }: { readonly count: number }) => {
    training ??= await openTraining()
    const { trainer, feedsOf } = training
    const [wall, cpu]: [number[], number[]] = [[], []]
    let loss = 0
    for (let i = 0; i < count; i++) {
      const spent = await timed(async () => {
        const { micro, program } = feedsOf(step)
        return trainer.step(micro, stepScalars(state.experiment.training, step++, 1), program)
      })
      loss = spent.result.loss
      wall.push(spent.wall)
      cpu.push(spent.cpu)
    }
    return { wall, cpu, loss }
  },
  sample: async ({
    prompts,
    response,
    block,
    banned,
  }: {
    readonly prompts: readonly (readonly number[])[]
    readonly response: number
    readonly block: number
    readonly banned: readonly number[]
  }) => {
    const { shape, experiment, executor, network, values } = state
    const { maskId, padId } = experiment.data.tokenizer
    forward ??= await openForward(executor, network.sampled!, values, { canvas: shape.length, padId })
    const { result, wall, cpu } = await timed(() =>
      lladaTexts(
        prompts.map((tokens, index) => ({ index, tokens })),
        {
          length: response,
          block,
          steps: response,
          remasking: "low_confidence",
          choice: { temperature: 0, topP: 1 },
          guidance: 0,
          specials: "excluded",
        },
        { forward: forward!.masked, source: stream(7, "sample"), maskId, banned },
      ),
    )
    return { wall, cpu, texts: result.map(({ row }) => Array.from(row)) }
  },
} as const

await answerLines(commands)
await forward?.dispose()
process.exit(0)
