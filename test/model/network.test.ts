/**
 * Networks against PyTorch 2.13 in float64 (test/model/oracle/generate.py), on the `cpu` backend in float32.
 *
 * Tolerance: 2e-5 of the largest entry for losses, nats and every parameter's gradient; central differences with
 * step 1e-2 within 1e-2 of the parameter's largest gradient.
 */
import { test, type Test } from "tap"
import { nextTokenFeeds } from "../../src/diffusion/batch.js"
import { countParameters, initialise } from "../../src/model/parameters.js"
import { networkOf } from "../../src/families/traced.js"
import type { Network } from "../../src/model/network.js"
import * as tf from "../../src/model/tf.js"
import type { GptModel, MdlmModel } from "../../src/spec/model.js"
import {
  close,
  differentiate,
  feedTensors,
  golden,
  GPT,
  IDS,
  largest,
  maskedFeeds,
  MDLM,
  networkFor,
  read,
  tensors,
  unpack,
  VOCAB,
  type Golden,
} from "./golden.js"

await tf.useCpuBackend()

type Named = Record<string, tf.Tensor>

const compare = (t: Test, network: Network, g: Golden, feeds: Named): void => {
  const parameters = tensors(g.parameters)
  t.same(
    network.parameters.map(({ name, shape }) => [name, shape]),
    Object.entries(g.parameters).map(([name, { shape }]) => [name, shape]),
    "names, order and shapes of the state dict",
  )
  const { loss, gradients } = differentiate(network, parameters, feeds)
  close(t, [loss], [g.loss], 2e-5, "loss")
  close(t, read(network.nats(parameters, feeds)).slice(0, g.nats.length), g.nats, 2e-5, "nats")
  for (const [name, expected] of Object.entries(g.gradients))
    close(t, read(gradients[name]!), unpack(expected), 2e-5, `gradient of ${name}`)
}

/** A few coordinates of every parameter by central differences, largest gradient first. */
const differences = (t: Test, network: Network, g: Golden, feeds: Named): void => {
  const parameters = tensors(g.parameters)
  for (const [name, packed] of Object.entries(g.parameters)) {
    const base = unpack(packed)
    const gradient = unpack(g.gradients[name]!)
    const order = [...gradient.keys()].sort((a, b) => Math.abs(gradient[b]!) - Math.abs(gradient[a]!))
    for (const i of [order[0]!, order[Math.floor(order.length / 3)]!]) {
      const at = (delta: number): number => {
        const moved = base.slice()
        moved[i]! += delta
        return read(network.loss({ ...parameters, [name]: tf.tensor(moved, [...packed.shape]) }, feeds))[0]!
      }
      const estimate = (at(3e-3) - at(-3e-3)) / 6e-3
      const allowed = 2e-2 * largest(gradient) + 2e-3
      t.ok(Math.abs(estimate - gradient[i]!) <= allowed, `${name}[${i}]: ${estimate} for ${gradient[i]}`)
    }
  }
}

const gated: MdlmModel = {
  ...MDLM,
  kvHeads: 1,
  mlpBias: true,
  headBias: true,
  modulation: "gated",
  conditioning: { kind: "sigma", frequencies: 3, hidden: 5, output: 4 },
}
const bidirectionalGpt: GptModel = { ...GPT, attention: "bidirectional", tableRows: 14 }

test("the #1241 network equals the oracle's dense substitution head", async (t) => {
  const g = golden("mdlm")
  // The oracle computes logits of all 13 ids at all positions, blocks MASK and PAD at -1e6 and masks afterwards.
  compare(t, networkFor(MDLM), g, maskedFeeds(g))
})

test("without spare capacity the numbers are the same", async (t) => {
  const g = golden("mdlm")
  compare(t, networkFor(MDLM), g, maskedFeeds(g, g.nats.length))
})

test("the gradient without slots is the same", async (t) => {
  const g = golden("mdlm")
  const feeds = maskedFeeds(g)
  delete feeds["slots"]
  compare(t, networkFor(MDLM), g, feeds)
})

test("central differences agree with the oracle's gradients", async (t) => {
  const g = golden("mdlm")
  differences(t, networkFor(MDLM), g, maskedFeeds(g))
})

test("gates, grouped queries and biases equal the oracle's", async (t) => {
  const g = golden("mdlm-gated")
  compare(t, networkFor(gated), g, maskedFeeds(g))
})

test("the baseline with bidirectional attention equals the oracle's", async (t) => {
  const g = golden("gpt-masked")
  compare(t, networkFor(bidirectionalGpt), g, maskedFeeds(g))
})

const nextToken = (g: Golden): Named =>
  feedTensors(nextTokenFeeds(Int32Array.from(g.inputs), Int32Array.from(g.targets), 6, IDS.padId))

test("the autoregressive baseline equals the oracle's", async (t) => {
  const g = golden("gpt")
  compare(t, networkFor(GPT, "autoregressive"), g, nextToken(g))
  differences(t, networkFor(GPT, "autoregressive"), g, nextToken(g))
})

test("the #1241 network with a causal mask equals the oracle's", async (t) => {
  const g = golden("mdlm-causal")
  const network = networkFor({ ...MDLM, attention: "causal", layers: 1 }, "autoregressive")
  compare(t, network, g, { ...nextToken(g), sigma: tf.zeros([2]) })
})

test("conditioning none is noise level 0 through the published path", async (t) => {
  const conditioned: MdlmModel = { ...MDLM, conditioning: { kind: "sigma", frequencies: 64, hidden: 512 } }
  const unconditioned: MdlmModel = { ...MDLM, conditioning: { kind: "none" } }
  const bare = networkFor(unconditioned)
  const full = networkFor(conditioned)
  t.same(bare.parameters, full.parameters)
  const parameters = Object.fromEntries(
    Object.entries(initialise(full.parameters, 3)).map(([n, v]) => [n, tf.tensor(v.data, [...v.shape])]),
  )
  const feeds = maskedFeeds(golden("mdlm"))
  const a = differentiate(full, parameters, { ...feeds, sigma: tf.zeros([3]) })
  const { sigma: _, ...without } = feeds
  const b = differentiate(bare, parameters, without)
  close(t, [b.loss], [a.loss], 1e-6, "loss")
  for (const [name, gradient] of Object.entries(a.gradients))
    close(t, read(b.gradients[name]!), read(gradient), 2e-5, name)
  t.notOk(bare.feeds("loss", { rows: 1, length: 4, capacity: 2 }).some((f) => f.name === "sigma"))
})

test("log-probabilities are normalised over the vocabulary and give the nats", async (t) => {
  for (const [model, name] of [
    [MDLM, "mdlm"],
    [gated, "mdlm-gated"],
    [bidirectionalGpt, "gpt-masked"],
  ] as const) {
    const g = golden(name)
    const network = networkFor(model)
    const feeds = maskedFeeds(g)
    const parameters = tensors(g.parameters)
    const logProbs = network.logProbs(parameters, feeds)
    t.same(logProbs.shape, [20, VOCAB])
    const values = read(logProbs)
    const nats = read(network.nats(parameters, feeds))
    const targets = read(feeds["targets"]!)
    close(
      t,
      nats,
      Array.from(nats, (_, j) => -values[j * VOCAB + targets[j]!]!),
      1e-6,
      "nats",
    )
    for (let j = 0; j < 20; j++) {
      const mass = values.slice(j * VOCAB, (j + 1) * VOCAB).reduce((s, v) => s + Math.exp(v), 0)
      close(t, [mass], [1], 1e-6, `mass at slot ${j}`)
    }
  }
})

test("a causal network does not see later tokens, a bidirectional one does", async (t) => {
  for (const attention of ["causal", "bidirectional"] as const) {
    const g = golden("mdlm")
    const network = networkFor({ ...MDLM, attention })
    const feeds = maskedFeeds(g)
    const changed = Int32Array.from(g.xt)
    changed[7] = changed[7] === 4 ? 5 : 4
    const nats = (ids: Int32Array): Float32Array =>
      read(network.nats(tensors(g.parameters), { ...feeds, inputIds: tf.tensor(ids, [3, 8], "int32") }))
    const [before, after] = [nats(Int32Array.from(g.xt)), nats(changed)]
    const first = read(feeds["positions"]!).findIndex((p) => p < 7)
    t.equal(before[first] === after[first], attention === "causal", attention)
  }
})

const published = (model: MdlmModel | GptModel, vocabSize = 1024): Network =>
  networkOf({ model, objective: { kind: "masked-diffusion" }, data: { tokenizer: { vocabSize } } })

const PAPER: MdlmModel = {
  ...MDLM,
  layers: 11,
  width: 512,
  heads: 8,
  tableRows: 1088,
  conditioning: { kind: "sigma", frequencies: 64, hidden: 512 },
}

test("parameter counts are the published ones", async (t) => {
  // parameter-golf PR #1241, v5_results.json: params 32 987 776.
  t.equal(countParameters(published(PAPER).parameters), 32_987_776)
  // parameter-golf PR #820: 21 327 617.
  const pr820: MdlmModel = {
    ...PAPER,
    layers: 9,
    kvHeads: 4,
    mlpRatio: 2,
    mlpBias: true,
    headBias: true,
    tableRows: 1025,
    modulation: "gated",
    conditioning: { kind: "sigma", frequencies: 128, hidden: 128, output: 128 },
  }
  t.equal(countParameters(published(pr820).parameters), 21_327_617)
  // parameter-golf 2026-03-17_NaiveBaseline, train.log: model_params:17059912.
  const baseline: GptModel = { ...GPT, layers: 9, width: 512, heads: 8, kvHeads: 4, logitSoftcap: 30 }
  t.equal(countParameters(published(baseline).parameters), 17_059_912)
})

/** Mean and standard deviation. */
const moments = (x: Float32Array): readonly [number, number] => {
  const mean = x.reduce((s, v) => s + v, 0) / x.length
  return [mean, Math.sqrt(x.reduce((s, v) => s + (v - mean) ** 2, 0) / x.length)]
}

test("initial values follow the published distributions and the seed", async (t) => {
  const small: MdlmModel = { ...PAPER, layers: 1, width: 128, heads: 4, tableRows: 300 }
  const specs = published(small, 256).parameters
  const first = initialise(specs, 42)
  const table = first["wte.weight"]!.data
  const [mean, deviation] = moments(table)
  // 38 400 standard normal numbers: standard errors 0.0051 and 0.0036; five of each allowed.
  t.ok(Math.abs(mean) < 0.026 && Math.abs(deviation - 1) < 0.018, `embedding ${mean} ${deviation}`)
  const query = first["blocks.0.attn.c_q.weight"]!.data
  const bound = 1 / Math.sqrt(128)
  t.ok(largest(query) <= bound && largest(query) > 0.999 * bound, "U(-1/sqrt(fanIn), 1/sqrt(fanIn))")
  // 16 384 uniform numbers: standard deviation bound/sqrt(3), standard error 0.35 %.
  t.ok(Math.abs(moments(query)[1] / (bound / Math.sqrt(3)) - 1) < 0.018)
  t.same(initialise(specs, 42), first, "same seed, same numbers")
  t.not(initialise(specs, 43)["wte.weight"]!.data[0], table[0])
  const deeper = initialise(published({ ...small, layers: 2 }, 256).parameters, 42)
  t.same(deeper["head.weight"], first["head.weight"], "another depth leaves the other parameters alone")
  const silent: MdlmModel = { ...small, init: "zero-output" }
  const quiet = initialise(published(silent, 256).parameters, 42)
  for (const name of ["blocks.0.adaln_attn.proj.bias", "blocks.0.attn.c_proj.weight", "head.weight"])
    t.equal(largest(quiet[name]!.data), 0, `${name} starts at zero`)
  t.ok(largest(quiet["blocks.0.attn.c_q.weight"]!.data) > 0)
})

test("the expected cross-entropy at the start is ln V + 1/6", async (t) => {
  // Derived: rms-normed activations of width 512 and head weights U(-1/sqrt 512, 1/sqrt 512) give logits of
  // variance 1/3, hence E[logsumexp] - E[logit] = ln 1024 + 1/6 = 7.0981 nats for the published network.
  const model: MdlmModel = { ...PAPER, layers: 1, width: 128, heads: 2, tableRows: 1088 }
  const network = published(model)
  const parameters = Object.fromEntries(
    Object.entries(initialise(network.parameters, 1)).map(([n, v]) => [n, tf.tensor(v.data, [...v.shape])]),
  )
  const count = 64
  const feeds = {
    inputIds: tf.tensor(new Int32Array(64).fill(1024), [4, 16]),
    sigma: tf.tensor1d([0.1, 0.5, 1, 5]),
    positions: tf.range(0, count, 1, "int32"),
    targets: tf.tensor1d(
      Int32Array.from({ length: count }, (_, i) => (i * 131) % 1024),
      "int32",
    ),
  }
  const nats = read(network.nats(parameters, feeds))
  const mean = nats.reduce((s, v) => s + v, 0) / count
  // 64 targets of standard deviation 0.577: standard error 0.07.
  t.ok(Math.abs(mean - 7.0981) < 0.3, `mean ${mean}`)
})
