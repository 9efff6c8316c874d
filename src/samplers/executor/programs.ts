/** Programs compiled when they are first asked for, over weights that the executor holds once. */
import type { Evaluator, Executor, HostTensors } from "../../engine/executor.js"
import { trace, type TraceInput } from "../../engine/trace/trace.js"
import type { Weights } from "../../engine/weights.js"
import type { Tensors } from "../../model/layers.js"
import { parameterInputs } from "../../model/parameter-inputs.js"
import type { ParameterSpec } from "../../model/parameters.js"

export type Feed = Omit<TraceInput, "kind">

export interface ProgramSource {
  readonly feeds: readonly Feed[]
  readonly outputs: (all: Tensors) => Tensors
}

export interface Programs {
  /** Runs the program called `key`, compiled from `source` where it is not held. */
  readonly run: (key: string, source: () => ProgramSource, feeds: HostTensors) => Promise<HostTensors>
  readonly dispose: () => Promise<void>
}

/** Programs held at once: an executor may keep a copy of the weights in each. */
const HELD = 8

/** @throws ExecutorError where the values lack a parameter or have another shape */
export const openPrograms = async (
  executor: Executor,
  name: string,
  parameters: readonly ParameterSpec[],
  values: HostTensors,
): Promise<Programs> => {
  const weights: Weights = await executor.weights({ kind: "values", tensors: parameters, values })
  const held = new Map<string, Evaluator>()
  const compile = (key: string, { feeds, outputs }: ProgramSource): Promise<Evaluator> => {
    const inputs: readonly TraceInput[] = [
      ...parameterInputs(parameters),
      ...feeds.map((feed): TraceInput => ({ ...feed, kind: "feed" })),
    ]
    return executor.evaluator(trace(`${name}-${key}`, inputs, outputs), {}, weights)
  }
  const programOf = async (key: string, source: () => ProgramSource): Promise<Evaluator> => {
    const found = held.get(key) ?? (await compile(key, source()))
    held.delete(key)
    held.set(key, found)
    const [[oldest, program]] = held as unknown as [[string, Evaluator]]
    if (held.size > HELD) {
      held.delete(oldest)
      await program.dispose()
    }
    return found
  }
  // One run at a time: a program that is running is never given back.
  let last: Promise<unknown> = Promise.resolve()
  return {
    run: (key, source, feeds) => {
      const result = last.then(async () => (await programOf(key, source)).run(feeds))
      last = result.catch(() => undefined)
      return result
    },
    dispose: async () => {
      await last
      for (const program of held.values()) await program.dispose()
      held.clear()
      await weights.dispose()
    },
  }
}
