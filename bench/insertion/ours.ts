/** Our side of the FlexMDM measurements, in a process of its own, driven by JSON lines. */
import { stream } from "../../src/diffusion/philox.js"
import { openExecutor, type EngineName } from "../../src/engine/choose.js"
import type { Executor, HostTensors, Trainer } from "../../src/engine/executor.js"
import { objectivePart } from "../../src/families/index.js"
import { networkOf } from "../../src/families/traced.js"
import { readSafetensors, toFloat32 } from "../../src/files/safetensors.js"
import type { Network } from "../../src/model/network.js"
import { openForward, type ExecutorForward } from "../../src/samplers/executor/forward.js"
import { EVENT_DEFAULTS, eventTexts } from "../../src/samplers/flexmdm/events.js"
import { leapTexts, type FlexModel, type FlexText } from "../../src/samplers/flexmdm/leap.js"
import { growingSettings } from "../../src/samplers/flexmdm/settings.js"
import type { FlexForward } from "../../src/samplers/forward.js"
import type { Experiment } from "../../src/spec/experiment.js"
import { layoutFor, shapeFor } from "../../src/train/layout.js"
import { tracePrograms } from "../../src/train/programs.js"
import { initialState, stepScalars } from "../../src/train/state.js"
import { insertionExperiment, insertionRows, type InsertionShape } from "./job.js"
import { answerLines } from "../answer-lines.js"

interface Init {
  readonly shape: InsertionShape
  readonly engine: EngineName
  readonly threads: number
  readonly parameters: string
}

let state: {
  readonly shape: InsertionShape
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
  const { canvas } = shape
  // The anchor is never noised.
  const typical = [{ length: canvas, free: canvas - 1 }]
  const layout = layoutFor(experiment, executor.layout, typical)
  const trainer = await executor.trainer(
    tracePrograms({ network, training: experiment.training, slices: layout.slices, feeds: layout.programs }),
    values,
  )
  const feed = feeder(experiment, layout)
  return { trainer, feedsOf: (s) => feed(s, insertionRows(shape, experiment, s)) }
}

/** Wall and processor seconds of a piece of work; those of all threads. */
const timed = async <T>(work: () => Promise<T>): Promise<{ wall: number; cpu: number; result: T }> => {
  const [start, before] = [performance.now(), process.cpuUsage()]
  const result = await work()
  const { user, system } = process.cpuUsage(before)
  return { wall: (performance.now() - start) / 1000, cpu: (user + system) / 1e6, result }
}

/** Every slot expects its part of what is missing to `target` tokens, so that texts grow as data of that length do. */
const growingTo = (
  inner: FlexForward,
  target: number,
  spent: { wall: number; cpu: number },
): FlexForward => ({
  forward: async (states) => {
    const { result, wall, cpu } = await timed(() => inner.forward(states))
    spent.wall += wall
    spent.cpu += cpu
    const gaps = result.gaps.map((own) =>
      new Float64Array(own.length).fill(Math.max(0, target - own.length) / own.length),
    )
    return { ...result, gaps }
  },
})

const commands = {
  init: async ({ shape, engine, threads, parameters }: Init) => {
    const experiment = await insertionExperiment(shape)
    const network = networkOf(experiment)
    const executor = await openExecutor({
      engine,
      reason: "",
      options: { precision: "fp32", device: "cpu", threads },
    })
    const given = Object.fromEntries(
      [...(await readSafetensors(parameters)).tensors].map(([name, t]) => [
        name,
        { shape: t.shape, data: toFloat32(t) },
      ]),
    )
    state = {
      shape,
      experiment,
      executor,
      network,
      values: { ...initialState(network, experiment.training), ...given },
    }
    return { version: executor.version }
  },
  steps: async ({ count }: { readonly count: number }) => {
    training ??= await openTraining()
    const { trainer, feedsOf } = training
    const wall: number[] = []
    const cpu: number[] = []
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
  sample: async ({ how, texts, steps }: { how: "tau" | "events"; texts: number; steps: number }) => {
    const { shape, experiment, executor, network, values } = state
    const { boundaryId, maskId, padId } = experiment.data.tokenizer
    const sampled = network.sampled!
    forward ??= await openForward(executor, sampled, values, { canvas: shape.canvas, padId })
    const body = { wall: 0, cpu: 0 }
    const model: FlexModel = {
      schedules: { insertion: { kind: "linear" }, unmasking: { kind: "linear" } },
      padId,
      maskId,
      canvas: shape.canvas,
      given: [boundaryId],
      anchored: true,
    }
    const job = { forward: growingTo(forward, shape.canvas, body), model, source: stream(7, "sample") }
    const starts = Array.from({ length: texts }, (_, index) => ({ index, prefix: [], suffix: [boundaryId] }))
    const choice = { temperature: 1, topP: 1 }
    const { result, wall, cpu } = await timed(async (): Promise<readonly FlexText[]> => {
      if (how === "events") return eventTexts(starts, { ...EVENT_DEFAULTS, choice }, job)
      const asked = growingSettings({ sampler: "tau", steps, rule: "exactly-one", grid: "short", choice })
      if (asked.kind !== "steps") throw new Error("tau has steps")
      return leapTexts(starts, asked.settings, job)
    })
    const tokens = result.reduce((sum, { row }) => sum + row.filter((id) => id !== padId).length, 0)
    return {
      wall,
      cpu,
      body,
      passes: result.reduce((sum, { forwards }) => sum + forwards, 0),
      meanLength: tokens / texts,
    }
  },
} as const

await answerLines(commands)
await forward?.dispose()
process.exit(0)
