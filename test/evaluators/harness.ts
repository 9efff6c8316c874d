/** Runs evaluations of tiny networks from spec to summary, as a run does. */
import { encodeSafetensors } from "../../src/files/safetensors.js"
import type { Executor, HostTensors } from "../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { makeCausalScorer, measureAutoregressive } from "../../src/evaluators/autoregressive/measure.js"
import { evaluate } from "../../src/evaluators/evaluate.js"
import { measureOrder, type OrderEvidence } from "../../src/evaluators/orders.js"
import type { Scorer } from "../../src/inference/scorer.js"
import type { StreamEvidence } from "../../src/evaluators/stream.js"
import type { ScoredWindows } from "../../src/inference/windows.js"
import { networkOf } from "../../src/families/traced.js"
import { summarise } from "../../src/evaluators/index.js"
import type { EvaluationSummary } from "../../src/analysis/language-model.js"
import type { Evaluation } from "../../src/spec/evaluation.js"
import type { Windows } from "../../src/spec/windows.js"
import type { Experiment } from "../../src/spec/experiment.js"
import { initialState } from "../../src/train/state.js"
import { LENGTH, syntheticTokens, tinyExperiment } from "../train/tiny.js"

/** The evaluation without what every one of these tests shares. */
export type Kind = Evaluation extends infer E
  ? E extends Evaluation
    ? Omit<E, "id" | "windows"> & { readonly windows?: Partial<Windows> }
    : never
  : never

export const masked = (boundary: "free" | "maskable"): Experiment =>
  tinyExperiment({
    objective: {
      kind: "masked-diffusion",
      schedule: { kind: "log-linear", eps: 1e-3 },
      weight: "nelbo",
      times: "stratified",
      timeMin: 1e-5,
      timeMax: 0.99999,
      boundary,
    },
  })

export const causal = (): Experiment =>
  tinyExperiment({
    objective: { kind: "autoregressive" },
    model: { attention: "causal", conditioning: { kind: "none" } },
  })

/** 250 tokens of 1024 kinds with a boundary every 23: fifteen windows of 16 and ten tokens over. */
export const SPLIT = syntheticTokens(250, 9)

export const WINDOWS = 6

/** Pieces of ids 0..1023: three controls, one unknown, then words of one to three letters, every third with a space. */
export const PIECES = Array.from({ length: 1024 }, (_, id) =>
  id < 4
    ? { id, piece: `<${id}>`, score: 0, type: id === 3 ? ("unknown" as const) : ("control" as const) }
    : {
        id,
        piece: `${id % 3 === 0 ? "\u2581" : ""}${"abc".slice(0, 1 + (id % 2))}`,
        score: 0,
        type: "normal" as const,
      },
)

/** The weights at initialisation, those of the network multiplied so that predictions depend on what is visible. */
export const sharp = (experiment: Experiment, factor = 4): HostTensors => {
  const state = initialState(networkOf(experiment), experiment.training)
  return Object.fromEntries(
    Object.entries(state).map(([name, { shape, data }]) => [
      name,
      { shape, data: (data as Float32Array).map((x) => factor * x) },
    ]),
  )
}

/** The weights with a head of zeros: every prediction is uniform. */
export const uniform = (experiment: Experiment): HostTensors => {
  const state = sharp(experiment, 1)
  const head = state["head.weight"]!
  return { ...state, "head.weight": { shape: head.shape, data: new Float32Array(head.data.length) } }
}

export interface Measurement {
  readonly summary: EvaluationSummary
  readonly tensors: Awaited<ReturnType<typeof evaluate>>["tensors"]
  /** The evidence file. */
  readonly bytes: Uint8Array
}

let shared: Promise<Executor> | undefined

export const measure = async (
  experiment: Experiment,
  parameters: HostTensors,
  kind: Kind,
  split = SPLIT,
  onProgress?: { readonly total: (n: number) => void; readonly done: (n: number) => void },
): Promise<Measurement> => {
  shared ??= makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  const evaluation = {
    ...kind,
    id: "test",
    windows: { length: LENGTH, count: WINDOWS, alignment: "raw-stream", ...kind.windows },
  } as Evaluation
  const { tensors, metadata } = await evaluate({
    evaluation,
    experiment,
    network: networkOf(experiment),
    parameters,
    executor: await shared,
    precision: "fp32",
    split,
    corpus: {
      tokenizer: { pieces: PIECES } as never,
      tokenizerDigest: "sha256:test",
      validationDigests: ["sha256:test"],
      validation: ["test"],
    },
    step: 0,
    ...(onProgress === undefined ? {} : { onStart: onProgress.total, onProgress: onProgress.done }),
  })
  const file = { tensors: new Map(Object.entries(tensors)), metadata }
  return {
    summary: summarise(file, "test", "test").at(-1) as EvaluationSummary,
    tensors,
    bytes: encodeSafetensors(tensors, metadata),
  }
}

const one = (tokens: Int32Array): ScoredWindows => ({
  tokens,
  count: 1,
  length: tokens.length,
  starts: Int32Array.of(0),
  available: 1,
})

/**
 * Two codes of windows that begin with a boundary token by one causal network: left to right as of a masked model, the
 * boundary token free, and next-token scoring of the rest.
 */
export const bothCodes = async (
  experiment: Experiment,
  parameters: HostTensors,
  windows: readonly Int32Array[],
): Promise<readonly { readonly chain: OrderEvidence; readonly next: StreamEvidence }[]> => {
  const { tokenizer } = experiment.data
  shared ??= makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  const scorer = await makeCausalScorer(await shared, networkOf(experiment), parameters, {
    length: LENGTH - 1,
  })
  /** Token c of a row from its prefix alone: what stands at c and after it, MASK, is never an input that counts. */
  const prefixes: Scorer = {
    score: async (rows) =>
      (
        await scorer.score(
          rows.map(({ inputIds, columns, targets }) => ({
            inputIds: inputIds.slice(0, LENGTH - 1),
            targets: new Int32Array(LENGTH - 1).fill(targets[0]!, columns[0]! - 1, columns[0]!),
          })),
        )
      ).map((nats, i) => nats.slice(rows[i]!.columns[0]! - 1, rows[i]!.columns[0]!)),
    forwards: scorer.forwards,
    dispose: scorer.dispose,
  }
  const codes: { chain: OrderEvidence; next: StreamEvidence }[] = []
  for (const row of windows) {
    if (row[0] !== tokenizer.boundaryId || row.lastIndexOf(tokenizer.boundaryId) !== 0)
      throw new Error("each window begins with its only boundary token")
    codes.push({
      chain: await measureOrder(prefixes, one(row), {
        schedule: { kind: "log-linear", eps: 1e-3 },
        rule: { ...tokenizer, boundary: "free" },
        order: "left-to-right",
        seed: 0,
      }),
      next: await measureAutoregressive(scorer, one(row.slice(1)), row[0]!, { tail: "C" }),
    })
  }
  await scorer.dispose()
  return codes
}
