/** Identities between evaluators on networks, from spec to summary. */
import { test } from "tap"
import { LENGTH } from "../train/tiny.js"
import { bothCodes, causal, masked, measure, sharp, SPLIT, uniform, WINDOWS, type Kind } from "./harness.js"

const TOKENS = WINDOWS * LENGTH

/** Sequences that an evaluator puts through the network, for a number of maskable tokens. */
const forwards = (kind: Kind, maskable: number): number => {
  switch (kind.kind) {
    case "any-order":
      return WINDOWS * kind.draws
    case "block-nelbo":
      return WINDOWS * Math.ceil(LENGTH / kind.block) * kind.draws
    case "importance-weighted":
      return maskable * kind.samples
    default:
      return maskable
  }
}

/** Every evaluator of a masked model whose value on a uniform model has no randomness. */
const EVALUATORS: readonly Kind[] = [
  { kind: "any-order", draws: 5, seed: 1 },
  { kind: "chain-rule", order: "left-to-right", seed: 1 },
  { kind: "chain-rule", order: "right-to-left", seed: 1 },
  { kind: "chain-rule", order: "random", seed: 1 },
  { kind: "chain-rule", order: "confidence", seed: 1 },
  { kind: "sliding", stride: 4, tail: "C" },
  { kind: "block-nelbo", block: 4, draws: 2, seed: 1 },
  { kind: "importance-weighted", samples: 3, seed: 1 },
]

for (const boundary of ["free", "maskable"] as const) {
  void test(`a uniform model costs exactly 10 bits per maskable token: boundaries ${boundary}`, async (t) => {
    const experiment = masked(boundary)
    const parameters = uniform(experiment)
    // Boundaries of the stream stand at multiples of 23: 0, 23, 46, 69, 92 within the first 96 tokens.
    const maskable = boundary === "free" ? TOKENS - 5 : TOKENS
    for (const kind of EVALUATORS) {
      const { summary } = await measure(experiment, parameters, kind)
      const name = JSON.stringify(kind)
      // log2 1024 = 10; fp32 log-sum-exp of equal logits: 1e-6 relative.
      t.ok(Math.abs(summary.bits - 10 * maskable) < 1e-5 * maskable, `${name}: ${summary.bits}`)
      t.equal(summary.maskableTokens, maskable, name)
      t.equal(summary.tokens, TOKENS, name)
      t.equal(summary.boundaryTokens, 5, name)
      t.equal(summary.forwards, forwards(kind, maskable), `${name}: cost in forwards`)
      t.equal(summary.perWindow.length, WINDOWS, "one pair a window, so that runs pair")
      t.same(
        summary.perWindow.map((w) => w.tokens),
        Array<number>(WINDOWS).fill(LENGTH),
      )
      summary.perWindow.forEach((window, w) => {
        const row = SPLIT.subarray(w * LENGTH, (w + 1) * LENGTH)
        const charged = boundary === "free" ? row.filter((token) => token !== 1).length : LENGTH
        if (Math.abs(window.bits - 10 * charged) > 1e-5 * LENGTH)
          t.fail(`${name}: window ${w}: ${window.bits}`)
      })
      const sum = summary.perWindow.reduce((x, w) => x + w.bits, 0)
      t.ok(Math.abs(sum - summary.bits) < 1e-9 * summary.bits, "windows add up")
      t.equal(
        summary.perWindow.reduce((x, w) => x + w.bytes, 0),
        summary.bytes,
      )
    }
    // The T-step bound in expectation: 10 bits on maskable tokens within its own Monte-Carlo error, eps on free ones.
    const { summary } = await measure(experiment, parameters, {
      kind: "discrete-elbo",
      steps: 8,
      draws: 16,
      seed: 1,
    })
    const expected = 10 * (maskable + (boundary === "free" ? 5 * 1e-3 : 0))
    const error = Math.sqrt(summary.monteCarloVariance!)
    t.ok(
      Math.abs(summary.bits - expected) < 4 * error,
      `T-step: ${summary.bits}, expected ${expected} +- ${error}`,
    )
  })
}

void test("every evaluation counts the same bytes of the same windows", async (t) => {
  const experiment = masked("free")
  const parameters = uniform(experiment)
  const [first, ...others] = await Promise.all(
    EVALUATORS.map(async (kind) => (await measure(experiment, parameters, kind)).summary),
  )
  for (const other of others)
    t.same(
      other!.perWindow.map((w) => w.bytes),
      first!.perWindow.map((w) => w.bytes),
    )
  t.end()
})

const close = (a: number, b: number, relative: number): boolean => Math.abs(a - b) <= relative * Math.abs(b)

void test("limits in which two evaluators are one", async (t) => {
  for (const boundary of ["free", "maskable"] as const) {
    const experiment = masked(boundary)
    const parameters = sharp(experiment)
    const bits = async (kind: Kind): Promise<number> =>
      (await measure(experiment, parameters, kind)).summary.bits
    const leftToRight = await bits({ kind: "chain-rule", order: "left-to-right", seed: 1 })
    const rightToLeft = await bits({ kind: "chain-rule", order: "right-to-left", seed: 1 })
    t.notOk(close(leftToRight, rightToLeft, 1e-4), "the network is not uniform: orders differ")
    // Same rows in other batches: fp32 rounding, 1e-6 relative.
    t.ok(
      close(await bits({ kind: "block-nelbo", block: 1, draws: 1, seed: 5 }), leftToRight, 1e-6),
      "blocks of one token are left to right",
    )
    t.ok(
      close(await bits({ kind: "sliding", stride: LENGTH, tail: "C" }), leftToRight, 1e-6),
      "a stride of the whole window is left to right",
    )
    const anyOrder = await bits({ kind: "any-order", draws: 7, seed: 5 })
    t.equal(
      await bits({ kind: "block-nelbo", block: LENGTH, draws: 7, seed: 5 }),
      anyOrder,
      "one block is the any-order bound, draw for draw",
    )
    const random = await bits({ kind: "chain-rule", order: "random", seed: 5 })
    t.ok(
      close(await bits({ kind: "importance-weighted", samples: 1, seed: 5 }), random, 1e-6),
      "one path is the chain rule along a random order",
    )
    t.not(await bits({ kind: "chain-rule", order: "random", seed: 6 }), random, "the seed changes the order")
    t.notOk(
      close(await bits({ kind: "sliding", stride: 4, tail: "C" }), leftToRight, 1e-4),
      "context matters",
    )
  }
})

void test("sliding sees exactly the tokens to the left in its window", async (t) => {
  const experiment = masked("maskable")
  const parameters = sharp(experiment)
  const nats = async (split: Uint16Array): Promise<Float64Array> =>
    (await measure(experiment, parameters, { kind: "sliding", stride: 4, tail: "C" }, split)).tensors["nats"]!
      .data as Float64Array
  const before = await nats(SPLIT)
  t.equal(before.length, TOKENS)
  const changed = SPLIT.slice()
  changed[40] = 500
  const after = await nats(changed)
  // Windows start at multiples of 4 and score their last 4 of 16: token 40 is in the windows that start at 28..40,
  // and token i sees it when 40 < i and its window, which starts at 4 floor(i / 4) - 12, holds 40.
  for (let i = 0; i < TOKENS; i++) {
    const start = Math.max(0, 4 * Math.floor(i / 4) - 12)
    const sees = i >= 40 && start <= 40
    const same = Math.abs(after[i]! - before[i]!) < 1e-5
    if (same === sees) t.fail(`token ${i}: ${before[i]} and ${after[i]}`)
  }
  t.pass("96 tokens")
})

void test("tails of a sliding evaluation", async (t) => {
  const experiment = masked("maskable")
  const parameters = uniform(experiment)
  const tokens = async (tail: "A" | "B" | "C", stride: number): Promise<number> =>
    (await measure(experiment, parameters, { kind: "sliding", stride, tail })).summary.tokens
  // 96 targets, windows of 16 every 4: A and B score the last 4 again ceil(16/4) - 1 = 3 times.
  t.equal(await tokens("C", 4), 96)
  t.equal(await tokens("A", 4), 96 + 12)
  t.equal(await tokens("B", 4), 96 + 12)
  // Every 5: starts 0, 5 .. 95; the windows at 85, 90 and 95 are cut to 11, 6 and 1 tokens.
  t.equal(await tokens("C", 5), 96)
  t.equal(await tokens("A", 5), 16 + 5 * 16 + 5 + 5 + 1)
  t.equal(await tokens("B", 5), 16 + 5 * 16 + 5 + 5)
})

void test("the evidence is the same whatever the batch", async (t) => {
  const experiment = masked("free")
  const parameters = sharp(experiment)
  for (const kind of EVALUATORS) {
    const small = await measure(
      { ...experiment, execution: { evaluationBatch: 2 } } as never,
      parameters,
      kind,
    )
    const large = await measure(
      { ...experiment, execution: { evaluationBatch: 7 } } as never,
      parameters,
      kind,
    )
    t.ok(close(small.summary.bits, large.summary.bits, 1e-6), JSON.stringify(kind))
  }
})

void test("next-token targets: chunked, sliding, document chunks", async (t) => {
  const experiment = causal()
  const parameters = sharp(experiment)
  const chunked = await measure(experiment, parameters, { kind: "autoregressive", tail: "C" })
  const other = await measure(masked("maskable"), uniform(masked("maskable")), {
    kind: "any-order",
    draws: 1,
    seed: 0,
  })
  for (const name of ["tokens", "starts", "previous"])
    t.same(chunked.tensors[name]!.data, other.tensors[name]!.data, `the same ${name} as a masked evaluation`)
  t.same(
    chunked.summary.perWindow.map(({ bytes, tokens }) => [bytes, tokens]),
    other.summary.perWindow.map(({ bytes, tokens }) => [bytes, tokens]),
    "so that the values pair",
  )
  t.equal(chunked.summary.forwards, WINDOWS)
  const whole = await measure(experiment, parameters, { kind: "autoregressive", tail: "C", stride: LENGTH })
  t.equal(whole.summary.bits, chunked.summary.bits, "a stride of the window is chunked")
  const stride = await measure(experiment, parameters, { kind: "autoregressive", tail: "C", stride: 4 })
  t.equal(stride.summary.tokens, TOKENS)
  t.same(
    (stride.tensors["nats"]!.data as Float64Array).slice(0, LENGTH),
    (chunked.tensors["nats"]!.data as Float64Array).slice(0, LENGTH),
    "the first window is scored whole",
  )
  t.notOk(close(stride.summary.bits, chunked.summary.bits, 1e-4))
  const repeated = await measure(experiment, parameters, { kind: "autoregressive", tail: "A", stride: 4 })
  t.equal(repeated.summary.tokens, TOKENS + 12)
  const flat = await measure(experiment, uniform(experiment), {
    kind: "autoregressive",
    tail: "A",
    stride: 4,
  })
  // log2 1024 = 10 bits each, repetitions included; fp32 log-sum-exp.
  t.ok(close(flat.summary.bits, 10 * (TOKENS + 12), 1e-6), `${flat.summary.bits}`)
  // 23 tokens from boundary to boundary: chunks of 16 and 7 tokens, the latter with 9 PAD.
  const chunks = await measure(experiment, parameters, {
    kind: "autoregressive",
    tail: "C",
    windows: { alignment: "document-chunks" },
  })
  t.equal(chunks.summary.tokens, 3 * 23)
  t.same(
    chunks.summary.perWindow.map((w) => w.tokens),
    [16, 7, 16, 7, 16, 7],
  )
  await t.rejects(
    measure(experiment, parameters, {
      kind: "autoregressive",
      tail: "C",
      stride: 4,
      windows: { alignment: "document-chunks" },
    }),
    /a stride needs windows of the raw stream/,
  )
})

void test("a next-token evaluation sees the tokens before its target and no other", async (t) => {
  const experiment = causal()
  const parameters = sharp(experiment)
  const nats = async (split: Uint16Array, stride?: number): Promise<Float64Array> =>
    (
      await measure(
        experiment,
        parameters,
        { kind: "autoregressive", tail: "C", ...(stride === undefined ? {} : { stride }) },
        split,
      )
    ).tensors["nats"]!.data as Float64Array
  const changed = SPLIT.slice()
  changed[40] = 500
  for (const stride of [undefined, 4]) {
    const [before, after] = [await nats(SPLIT, stride), await nats(changed, stride)]
    for (let i = 0; i < TOKENS; i++) {
      // Inputs of a window begin with the token before its first target: 16 floor(i / 16) - 1 when chunked, and
      // max(0, 4 floor(i / 4) - 12) - 1 every 4.
      const first = stride === undefined ? 16 * Math.floor(i / 16) : Math.max(0, 4 * Math.floor(i / 4) - 12)
      const sees = i === 40 || (i > 40 && first - 1 <= 40)
      if (sees === Math.abs(after[i]! - before[i]!) < 1e-5)
        t.fail(`target ${i}: ${before[i]} and ${after[i]}`)
    }
  }
  t.pass("96 targets, chunked and sliding")
})

void test("left to right of a causal network is its autoregressive code", async (t) => {
  const experiment = causal()
  // Windows that begin with a boundary token: free, so that both codes charge the fifteen tokens after it.
  const windows = [0, 46, 92, 138].map((start) => Int32Array.from(SPLIT.subarray(start, start + LENGTH)))
  for (const { chain, next } of await bothCodes(experiment, sharp(experiment), windows)) {
    t.equal(chain.forwards, LENGTH - 1, "one pass a token")
    t.equal(next.forwards, 1, "one pass in all")
    chain.nats.slice(1).forEach((value, i) => {
      // The same sums in fp32: 1e-5 relative.
      if (!close(value, next.nats[i]!, 1e-5)) t.fail(`token ${i + 1}: ${value} and ${next.nats[i]}`)
    })
  }
})

void test("PAD never counts in a masked evaluation", async (t) => {
  const experiment = masked("maskable")
  for (const kind of EVALUATORS) {
    const chunks = { ...kind, windows: { alignment: "document-chunks" as const } }
    if (kind.kind === "sliding") {
      await t.rejects(
        measure(experiment, uniform(experiment), chunks),
        /sliding scoring needs windows of the raw/,
      )
      continue
    }
    const { summary } = await measure(experiment, uniform(experiment), chunks)
    t.equal(summary.tokens, 69, JSON.stringify(kind))
    t.ok(Math.abs(summary.bits - 690) < 1e-3, `${summary.bits}`)
    if (kind.kind !== "block-nelbo") t.equal(summary.forwards, forwards(kind, 69))
  }
})

void test("an evaluation that does not fit the objective is refused", async (t) => {
  await t.rejects(
    measure(masked("free"), {}, { kind: "autoregressive", tail: "C" }),
    /evaluation test: the kind autoregressive needs an autoregressive objective/,
  )
  await t.rejects(
    measure(causal(), {}, { kind: "any-order", draws: 1, seed: 0 }),
    /evaluation test: the kind any-order needs a masked-diffusion objective/,
  )
})
