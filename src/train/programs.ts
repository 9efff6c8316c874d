/** Traces a training job: loss, whole step and update, from one network and one optimiser. */
import type { ProgramsOfSize, TrainPrograms } from "../engine/executor.js"
import type { Graph } from "../engine/ir.js"
import { trace, type TraceInput } from "../engine/trace/trace.js"
import { sliceFeeds, type ProgramFeeds } from "../families/part.js"
import type { FeedSpec, Network } from "../model/network.js"
import { applyUpdate, describeUpdate } from "../model/optimizer.js"
import { parameterInputs } from "../model/parameter-inputs.js"
import { optimizerState, trainable, updateScalars } from "../model/optimizer-state.js"
import * as tf from "../model/tf.js"
import type { Training } from "../spec/training.js"

type Tensors = Readonly<Record<string, tf.Tensor>>

/** Everything a job's programs are traced from. */
export interface JobShape {
  readonly network: Network
  readonly training: Training
  /** Slices of each micro-batch that are computed side by side; 1 when absent. */
  readonly slices?: number
  /** Feeds of the slices, by capacity: the main program first, then larger ones. */
  readonly feeds: readonly ProgramFeeds[]
}

const pick = (tensors: Tensors, names: readonly string[]): Record<string, tf.Tensor> =>
  Object.fromEntries(names.map((name) => [name, tensors[name]!]))

/** Loss of one micro-batch and its gradient with respect to every parameter, by name. */
const lossAndGradients = (
  network: Network,
  parameters: Tensors,
  feeds: Tensors,
): { loss: tf.Tensor; gradients: Tensors } => {
  const names = trainable(network.parameters).map((p) => p.name)
  const f = (...values: tf.Tensor[]): tf.Scalar =>
    network.loss(
      { ...parameters, ...Object.fromEntries(values.map((v, i) => [names[i]!, v])) },
      feeds,
    ) as tf.Scalar
  const { value, grads } = tf.valueAndGrads(f)(names.map((name) => parameters[name]!))
  return { loss: value, gradients: Object.fromEntries(grads.map((g, i) => [names[i]!, g])) }
}

/** Loss of one micro-batch and `grad/<parameter>` of every parameter: what executors are held to, parameter by parameter. */
export const traceGradients = (network: Network, feeds: readonly FeedSpec[]): Graph => {
  const inputs: readonly TraceInput[] = feeds.map(({ name, dtype, shape }) => ({
    name,
    kind: "feed",
    dtype,
    shape,
  }))
  return trace("gradients", [...parameterInputs(network.parameters), ...inputs], (all) => {
    const { loss, gradients } = lossAndGradients(network, all, all)
    return { loss, ...Object.fromEntries(Object.entries(gradients).map(([name, g]) => [`grad/${name}`, g])) }
  })
}

const feedInputs = (feeds: readonly FeedSpec[], suffix: string): readonly TraceInput[] =>
  feeds.map(({ name, dtype, shape }) => ({ name: `${name}${suffix}`, kind: "feed", dtype, shape }))

const traceLoss = (network: Network, feeds: readonly FeedSpec[]): Graph =>
  trace("loss", [...parameterInputs(network.parameters), ...feedInputs(feeds, "")], (inputs) => ({
    loss: network.loss(
      pick(
        inputs,
        network.parameters.map(({ name }) => name),
      ),
      inputs,
    ),
  }))

/** The four programs of a job; `feeds[0]` is the usual size, the others are `larger`. */
export const tracePrograms = ({ network, training, slices = 1, feeds }: JobShape): TrainPrograms => {
  const names = network.parameters.map((p) => p.name)
  const changed = trainable(network.parameters).map((p) => p.name)
  const slots = optimizerState(network.parameters, training)
  const slotNames = slots.map((s) => s.name)
  const scalars: readonly TraceInput[] = Object.keys(updateScalars(training, 0, 1)).map((name) => ({
    name,
    kind: "feed",
    dtype: "f32",
    shape: [],
  }))
  const scalarNames = scalars.map((s) => s.name)
  const held: readonly TraceInput[] = [
    ...parameterInputs(network.parameters),
    ...slots.map(({ name, shape }): TraceInput => ({ name, kind: "state", dtype: "f32", shape })),
  ]

  const update = (inputs: Tensors, gradients: Tensors): Record<string, tf.Tensor> => {
    const next = applyUpdate(network.parameters, training, {
      parameters: pick(inputs, names),
      gradients,
      state: pick(inputs, slotNames),
      scalars: pick(inputs, scalarNames),
    })
    return { ...next.parameters, ...next.state, gradNorm: next.gradNorm }
  }

  const programsFor = (program: ProgramFeeds): ProgramsOfSize => {
    const each = sliceFeeds(program, slices)
    const ofSlice = (i: number): readonly FeedSpec[] => each[i % slices]!
    const alike = each.every((own) => own === each[0])
    return {
      loss: traceLoss(network, each[0]!),
      ...(alike ? {} : { losses: () => each.map((own) => traceLoss(network, own)) }),
      step: () => {
        const count = training.accumulation * slices
        const all = Array.from({ length: count }, (_, i) => feedInputs(ofSlice(i), `@${i}`)).flat()
        return trace("step", [...held, ...all, ...scalars], (inputs) => {
          const parameters = pick(inputs, names)
          const parts = Array.from({ length: count }, (_, i) =>
            lossAndGradients(
              network,
              parameters,
              Object.fromEntries(ofSlice(i).map(({ name }) => [name, inputs[`${name}@${i}`]!])),
            ),
          )
          // Slices add up to a micro-batch; micro-batches are averaged.
          const mean = (of: (part: (typeof parts)[number]) => tf.Tensor): tf.Tensor => {
            const sum = parts.map(of).reduce((a, b) => tf.add(a, b))
            return training.accumulation === 1 ? sum : tf.mul(sum, 1 / training.accumulation)
          }
          const gradients = Object.fromEntries(
            changed.map((name) => [name, mean((part) => part.gradients[name]!)]),
          )
          return { ...update(inputs, gradients), loss: mean((part) => part.loss) }
        })
      },
      apply: () => {
        const gradientInputs = trainable(network.parameters).map(({ name, shape }): TraceInput => ({
          name: `grad/${name}`,
          kind: "feed",
          dtype: "f32",
          shape,
        }))
        return trace("apply", [...held, ...gradientInputs, ...scalars], (inputs) =>
          update(inputs, Object.fromEntries(changed.map((name) => [name, inputs[`grad/${name}`]!]))),
        )
      },
    }
  }
  const [main, ...larger] = feeds
  const words = describeUpdate(training)
  return {
    ...programsFor(main!),
    slices,
    larger: larger.map(programsFor),
    ...(words === undefined ? {} : { update: words }),
  }
}
