/**
 * What the traced loss of LLaDA holds: logits of the scored positions of one slice at a time, never of every position of
 * a micro-batch, and layers as calls of one function.
 */
import t from "tap"
import { openSpec } from "../../../src/app/open-spec.js"
import type { Graph } from "../../../src/engine/ir.js"
import { trace, type TraceInput } from "../../../src/engine/trace/trace.js"
import type { LladaModel } from "../../../src/families/llada/schema.js"
import { sliceFeeds, type FeedSpec } from "../../../src/families/part.js"
import { networkOf } from "../../../src/families/traced.js"
import { parameterInputs } from "../../../src/model/parameter-inputs.js"
import type { Experiment } from "../../../src/spec/experiment.js"
import { layoutFor } from "../../../src/train/layout.js"

/** Classes: more than any other side of a tensor. */
const CLASSES = 1007
const [LAYERS, WIDTH] = [3, 8]

/** The spec's objective as published: targets are single tokens. */
const experimentOf = async (id: string): Promise<Experiment> => {
  const { experiment } = await openSpec(id, "ci")
  const { model, objective, data, training } = experiment
  return {
    ...experiment,
    training: { ...training, microBatch: 32 },
    model: { ...(model as LladaModel), tableRows: CLASSES + 2, layers: LAYERS, width: WIDTH, heads: 2 },
    objective: objective.kind === "flexmdm" ? { ...objective, targets: "hidden" } : objective,
    data: { ...data, tokenizer: { ...data.tokenizer, vocabSize: CLASSES } },
  } as Experiment
}

const sideOf = (feeds: readonly FeedSpec[], name: string): number =>
  feeds.find((feed) => feed.name === name)!.shape[0]!

interface Loss {
  readonly graph: Graph
  /** Positions that the program has room for under the loss. */
  readonly scored: number
}

/** The traced losses of every slice of a micro-batch, program by program, from the least room to the most. */
const lossesOf = (experiment: Experiment, slices: number): readonly (readonly Loss[])[] => {
  const layout = layoutFor(experiment, { slices, sizes: "few" })
  const network = networkOf(experiment)
  return layout.programs.map((program) =>
    sliceFeeds(program, layout.slices).map((feeds) => {
      const inputs: readonly TraceInput[] = [
        ...parameterInputs(network.parameters),
        ...feeds.map((feed): TraceInput => ({ ...feed, kind: "feed" })),
      ]
      return {
        graph: trace("loss", inputs, (all) => ({ loss: network.loss(all, all) })),
        scored: sideOf(feeds, "targets"),
      }
    }),
  )
}

const nodesOf = (graph: Graph): Graph["nodes"] => [
  ...graph.nodes,
  ...Object.values(graph.functions ?? {}).flatMap(nodesOf),
]

/** The most vectors over the classes that one tensor of a graph has. */
const mostLogits = (graph: Graph): number =>
  Math.max(
    ...nodesOf(graph)
      .flatMap(({ outputs }) => outputs)
      .filter(({ shape }) => shape.some((side) => side >= CLASSES))
      .map(({ shape }) => shape.reduce((a, side) => a * (side >= CLASSES ? 1 : side), 1)),
  )

for (const id of ["flexmdm_8b_math", "llada_8b_math"]) {
  void t.test(`${id}: logits of the scored positions of a slice, never of every position`, async (t) => {
    const experiment = await experimentOf(id)
    const { training, data } = experiment
    const all = training.microBatch * data.batching.length
    for (const slices of [1, 4]) {
      const programs = lossesOf(experiment, slices)
      for (const { graph, scored } of programs.flat()) {
        t.equal(mostLogits(graph), scored, `${slices} slices: room for ${scored} of ${all}`)
        t.ok(scored <= all / slices, "of the slice's own positions")
        t.ok(scored > WIDTH, "a tensor of weights is not taken for logits")
      }
      t.ok(programs[0]!.reduce((sum, { scored }) => sum + scored, 0) < all, "fewer than every position")
    }
  })

  void t.test(`${id}: layers are calls of one function`, async (t) => {
    const [[loss] = []] = lossesOf(await experimentOf(id), 1)
    const calls = loss!.graph.nodes.filter(({ op }) => op === "call")
    t.equal(calls.length, LAYERS)
    t.equal(new Set(calls.map(({ attrs }) => JSON.stringify(attrs))).size, 1)
    t.equal(Object.keys(loss!.graph.functions ?? {}).length, 1)
  })
}
