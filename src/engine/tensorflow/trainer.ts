/** Trainers and evaluators of a session, and the weights that they share. */
import { ExecutorError } from "../errors.js"
import {
  hostFeeds,
  type Evaluator,
  type Feeds,
  type HostTensor,
  type HostTensors,
  type StepResult,
  type Trainer,
  type TrainPrograms,
} from "../executor.js"
import type { Graph } from "../ir.js"
import { HostWeights, type WeightSpec } from "../weights.js"
import { TensorflowSession, type CompiledGraph, type Handle } from "./session.js"

/**
 * Weights in this process, and once inside each session that programs use them in. Native handles live until the
 * weights and every program that uses them are disposed of.
 */
export class TensorflowWeights extends HostWeights {
  readonly #handles = new Map<TensorflowSession, Map<string, Handle>>()
  #users = 0
  #given = false

  constructor(tensors: readonly WeightSpec[], values: HostTensors) {
    super("tensorflow", tensors, values)
  }

  handle(
    session: TensorflowSession,
    { name, type, storage }: CompiledGraph["inputs"][number],
    graph: string,
  ): Handle {
    const known = this.#handles.get(session) ?? new Map<string, Handle>()
    this.#handles.set(session, known)
    const key = `${name}|${storage ?? "f32"}`
    const made =
      known.get(key) ?? session.upload(name, type, required(this.values, name, graph).data, storage)
    known.set(key, made)
    return made
  }

  /** A program uses the handles until it calls what this gives. */
  use(): () => void {
    this.#users++
    return () => {
      this.#users--
      if (this.#given && this.#users === 0) this.releaseHandles()
    }
  }

  releaseHandles(): void {
    for (const [session, handles] of this.#handles) session.release(handles.values())
    this.#handles.clear()
  }

  protected override release(): void {
    this.#given = true
    if (this.#users === 0) this.releaseHandles()
  }
}

const uploadAll = (
  session: TensorflowSession,
  inputs: CompiledGraph["inputs"],
  values: HostTensors,
  graph: string,
): Map<string, Handle> => {
  const handles = new Map<string, Handle>()
  try {
    for (const { name, type, storage } of inputs)
      handles.set(name, session.upload(name, type, required(values, name, graph).data, storage))
    return handles
  } catch (error) {
    session.release(handles.values())
    throw error
  }
}

const required = (values: HostTensors, name: string, graph: string): HostTensor => {
  const tensor = values[name]
  if (tensor === undefined)
    throw new ExecutorError(
      "tensorflow",
      `${graph}: no value for the input ${name}`,
      "load a checkpoint and batches of the same model",
    )
  return tensor
}

/** Runs a graph on held values and fresh feeds; the feeds are released afterwards. */
const runOn = async (
  session: TensorflowSession,
  compiled: CompiledGraph,
  held: ReadonlyMap<string, Handle>,
  feeds: HostTensors,
  graph: string,
): Promise<readonly Handle[]> => {
  const fresh = uploadAll(
    session,
    compiled.inputs.filter((i) => i.kind === "feed"),
    feeds,
    graph,
  )
  try {
    return await compiled.run(compiled.inputs.map(({ name }) => (fresh.get(name) ?? held.get(name))!))
  } finally {
    session.release(fresh.values())
  }
}

/**
 * Calls made at once run one after the other, also when one fails; after `close` they are refused. Native handles
 * must not be used while another call replaces them, nor after they are released.
 */
export class Calls {
  #last: Promise<unknown> = Promise.resolve()
  #closed: Promise<void> | undefined

  run<T>(call: () => T | Promise<T>): Promise<T> {
    if (this.#closed !== undefined)
      return Promise.reject(new Error("tensorflow: used after it was disposed of"))
    const next = this.#last.then(call)
    this.#last = next.catch(() => undefined)
    return next
  }

  close(release: () => void): Promise<void> {
    this.#closed ??= this.#last.then(release)
    return this.#closed
  }
}

/** Handles of the frozen inputs, which stay the weights' own. */
const frozenOf = (
  session: TensorflowSession,
  compiled: CompiledGraph,
  weights: TensorflowWeights | undefined,
  graph: string,
): ReadonlyMap<string, Handle> =>
  new Map(
    compiled.inputs
      .filter(({ kind }) => kind === "frozen")
      .map((input) => {
        if (weights === undefined) required({}, input.name, graph)
        return [input.name, weights!.handle(session, input, graph)]
      }),
  )

export const makeTrainer = async (
  session: TensorflowSession,
  programs: TrainPrograms,
  initial: HostTensors,
  weights: TensorflowWeights | undefined,
): Promise<Trainer> => {
  const compiled: (CompiledGraph | undefined)[] = [session.compile(programs.step())]
  const heldInputs = compiled[0]!.inputs.filter((i) => i.kind === "parameter" || i.kind === "state")
  const state = uploadAll(session, heldInputs, { ...weights?.values, ...initial }, "step")
  const frozen = frozenOf(session, compiled[0]!, weights, "step")
  const unused = weights?.use()
  const program = (index: number): CompiledGraph => {
    const known = compiled[index]
    if (known !== undefined) return known
    const larger = programs.larger?.[index - 1]
    if (larger === undefined) throw new RangeError(`tensorflow: the job has no program ${index}`)
    return (compiled[index] = session.compile(larger.step()))
  }

  const step = async (micro: readonly Feeds[], scalars: HostTensors, index = 0): Promise<StepResult> => {
    const feeds: Record<string, HostTensor> = { ...scalars }
    micro.forEach((tensors, i) => {
      for (const [name, tensor] of Object.entries(hostFeeds(tensors))) feeds[`${name}@${i}`] = tensor
    })
    const running = program(index)
    const results = await runOn(session, running, new Map([...frozen, ...state]), feeds, "step")
    const read = { loss: Number.NaN, gradNorm: Number.NaN }
    const spent: Handle[] = []
    running.outputs.forEach(({ name, type }, i) => {
      const handle = results[i]!
      const previous = state.get(name)
      if (previous === undefined) {
        if (name === "loss" || name === "gradNorm")
          read[name] = Number(session.download(handle, type).data[0])
        spent.push(handle)
      } else {
        state.set(name, handle)
        spent.push(previous)
      }
    })
    session.release(spent)
    return read
  }

  const calls = new Calls()
  return {
    step: (micro, scalars, index) => calls.run(() => step(micro, scalars, index)),
    readState: () =>
      calls.run(() =>
        Object.fromEntries(
          heldInputs.map(({ name, type }) => [name, session.download(state.get(name)!, type)]),
        ),
      ),
    dispose: () =>
      calls.close(() => {
        session.release(state.values())
        unused?.()
        for (const each of compiled) each?.dispose()
      }),
  }
}

export const makeEvaluator = async (
  session: TensorflowSession,
  graph: Graph,
  parameters: HostTensors,
  weights: TensorflowWeights | undefined,
): Promise<Evaluator> => {
  const compiled = session.compile(graph)
  const own = compiled.inputs.filter(
    (i) => i.kind !== "feed" && (weights?.values[i.name] === undefined || parameters[i.name] !== undefined),
  )
  const held = uploadAll(session, own, parameters, graph.name)
  const shared = compiled.inputs.filter((i) => i.kind !== "feed" && !held.has(i.name))
  const all = new Map([
    ...held,
    ...shared.map((input) => [input.name, weights!.handle(session, input, graph.name)] as const),
  ])
  const unused = weights?.use()
  const evaluate = async (feeds: Feeds): Promise<HostTensors> => {
    const results = await runOn(session, compiled, all, hostFeeds(feeds), graph.name)
    try {
      return Object.fromEntries(
        compiled.outputs.map(({ name, type }, i) => [name, session.download(results[i]!, type)]),
      )
    } finally {
      session.release(results)
    }
  }
  const calls = new Calls()
  return {
    run: (feeds) => calls.run(() => evaluate(feeds)),
    dispose: () =>
      calls.close(() => {
        session.release(held.values())
        unused?.()
        compiled.dispose()
      }),
  }
}
