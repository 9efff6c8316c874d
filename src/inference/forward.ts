/** Compiles a network's forward pass of one fixed shape. */
import type { Evaluator, Executor, HostTensors } from "../engine/executor.js"
import { trace, type TraceInput } from "../engine/trace/trace.js"
import { parameterInputs } from "../model/parameter-inputs.js"
import type { FeedSizes, Network } from "../model/network.js"

/** The forward pass as an evaluator; its one output is called by its use. */
export const compileForward = (
  executor: Executor,
  network: Network,
  parameters: HostTensors,
  use: "nats" | "logProbs",
  sizes: FeedSizes,
): Promise<Evaluator> => {
  const inputs: readonly TraceInput[] = [
    ...parameterInputs(network.parameters),
    ...network
      .feeds(use, sizes)
      .map(({ name, dtype, shape }): TraceInput => ({ name, kind: "feed", dtype, shape })),
  ]
  const graph = trace(use, inputs, (all) => ({ [use]: network[use](all, all) }))
  return executor.evaluator(graph, parameters)
}
