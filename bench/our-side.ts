/** What our sides of the FlexMDM and LLaDA measurements share: the executor, train steps, and the clock. */
import { openExecutor, type EngineName } from "../src/engine/choose.js"
import type { Executor, HostTensors } from "../src/engine/executor.js"
import { objectivePart } from "../src/families/index.js"
import { networkOf } from "../src/families/traced.js"
import { readSafetensors, toFloat32 } from "../src/files/safetensors.js"
import type { Network } from "../src/model/network.js"
import type { Experiment } from "../src/spec/experiment.js"
import { layoutFor, shapeFor } from "../src/train/layout.js"
import { tracePrograms } from "../src/train/programs.js"
import { initialState, stepScalars } from "../src/train/state.js"

export interface Init<Shape> {
  readonly shape: Shape
  readonly engine: EngineName
  readonly threads: number
  readonly parameters: string
}

export interface Side {
  readonly experiment: Experiment
  readonly executor: Executor
  readonly network: Network
  /** Parameters of the file that every side starts from. */
  readonly values: HostTensors
}

export const openSide = async (
  experiment: Experiment,
  { engine, threads, parameters }: Omit<Init<unknown>, "shape">,
): Promise<Side> => {
  const executor = await openExecutor({
    engine,
    reason: "",
    options: { precision: "fp32", device: "cpu", threads },
  })
  const { tensors } = await readSafetensors(parameters)
  const values = Object.fromEntries(
    [...tensors].map(([name, t]) => [name, { shape: t.shape, data: toFloat32(t) }]),
  )
  return { experiment, executor, network: networkOf(experiment), values }
}

/** Wall and processor seconds of a piece of work; those of all threads. */
export const timed = async <T>(work: () => Promise<T>): Promise<{ wall: number; cpu: number; result: T }> => {
  const [start, before] = [performance.now(), process.cpuUsage()]
  const result = await work()
  const { user, system } = process.cpuUsage(before)
  return { wall: (performance.now() - start) / 1000, cpu: (user + system) / 1e6, result }
}

const feeder = (experiment: Experiment, layout: ReturnType<typeof layoutFor>) =>
  objectivePart(experiment.objective).feeds(experiment.objective, {
    ...shapeFor(experiment),
    tokenizer: experiment.data.tokenizer,
    seed: experiment.training.seed,
    accumulation: 1,
    layout,
  })

/** So many further train steps: seconds of each, and the last loss. @param rowsOf the rows of a step, from 0 */
export const openSteps = async (
  { experiment, executor, network, values }: Side,
  typical: Parameters<typeof layoutFor>[2],
  rowsOf: (step: number) => Parameters<ReturnType<typeof feeder>>[1],
) => {
  const layout = layoutFor(experiment, executor.layout, typical)
  const frozen = network.parameters.filter((spec) => spec.frozen === true)
  const weights =
    frozen.length === 0 ? undefined : await executor.weights({ kind: "values", tensors: frozen, values })
  const trainer = await executor.trainer(
    tracePrograms({ network, training: experiment.training, slices: layout.slices, feeds: layout.programs }),
    { ...initialState(network, experiment.training), ...values },
    weights,
  )
  const feed = feeder(experiment, layout)
  let step = 0
  return async (count: number): Promise<{ wall: number[]; cpu: number[]; loss: number }> => {
    const [wall, cpu]: [number[], number[]] = [[], []]
    let loss = 0
    for (let i = 0; i < count; i++) {
      const spent = await timed(async () => {
        const { micro, program } = feed(step, rowsOf(step))
        return trainer.step(micro, stepScalars(experiment.training, step++, 1), program)
      })
      loss = spent.result.loss
      wall.push(spent.wall)
      cpu.push(spent.cpu)
    }
    return { wall, cpu, loss }
  }
}
