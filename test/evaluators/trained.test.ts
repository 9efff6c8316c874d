/** Identities between evaluators on networks that were really trained. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "tap"
import { openShardRows } from "../../src/data/rows/training-rows.js"
import { writeShard } from "../../src/data/rows/shards.js"
import { decodeSafetensors } from "../../src/files/safetensors.js"
import { stream, uniforms } from "../../src/diffusion/philox.js"
import { chain } from "../../src/diffusion/reveal.js"
import type { HostTensors } from "../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { continuousSizeWeights, discreteSizeWeights } from "../../src/metric/code/any-order.js"
import { unigramFloor } from "../../src/metric/code/floors.js"
import { summarise } from "../../src/evaluators/index.js"
import { isCodeLength } from "../../src/evaluators/summary.js"
import type { Experiment } from "../../src/spec/experiment.js"
import { train } from "../../src/train/loop.js"
import { evaluationParameters } from "../../src/train/state.js"
import { networkOf } from "../../src/families/traced.js"
import { LENGTH, tinyExperiment } from "../train/tiny.js"
import { bothCodes, measure, type Kind, type Measurement } from "./harness.js"

/** 24 kinds of token; the next is one of three with probabilities 0.75, 0.2, 0.05. A document has 22 of them. */
const markov = (count: number, salt: number): Uint16Array => {
  const draws = uniforms(stream(salt, "sample"), [], count)
  const out = new Uint16Array(count)
  let state = 0
  for (let i = 0; i < count; i++) {
    if (i % 23 === 0) {
      out[i] = 1
      continue
    }
    const u = draws[i]!
    state = (u < 0.75 ? 5 * state + 3 : u < 0.95 ? 7 * state + 1 : state + 11) % 24
    out[i] = state + 4
  }
  return out
}

const TRAIN = markov(8000, 1)
const SPLIT = markov(1200, 2)
const WINDOWS = 16
const windows = { count: WINDOWS } as const
const EPS = 1e-3
const NATS_PER_BIT = Math.LN2

const diffusion: Experiment["objective"] = {
  kind: "masked-diffusion",
  schedule: { kind: "log-linear", eps: EPS },
  weight: "nelbo",
  times: "stratified",
  timeMin: 1e-5,
  timeMax: 0.99999,
  boundary: "maskable",
}
const adamw = { kind: "adamw", learningRate: 3e-3, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0 } as const

const experimentOf = (objective: Experiment["objective"], model: object): Experiment =>
  tinyExperiment({
    objective,
    model: { layers: 2, width: 64, ...model },
    training: {
      stepsPerGroup: 200,
      microBatch: 16,
      accumulation: 1,
      optimizer: {
        kind: "muon",
        learningRate: 0.02,
        momentum: 0.95,
        newtonSchulzSteps: 5,
        weightDecay: 0,
        rest: adamw,
      },
      schedule: { warmup: 20, warmdown: 60, shape: "linear", floor: 0.1, restart: false },
      checkpointEvery: 1000,
    },
  })

/** Without a noise level: its evaluators then need no level for a mask, and are equal where mathematics says so. */
const MASKED = experimentOf(diffusion, { conditioning: { kind: "none" } })
const LEVELS = experimentOf(diffusion, {})
const CAUSAL = experimentOf(
  { kind: "autoregressive" },
  { attention: "causal", conditioning: { kind: "none" } },
)

const trained = async (experiment: Experiment): Promise<HostTensors> => {
  const folder = await mkdtemp(join(tmpdir(), "repro-trained-"))
  const shards = [join(folder, "train.bin")]
  await writeShard(shards[0]!, TRAIN)
  const { batching, tokenizer } = experiment.data
  const { seed, stepsPerGroup } = experiment.training
  const rows = await openShardRows(shards, { batching, tokenizer, seed, stepsPerGroup })
  try {
    const { state } = await train({
      experiment,
      executor: await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 }),
      rows,
      onStep: () => undefined,
      onCheckpoint: () => Promise.resolve(),
      shouldStop: () => false,
    })
    return evaluationParameters(networkOf(experiment), experiment.training, state)
  } finally {
    await rows.close()
    await rm(folder, { recursive: true })
  }
}

const known = new Map<Experiment, Promise<HostTensors>>()
const weights = (experiment: Experiment): Promise<HostTensors> => {
  const found = known.get(experiment) ?? trained(experiment)
  known.set(experiment, found)
  return found
}
const score = async (experiment: Experiment, kind: Kind): Promise<Measurement> =>
  measure(experiment, await weights(experiment), { ...kind, windows } as Kind, SPLIT)

const scored = SPLIT.subarray(0, WINDOWS * LENGTH)
const unigram = unigramFloor({ train: TRAIN, score: scored, previous: [], vocabSize: 1024 }).bits

void test("the networks learn: far below the unigram floor of the same tokens", async (t) => {
  for (const experiment of [MASKED, LEVELS]) {
    const { summary } = await score(experiment, { kind: "any-order", draws: 8, seed: 1 })
    t.ok(summary.bits < 0.8 * unigram, `${summary.bits} bits, unigram ${unigram}`)
  }
  const { summary } = await score(CAUSAL, { kind: "autoregressive", tail: "C" })
  t.ok(summary.bits < 0.6 * unigram, `${summary.bits} bits, unigram ${unigram}`)
})

/** Mask sets of every size 1..L, `rounds` of each, as [window][size][round] nats. */
const bySize = async (experiment: Experiment, rounds: number): Promise<readonly (readonly number[])[]> => {
  const { tensors } = await score(experiment, { kind: "any-order", draws: LENGTH * rounds, seed: 5 })
  const nats = tensors["nats"]!.data as Float64Array
  const masked = tensors["masked"]!.data as Int32Array
  const sums = Array.from({ length: WINDOWS }, () => new Float64Array(LENGTH + 1))
  nats.forEach((value, i) => {
    const w = Math.floor(i / (LENGTH * rounds))
    sums[w]![masked[i]!]! += value / rounds
  })
  return sums.map((each) => Array.from(each))
}

/** Bits of all windows when the mean nats of k masked tokens weigh w_k, with the prior term of alpha_T. */
const weighted = (
  sizes: readonly (readonly number[])[],
  weightsOfSize: Float64Array,
  alpha: number,
): number =>
  sizes.reduce((sum, each) => sum + each.reduce((s, nats, k) => s + weightsOfSize[k]! * nats, 0), 0) /
    NATS_PER_BIT +
  WINDOWS * LENGTH * alpha * 10

void test("the T-step bound, drawn step by step, is the sum over mask sizes with its weights", async (t) => {
  const sizes = await bySize(MASKED, 16)
  for (const steps of [32, 128, 512]) {
    const { summary } = await score(MASKED, { kind: "discrete-elbo", steps, draws: 2, seed: 9 })
    const alphas = [1, ...chain({ kind: "log-linear", eps: EPS }, steps).map(({ alpha }) => alpha)]
    const expected = weighted(sizes, discreteSizeWeights(alphas, LENGTH), alphas.at(-1)!)
    // Two independent estimates. The step-by-step one knows its variance; that by sizes, with sixteen sets of every
    // size, has less, so that 2 times it covers both. Five standard errors.
    const error = Math.sqrt(2 * summary.monteCarloVariance!)
    t.ok(
      Math.abs(summary.bits - expected) < 5 * error,
      `T=${steps}: ${summary.bits} and ${expected} +- ${error}`,
    )
    t.ok(error < 0.03 * expected, `T=${steps}: ${error} of ${expected} has power`)
  }
})

void test("the any-order bound is the limit of the T-step bound", async (t) => {
  const sizes = await bySize(MASKED, 16)
  const limit = weighted(sizes, continuousSizeWeights(EPS, LENGTH), EPS)
  const at = (steps: number): number => {
    const alphas = [1, ...chain({ kind: "log-linear", eps: EPS }, steps).map(({ alpha }) => alpha)]
    return weighted(sizes, discreteSizeWeights(alphas, LENGTH), EPS)
  }
  const bounds = [32, 64, 128, 256, 512].map((steps) => ({ steps, bits: at(steps) }))
  // The same evidence at every T, so nothing here is noise: from above, monotone, and the excess halves with each T.
  for (const [i, { steps, bits }] of bounds.entries()) {
    t.ok(bits > limit, `T=${steps}: ${bits - limit} above`)
    if (i === 0) continue
    const ratio = (bounds[i - 1]!.bits - limit) / (bits - limit)
    t.ok(Math.abs(ratio - 2) < 0.1, `T=${steps}: ${ratio}`)
  }
  // Richardson: 2 L_512 - L_256 leaves an error of order 1/T^2.
  const extrapolated = 2 * bounds[4]!.bits - bounds[3]!.bits
  t.ok(Math.abs(extrapolated / limit - 1) < 1e-5, `${extrapolated} and ${limit}`)
  // And eps -> 0 is the any-order bound: the weights differ from 1/k by at most eps L, the prior term by eps 10 bits.
  const anyOrder = weighted(sizes, continuousSizeWeights(0, LENGTH), 0)
  const { summary } = await score(MASKED, { kind: "any-order", draws: LENGTH * 16, seed: 5 })
  t.ok(Math.abs(anyOrder / summary.bits - 1) < 1e-9, `${anyOrder} and ${summary.bits}`)
  t.ok(Math.abs(limit - anyOrder) < WINDOWS * LENGTH * EPS * 10 * 1.01, `${limit - anyOrder}`)
})

void test("with a noise level the bounds agree as far as the level of a mask does", async (t) => {
  const { summary: any } = await score(LEVELS, { kind: "any-order", draws: LENGTH * 4, seed: 5 })
  const { summary: steps } = await score(LEVELS, { kind: "discrete-elbo", steps: 512, draws: 1, seed: 9 })
  // One network, two rules for the level it is told: the mean share of the count, or that of the step. 3 % is ten
  // times what is seen here, and a tenth of what a wrong weight would do.
  t.ok(Math.abs(steps.bits / any.bits - 1) < 0.03, `${steps.bits} and ${any.bits}`)
})

void test("importance-weighted bounds fall with K, never below the best order", async (t) => {
  const { bytes, tensors } = await score(MASKED, { kind: "importance-weighted", samples: 16, seed: 3 })
  const all = summarise(decodeSafetensors(bytes, "test"), "test", "test").filter(isCodeLength)
  t.equal(all.length, 5, "K = 1, 2, 4, 8, 16")
  for (const [i, { bits, perWindow }] of all.entries()) {
    if (i === 0) continue
    t.ok(bits < all[i - 1]!.bits, `K=${2 ** i}: ${bits}`)
    perWindow.forEach((window, w) => t.ok(window.bits <= all[i - 1]!.perWindow[w]!.bits + 1e-9))
  }
  const nats = tensors["nats"]!.data as Float64Array
  const best = Array.from({ length: WINDOWS }, (_, w) => Math.min(...nats.subarray(16 * w, 16 * w + 16)))
  all[4]!.perWindow.forEach(({ bits }, w) => {
    // Between the best of 16 orders and that plus ln 16.
    t.ok(bits * NATS_PER_BIT >= best[w]! - 1e-9 && bits * NATS_PER_BIT <= best[w]! + Math.log(16) + 1e-9)
  })
  // K = 1 is the mean over orders: the any-order bound. Standard error of both from their own draws.
  const any = await score(MASKED, { kind: "any-order", draws: LENGTH * 16, seed: 5 })
  const error = Math.sqrt(all[0]!.monteCarloVariance! + any.summary.monteCarloVariance!)
  t.ok(
    Math.abs(all[0]!.bits - any.summary.bits) < 5 * error,
    `${all[0]!.bits} and ${any.summary.bits} +- ${error}`,
  )
})

void test("left to right of the trained causal network is its autoregressive code", async (t) => {
  // Documents of 23 tokens: every window begins with its boundary token and holds no other.
  const rows = [0, 23, 46, 69, 92].map((start) => Int32Array.from(SPLIT.subarray(start, start + LENGTH)))
  for (const { chain: masks, next } of await bothCodes(CAUSAL, await weights(CAUSAL), rows)) {
    const apart = masks.nats.slice(1).map((value, i) => Math.abs(value - next.nats[i]!))
    // The same sums in fp32, in batches of other sizes: 1e-5 nats a token.
    t.ok(Math.max(...apart) < 1e-5, `${Math.max(...apart)} nats`)
  }
})

void test("an order's code is one code: blocks of one, sliding over its own length, and evidence that adds up", async (t) => {
  const left = await score(MASKED, { kind: "chain-rule", order: "left-to-right", seed: 1 })
  const blocks = await score(MASKED, { kind: "block-nelbo", block: 1, draws: 1, seed: 1 })
  const sliding = await score(MASKED, { kind: "sliding", stride: LENGTH, tail: "C" })
  // Three evaluators, one sequence of masks: the same fp32 sums up to the batch they are in, 1e-5 nats a token.
  const close = (a: number, b: number): boolean => Math.abs(a - b) * NATS_PER_BIT < 1e-5 * LENGTH
  left.summary.perWindow.forEach(({ bits }, w) => {
    t.ok(close(bits, blocks.summary.perWindow[w]!.bits), `window ${w}: blocks`)
    t.ok(close(bits, sliding.summary.perWindow[w]!.bits), `window ${w}: sliding`)
  })
  for (const { summary, tensors } of [left, sliding]) {
    const nats = (tensors["nats"]!.data as Float64Array).reduce((a, b) => a + b, 0)
    t.ok(
      Math.abs(nats / NATS_PER_BIT - summary.bits) < 1e-9 * summary.bits,
      "the nats of the tokens are the sum",
    )
    const windowsSum = summary.perWindow.reduce((sum, { bits }) => sum + bits, 0)
    t.ok(Math.abs(windowsSum - summary.bits) < 1e-9 * summary.bits)
  }
  const steps = await score(MASKED, { kind: "discrete-elbo", steps: 64, draws: 2, seed: 9 })
  const shares = (steps.tensors["tokenNats"]!.data as Float64Array).reduce((a, b) => a + b, 0)
  // Each token's share of the bound; the prior term belongs to none.
  t.ok(
    Math.abs(shares / NATS_PER_BIT + steps.summary.terminalBits - steps.summary.bits) <
      1e-9 * steps.summary.bits,
  )
})
