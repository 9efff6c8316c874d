/** The state of a training run: parameters and the optimiser's tensors. */
import type { HostTensor, HostTensors } from "../engine/executor.js"
import type { Network } from "../model/network.js"
import { optimizerState, trainable, updateScalars } from "../model/optimizer-state.js"
import { initialise } from "../model/parameters.js"
import type { Training } from "../spec/training.js"

/**
 * Parameters from the `init` stream, zero moments, averages that start at the parameters. Frozen parameters are no state.
 *
 * @param begun parameters that begin as something else
 */
export const initialState = (network: Network, training: Training, begun: HostTensors = {}): HostTensors => {
  const changed = trainable(network.parameters)
  const drawn = changed.filter(({ name }) => begun[name] === undefined)
  const parameters: HostTensors = {
    ...initialise(drawn, training.seed),
    ...Object.fromEntries(
      changed.flatMap(({ name }) => (begun[name] === undefined ? [] : [[name, begun[name]]])),
    ),
  }
  const slots = optimizerState(network.parameters, training).map(
    ({ name, shape, init }): [string, HostTensor] => {
      if (init.kind === "parameter")
        return [name, { shape, data: (parameters[init.name]!.data as Float32Array).slice() }]
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1))
      if (init.kind === "constant") data.fill(init.value)
      else throw new Error(`optimiser state ${name} cannot start as ${init.kind}`)
      return [name, { shape, data }]
    },
  )
  return { ...parameters, ...Object.fromEntries(slots) }
}

/** The optimiser's scalar feeds at a step. */
export const stepScalars = (training: Training, step: number, factor: number): HostTensors =>
  Object.fromEntries(
    Object.entries(updateScalars(training, step, factor)).map(([name, value]) => [
      name,
      { shape: [], data: Float32Array.of(value) },
    ]),
  )

/**
 * The trained parameters that an evaluation uses: the moving average where the experiment keeps one. Frozen ones are
 * among them where the state holds them.
 */
export const evaluationParameters = (network: Network, training: Training, state: HostTensors): HostTensors =>
  Object.fromEntries(
    network.parameters.flatMap(({ name, frozen }) => {
      const tensor = state[training.emaDecay === undefined || frozen === true ? name : `ema/${name}`]
      if (tensor === undefined && frozen === true) return []
      if (tensor === undefined) throw new Error(`the state holds no ${name}`)
      return [[name, tensor]]
    }),
  )
