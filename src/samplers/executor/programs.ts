/** Programs compiled when they are first asked for, over weights that the executor holds once. */
import type { Evaluator, Executor, HostTensors, Repeat } from "../../engine/executor.js"
import { trace, type TraceInput } from "../../engine/trace/trace.js"
import type { Weights } from "../../engine/weights.js"
import type { Tensors } from "../../model/layers.js"
import { parameterInputs } from "../../model/parameter-inputs.js"
import type { ParameterSpec } from "../../model/parameters.js"
import type { MergedAdapter } from "../../model/sampled-network.js"

export type Feed = Omit<TraceInput, "kind">

export interface ProgramSource {
  /** Names of the parameters that it reads; all when absent. */
  readonly reads?: ReadonlySet<string>
  readonly feeds: readonly Feed[]
  readonly outputs: (all: Tensors) => Tensors
}

export interface Programs {
  /** Runs the program called `key`, compiled from `source` where it is not held. */
  readonly run: (key: string, source: () => ProgramSource, feeds: HostTensors) => Promise<HostTensors>
  /** Runs it several times; absent where the executor does not. */
  readonly repeat?: (key: string, source: () => ProgramSource, repeat: Repeat) => Promise<HostTensors>
  readonly dispose: () => Promise<void>
}

export interface ProgramParameters {
  readonly parameters: readonly ParameterSpec[]
  readonly adapters?: readonly MergedAdapter[] | undefined
}

/** Programs held at once: an executor may keep a copy of the weights in each; one that repeats keeps none. */
const HELD = 8
const HELD_WITHOUT_COPIES = 32

/**
 * @param adapters added into the parameters by the executor, once
 * @throws ExecutorError where the values lack a parameter or have another shape
 */
export const openPrograms = async (
  executor: Executor,
  name: string,
  { parameters, adapters = [] }: ProgramParameters,
  values: HostTensors,
): Promise<Programs> => {
  // A sum in bf16 would round away most of a small update; where products are in bf16 it is rounded there anyway.
  const narrow = (executor.precision ?? "fp32") !== "fp32"
  const specs = new Map(parameters.map((spec) => [spec.name, spec]))
  const merged = adapters.map(({ weight, a, b, scale }) => ({
    weight,
    a,
    b,
    scale,
    storage: narrow ? (specs.get(weight)?.storage ?? "f32") : ("f32" as const),
  }))
  const sums = new Map(merged.map(({ weight, storage }) => [weight, storage]))
  const inputSpecs = parameters.map((spec): ParameterSpec => {
    if (sums.get(spec.name) !== "f32") return spec
    const { storage: _storage, ...wide } = spec
    return wide
  })
  const weights: Weights = await executor.weights({
    kind: "values",
    tensors: [...parameters, ...adapters.flatMap(({ parts }) => parts)],
    values,
    ...(merged.length === 0 ? {} : { merged }),
  })
  const held = new Map<string, Evaluator>()
  const compile = (key: string, { reads, feeds, outputs }: ProgramSource): Promise<Evaluator> => {
    const inputs: readonly TraceInput[] = [
      ...parameterInputs(inputSpecs.filter((spec) => reads?.has(spec.name) ?? true)),
      ...feeds.map((feed): TraceInput => ({ ...feed, kind: "feed" })),
    ]
    return executor.evaluator(trace(`${name}-${key}`, inputs, outputs), {}, weights)
  }
  const programOf = async (key: string, source: () => ProgramSource): Promise<Evaluator> => {
    const found = held.get(key) ?? (await compile(key, source()))
    held.delete(key)
    held.set(key, found)
    const [[oldest, program]] = held as unknown as [[string, Evaluator]]
    if (held.size > (executor.repeats === true ? HELD_WITHOUT_COPIES : HELD)) {
      held.delete(oldest)
      await program.dispose()
    }
    return found
  }
  // One run at a time: a program that is running is never given back.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = (
    key: string,
    source: () => ProgramSource,
    use: (program: Evaluator) => Promise<HostTensors>,
  ) => {
    const result = last.then(async () => use(await programOf(key, source)))
    last = result.catch(() => undefined)
    return result
  }
  return {
    run: (key, source, feeds) => inTurn(key, source, (program) => program.run(feeds)),
    ...(executor.repeats === true
      ? { repeat: (key, source, repeat) => inTurn(key, source, (program) => program.repeat!(repeat)) }
      : {}),
    dispose: async () => {
      await last
      for (const program of held.values()) await program.dispose()
      held.clear()
      await weights.dispose()
    },
  }
}

/** Programs that read some of the parameters; they end with those that they are part of. */
export const part = (programs: Programs, name: string, parameters: readonly ParameterSpec[]): Programs => {
  const reads = new Set(parameters.map((spec) => spec.name))
  return {
    run: (key, source, feeds) => programs.run(`${name}-${key}`, () => ({ ...source(), reads }), feeds),
    dispose: () => Promise.resolve(),
  }
}
