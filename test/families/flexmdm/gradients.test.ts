/**
 * Every executor's gradient of the whole loss, slice by slice at the lengths that rows have, against the eager oracle on
 * the full canvas: parameter by parameter, so that neither the executor nor how rows share slices makes a difference.
 */
import t from "tap"
import { insertionFeeder, insertionFeedSpecs } from "../../../src/families/flexmdm/feeds.js"
import { sliceFeeds, type FeedSpec } from "../../../src/families/part.js"
import type { FlexmdmModel, FlexmdmObjective } from "../../../src/families/flexmdm/schema.js"
import { networkPart } from "../../../src/families/index.js"
import { networkOf } from "../../../src/families/traced.js"
import { integersBelow, normals, stream } from "../../../src/diffusion/philox.js"
import { hostFeeds, type Executor, type HostTensors } from "../../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../../src/engine/onnxruntime/index.js"
import { makeTensorflowExecutor } from "../../../src/engine/tensorflow/index.js"
import { makeTfjsExecutor } from "../../../src/engine/tfjs/index.js"
import type { Network } from "../../../src/model/network.js"
import * as tf from "../../../src/model/tf.js"
import { dropoutMasks, dropoutSpecs, type FedStep } from "../../../src/train/dropout.js"
import { layoutFor, shapeFor } from "../../../src/train/layout.js"
import { traceGradients } from "../../../src/train/programs.js"
import { relativeDifference } from "../../engine/parity.js"
import { testWithLibrary } from "../../engine/tensorflow/available.js"
import { openTorch, testWithTorch } from "../../engine/torch/available.js"
import { paddedRows, tinyFlexmdm, TOKENIZER, VOCABULARY } from "./tiny.js"

t.setTimeout(540_000)
const LENGTH = 12
const ROWS = 8
const options = { precision: "fp32", device: "cpu", threads: 1 } as const

/** Rows of 1 to 12 tokens, one of them empty. */
const lengths = [5, 1, 12, 0, 9, 3, 12, 7]
const draws = integersBelow(stream(5, "sample"), [], VOCABULARY - 1, ROWS * LENGTH)
const tokens = paddedRows(
  lengths.map((n, r) => Array.from(draws.subarray(r * LENGTH, r * LENGTH + n), (v) => v + 1)),
  LENGTH,
)

const CASES: Readonly<
  Record<string, { readonly model?: Partial<FlexmdmModel>; readonly objective?: Partial<FlexmdmObjective> }>
> = {
  "as brianlck/FlexMDM": {},
  "as xlm-core, sine insertion": {
    model: {
      activation: "relu",
      residual: "modulated",
      endSlot: "eos-anchor",
      headBias: false,
      timeInput: "insertion-alpha",
      embeddingInit: "normal",
    },
    objective: {
      schedules: { insertion: { kind: "sine" }, unmasking: { kind: "linear" } },
      fixed: "boundary",
    },
  },
  dropout: { model: { dropout: 0.25 } },
  "averaged targets, capped weights": { objective: { targets: "averaged", weightCap: 20 } },
}

type Tap = Pick<import("tap").Test, "ok" | "equal">

interface Gradients {
  readonly loss: number
  readonly gradients: Readonly<Record<string, Float32Array>>
}

/** By the eager `cpu` backend, straight from the network: no trace, no graph. */
const eager = async (
  network: Network,
  parameters: HostTensors,
  specs: readonly FeedSpec[],
  feeds: HostTensors,
): Promise<Gradients> => {
  await tf.useCpuBackend()
  const names = network.parameters.map((p) => p.name)
  const fed = Object.fromEntries(
    specs.map(({ name, dtype, shape }) => [
      name,
      tf.tensor(
        feeds[name]!.data,
        [...shape],
        ({ i32: "int32", f32: "float32", bool: "bool" } as const)[dtype],
      ),
    ]),
  )
  const f = (...values: tf.Tensor[]): tf.Scalar =>
    network.loss(Object.fromEntries(values.map((v, i) => [names[i]!, v])), fed) as tf.Scalar
  const { value, grads } = tf.valueAndGrads(f)(
    names.map((name) => tf.tensor(parameters[name]!.data as Float32Array, [...parameters[name]!.shape])),
  )
  return {
    loss: value.dataSync()[0]!,
    gradients: Object.fromEntries(grads.map((g, i) => [names[i]!, g.dataSync() as Float32Array])),
  }
}

interface Case {
  readonly network: Network
  readonly parameters: HostTensors
  readonly slices: readonly (readonly FeedSpec[])[]
  readonly step: FedStep
  readonly oracle: Gradients
}

const prepare = async (name: string): Promise<Case> => {
  const experiment = tinyFlexmdm(CASES[name])
  const objective = experiment.objective as FlexmdmObjective
  const network = networkOf(experiment)
  // Away from the published start, where the modulation and the head are zero and most gradients with them.
  const parameters = Object.fromEntries(
    network.parameters.map(({ name: parameter, shape }, i) => {
      const size = shape.reduce((a, b) => a * b, 1)
      return [
        parameter,
        { shape, data: Float32Array.from(normals(stream(3, "init"), [i], size), (z) => 0.3 * z) },
      ]
    }),
  )
  const job = { ...shapeFor(experiment), tokenizer: TOKENIZER, seed: 11, accumulation: 1 }
  const rows = { tokens, length: LENGTH }
  const layout = layoutFor(experiment, { slices: 1, sizes: "few" })
  const step = dropoutMasks(experiment, layout)(4, insertionFeeder(objective, { ...job, layout })(4, rows))
  const listed = insertionFeedSpecs(
    objective.targets,
    ROWS,
    { width: LENGTH + 1, capacity: ROWS * LENGTH },
    VOCABULARY,
  ).filter(({ name: feed, optional }) => optional !== true || network.feeds("loss", { rows: 1, length: 1, capacity: 1 }).some((f) => f.name === feed)) // prettier-ignore
  const whole = [
    ...listed,
    ...dropoutSpecs(networkPart(experiment.model).dropout?.(experiment.model), listed),
  ]
  const canvas = { slices: 1, rows: ROWS, programs: [whole] }
  const full = dropoutMasks(experiment, canvas)(
    4,
    insertionFeeder(objective, { ...job, layout: canvas })(4, rows),
  )
  return {
    network,
    parameters,
    slices: sliceFeeds(layout.programs[step.program]!, layout.slices),
    step,
    oracle: await eager(network, parameters, whole, hostFeeds(full.micro[0]!)),
  }
}

const cases = new Map<string, Promise<Case>>()
const caseOf = (name: string): Promise<Case> => {
  const made = cases.get(name) ?? prepare(name)
  cases.set(name, made)
  return made
}

const check = async (t: Tap, executor: Executor): Promise<void> => {
  for (const name of Object.keys(CASES)) {
    const { network, parameters, slices, step, oracle } = await caseOf(name)
    t.equal(slices.length, 4)
    if (name === "dropout")
      t.ok(
        Math.abs(oracle.loss - (await caseOf("as brianlck/FlexMDM")).oracle.loss) > 1e-3,
        "drops something",
      )
    t.ok(oracle.loss > 0.1, "there is something under the loss")
    const sums: Record<string, Float32Array> = {}
    let loss = 0
    for (const [k, specs] of slices.entries()) {
      const evaluator = await executor.evaluator(traceGradients(network, specs), parameters)
      const result = await evaluator.run(step.micro[k]!)
      loss += result["loss"]!.data[0]!
      for (const parameter of Object.keys(oracle.gradients)) {
        const own = result[`grad/${parameter}`]!.data
        sums[parameter] = Float32Array.from(own, (g, i) => g + (sums[parameter]?.[i] ?? 0))
      }
      await evaluator.dispose()
    }
    // fp32 sums over at most 104 positions in another order.
    t.ok(Math.abs(loss / oracle.loss - 1) < 1e-5, `${name}: loss ${loss} and ${oracle.loss}`)
    for (const [parameter, gradient] of Object.entries(oracle.gradients)) {
      t.ok(
        gradient.some((g) => g !== 0),
        `${name}: ${parameter} has a gradient`,
      )
      const difference = relativeDifference(gradient, sums[parameter]!)
      t.ok(difference < 3e-5, `${name}: ${parameter} ${difference.toExponential(1)}`)
    }
  }
  await executor.dispose()
}

void t.test("onnxruntime", async (t) => check(t, await makeOnnxruntimeExecutor(options)))
void t.test("tfjs", async (t) => check(t, await makeTfjsExecutor(options)))
testWithLibrary("tensorflow", async (t) => check(t, await makeTensorflowExecutor(options)))
testWithTorch("torch", async (t) => check(t, await openTorch(t, options)))
