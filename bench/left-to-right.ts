/**
 * Speed of the exact evaluators: what batching over positions gives, and what a causal network saves.
 *
 * A bidirectional network's activations change with every token revealed, so nothing of a prefix can be kept between
 * two positions without changing the code length: each token costs one whole pass, and batching over positions is all
 * there is. A causal network's prefix is fixed: one pass scores every position of a window at once.
 */
import { availableParallelism } from "node:os"
import { openExecutor, type EngineName } from "../src/engine/choose.js"
import type { Executor } from "../src/engine/executor.js"
import { makeCausalScorer, measureAutoregressive } from "../src/evaluators/autoregressive/measure.js"
import { measureOrder } from "../src/evaluators/orders.js"
import { defaultBatch } from "../src/inference/batch.js"
import { makeScorer } from "../src/inference/scorer.js"
import { measureSliding } from "../src/evaluators/sliding/measure.js"
import type { ScoredWindows } from "../src/inference/windows.js"
import { integersBelow, stream } from "../src/diffusion/philox.js"
import { networkOf } from "../src/families/traced.js"
import { initialState } from "../src/train/state.js"
import { quantile } from "./measure.js"
import { benchExperiment, type Shape } from "./shapes.js"

export interface ExactRow {
  readonly shape: string
  readonly what: string
  /** Sequences in one pass. */
  readonly batch: number
  readonly tokens: number
  readonly forwards: number
  /** Median seconds. */
  readonly seconds: number
}

const SHAPES: readonly (Shape & { readonly windows: number })[] = [
  { name: "laptop", layers: 2, width: 128, heads: 2, length: 64, batch: 16, windows: 8 },
  { name: "small", layers: 4, width: 256, heads: 4, length: 256, batch: 8, windows: 1 },
]

const windowsOf = (count: number, length: number): ScoredWindows => ({
  tokens: Int32Array.from(integersBelow(stream(1, "sample"), [], 1020, count * length), (n) => n + 4),
  count,
  length,
  starts: Int32Array.from({ length: count }, (_, w) => w * length),
  available: count,
})

const schedule = { kind: "log-linear", eps: 1e-3 } as const
const rule = { maskId: 1024, padId: 1025, boundaryId: 1, boundary: "maskable" } as const

interface Way {
  readonly what: string
  readonly batch: number
  readonly tokens: number
  readonly run: () => Promise<{ readonly forwards: number }>
  readonly dispose: () => Promise<void>
}

const waysOf = async (executor: Executor, shape: Shape, windows: ScoredWindows): Promise<readonly Way[]> => {
  const { length } = shape
  const stride = length / 4
  const masked = benchExperiment(shape)
  const causal = {
    ...masked,
    model: { ...masked.model, attention: "causal", conditioning: { kind: "none" } },
    objective: { kind: "autoregressive" },
  } as typeof masked
  const ways: Way[] = []
  const network = networkOf(masked)
  const values = initialState(network, masked.training)
  for (const [what, batch, columns] of [
    ["left to right, one position at a time", 1, { most: 1, mean: 1 }],
    ["left to right, batched over positions, every column scored", defaultBatch(length), undefined],
    ["left to right, batched over positions", defaultBatch(length), { most: 1, mean: 1 }],
  ] as const) {
    const scorer = await makeScorer(executor, network, values, { length, batch, columns })
    ways.push({
      what,
      batch,
      tokens: windows.tokens.length,
      run: () => measureOrder(scorer, windows, { schedule, rule, order: "left-to-right", seed: 1 }),
      dispose: scorer.dispose,
    })
  }
  const sliding = await makeScorer(executor, network, values, { length, columns: { most: 1, mean: 1 } })
  ways.push({
    what: `sliding, stride ${stride}, batched over positions`,
    batch: defaultBatch(length),
    tokens: windows.tokens.length,
    run: () => measureSliding(sliding, windows, { schedule, rule, stride, tail: "C" }),
    dispose: sliding.dispose,
  })
  const next = networkOf(causal)
  const scorer = await makeCausalScorer(executor, next, initialState(next, causal.training), { length })
  // As many windows as fill two passes, where a window is one row.
  const many = windowsOf(2 * defaultBatch(length), length)
  for (const [each, of] of [
    [undefined, many],
    [stride, many],
    [1, windowsOf(2, length)],
  ] as const)
    ways.push({
      what: each === undefined ? "causal, a window in one pass" : `causal, sliding, stride ${each}`,
      batch: defaultBatch(length),
      tokens: of.tokens.length,
      run: () => measureAutoregressive(scorer, of, 1, { stride: each, tail: "C" }),
      dispose: () => (each === 1 ? scorer.dispose() : Promise.resolve()),
    })
  return ways
}

export interface ExactOptions {
  readonly engine?: EngineName
  /** Interleaved repetitions of every row. */
  readonly rounds?: number
  readonly say: (line: string) => void
}

export const measureExact = async ({
  engine = "onnxruntime",
  rounds = 3,
  say,
}: ExactOptions): Promise<readonly ExactRow[]> => {
  const rows: ExactRow[] = []
  for (const shape of SHAPES) {
    say(`exact evaluators, ${shape.name}`)
    const executor = await openExecutor({
      engine,
      reason: "",
      options: { precision: "fp32", device: "cpu", threads: availableParallelism() },
    })
    const windows = windowsOf(shape.windows, shape.length)
    const ways = await waysOf(executor, shape, windows)
    const seconds = ways.map((): number[] => [])
    const forwards = ways.map(() => 0)
    for (let round = -1; round < rounds; round++) {
      for (const [index, way] of ways.entries()) {
        const start = performance.now()
        forwards[index] = (await way.run()).forwards
        // The first round warms up.
        if (round >= 0) seconds[index]!.push((performance.now() - start) / 1000)
      }
    }
    for (const [index, { what, batch, tokens, dispose }] of ways.entries()) {
      await dispose()
      rows.push({
        shape: `${shape.name}: ${shape.layers} layers, width ${shape.width}, length ${shape.length}`,
        what,
        batch,
        tokens,
        forwards: forwards[index]!,
        seconds: quantile(
          seconds[index]!.sort((a, b) => a - b),
          0.5,
        ),
      })
    }
    await executor.dispose()
  }
  return rows
}

const figure = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3))

/** LEFT_TO_RIGHT.md. */
export const exactMarkdown = (
  rows: readonly ExactRow[],
  about: { readonly date: string; readonly hardware: string; readonly engine: string; readonly load: number },
): string =>
  `# Speed of the exact evaluators

\`npm run bench -- --left-to-right\`, ${about.date}, ${about.hardware}, ${about.engine}, fp32, load ${about.load.toFixed(1)}. Medians of interleaved rounds. A sequence is one row of one pass.

| shape | evaluator | sequences a pass | sequences/s | tokens/s | sequences a token |
| --- | --- | ---: | ---: | ---: | ---: |
${rows
  .map(
    ({ shape, what, batch, tokens, forwards, seconds }) =>
      `| ${shape} | ${what} | ${batch} | ${figure(forwards / seconds)} | ${figure(tokens / seconds)} | ${figure(forwards / tokens)} |`,
  )
  .join("\n")}

A bidirectional network cannot keep a prefix: every token that is revealed changes the activations of all positions, so a cached prefix would give another code length. Exactness leaves batching over positions, whose rows are independent because every prefix is known beforehand, and scoring one column instead of all. A causal network keeps its prefix by construction: one pass scores a whole window, and a stride s costs one pass for s tokens.
`
