/**
 * Samplers run adapters merged into their layers, W + alpha / rank B A, added once by the executor: the merged weights of
 * peft 0.15.1 (goldens/README.md), and the function of the adapters beside the weights.
 */
import { fileURLToPath } from "node:url"
import t, { type Test } from "tap"
import type { Executor } from "../../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../../src/engine/onnxruntime/index.js"
import { makeTensorflowExecutor } from "../../../src/engine/tensorflow/index.js"
import { makeTfjsExecutor } from "../../../src/engine/tfjs/index.js"
import { lladaGaps, lladaHidden, lladaLogits } from "../../../src/families/llada/network.js"
import { HEAD, lladaName, lladaParameters } from "../../../src/families/llada/parameters.js"
import { sampledLlada } from "../../../src/families/llada/sampled.js"
import type { LladaModel } from "../../../src/families/llada/schema.js"
import { readSafetensors, toFloat32 } from "../../../src/files/safetensors.js"
import type { SampledNetwork } from "../../../src/model/sampled-network.js"
import { openForward } from "../../../src/samplers/executor/forward.js"
import { testWithLibrary } from "../../engine/tensorflow/available.js"
import { openTorch, testWithTorch } from "../../engine/torch/available.js"

t.setTimeout(540_000)

const at = (name: string): string => fileURLToPath(new URL(`goldens/${name}`, import.meta.url))
const stored = (await readSafetensors(at("weights.safetensors"))).tensors
const { tensors } = await readSafetensors(at("tensors.safetensors"))
const values = Object.fromEntries(
  [...stored].map(([name, tensor]) => [lladaName(name), { shape: tensor.shape, data: toFloat32(tensor) }]),
)
const MODEL: LladaModel = {
  kind: "llada",
  layers: 9,
  width: 32,
  heads: 4,
  mlpWidth: 96,
  ropeBase: 500_000,
  rmsEps: 1e-5,
  tableRows: 200,
  attentionMask: "ignored",
  frozen: true,
  lora: { rank: 4, alpha: 8 },
  flex: { groupSize: 8, gapScale: 1024 },
}
const PAD = 198

const merged = sampledLlada(MODEL)
const all = lladaParameters(MODEL)
const isHead = (name: string): boolean => name.startsWith(`${HEAD}.`)
/** The same network with its adapters beside the weights. */
const { merged: _merged, ...rest } = merged
const beside: SampledNetwork = {
  ...rest,
  parameters: {
    body: all.filter(({ name }) => !isHead(name)),
    head: all.filter(({ name }) => isHead(name)),
  },
  body: (p, feeds) => {
    const features = lladaHidden(p, feeds, MODEL)
    return { features, gaps: lladaGaps(p, features, MODEL) }
  },
  logits: (p, features) => lladaLogits(p, features, MODEL),
}

const STATES = [
  { tokens: Int32Array.from({ length: 12 }, (_, i) => (17 * i + 3) % 197), t: 0.3 },
  { tokens: Int32Array.of(5, 199, 9, 199, 40), t: 0.8 },
]
const IDS = [0, 7, 61, 150, 197]

/** Gaps of every slot, and probabilities at every position. */
const answers = async (executor: Executor, network: SampledNetwork) => {
  const forward = await openForward(executor, network, values, { canvas: 16, padId: PAD })
  const pass = await forward.forward(STATES)
  const places = STATES.flatMap(({ tokens }, row) =>
    [...tokens.keys()].map((position) => ({ row, position })),
  )
  const probabilities: number[] = []
  for (const id of IDS) probabilities.push(...(await pass.probability(places, id)))
  await forward.dispose()
  return { gaps: pass.gaps.flatMap((row) => Array.from(row)), probabilities }
}

const largest = (ours: readonly number[], others: readonly number[]): number =>
  Math.max(...ours.map((x, i) => Math.abs(x - others[i]!))) / Math.max(...others.map(Math.abs))

const check = async (t: Test, executor: Executor): Promise<void> => {
  const [once, each] = [await answers(executor, merged), await answers(executor, beside)]
  t.equal(once.gaps.length, 13 + 6)
  t.equal(once.probabilities.length, IDS.length * 17)
  // The goldens' tolerance of logits: 2e-5 of the largest.
  t.ok(largest(once.gaps, each.gaps) < 2e-5, `gaps: ${largest(once.gaps, each.gaps)}`)
  t.ok(largest(once.probabilities, each.probabilities) < 2e-5, `probabilities: ${largest(once.probabilities, each.probabilities)}`) // prettier-ignore

  const Q = "model.transformer.blocks.0.q_proj"
  const names = [Q, HEAD].flatMap((layer) =>
    ["", ".lora_A", ".lora_B"].map((part) => `${layer}${part}.weight`),
  )
  const specs = names.map((name) => ({ name, shape: values[name]!.shape }))
  const under = await executor.weights({ kind: "values", tensors: specs, values })
  const over = await executor.weights({
    kind: "values",
    tensors: [],
    values: {},
    over: under,
    merged: [Q, HEAD].map((layer) => ({
      weight: `${layer}.weight`,
      a: `${layer}.lora_A.weight`,
      b: `${layer}.lora_B.weight`,
      scale: 2,
      storage: "f32",
    })),
  })
  t.same(over.tensors.map(({ name }) => name).sort(), [`${Q}.weight`, `${HEAD}.weight`].sort(), "no adapter is kept") // prettier-ignore
  const found = await over.read([`${Q}.weight`, `${HEAD}.weight`])
  const goldens = { [`${Q}.weight`]: "lora.merged.q_proj0", [`${HEAD}.weight`]: "lora.merged.head" }
  for (const [name, golden] of Object.entries(goldens))
    t.ok(largest(Array.from(found[name]!.data), Array.from(toFloat32(tensors.get(golden)!))) < 1e-6, golden)
  const before = await under.read([`${Q}.weight`])
  t.same(before[`${Q}.weight`]!.data, values[`${Q}.weight`]!.data, "what they lie over is as it was")
  await t.rejects(
    executor.weights({
      kind: "values",
      tensors: specs.slice(0, 2),
      values,
      merged: [{ weight: names[0]!, a: names[1]!, b: names[2]!, scale: 2, storage: "f32" }],
    }),
    /no value for the weights .*lora_B/,
  )
}

const options = { precision: "fp32", device: "cpu", threads: 1 } as const

for (const make of [makeTfjsExecutor, makeOnnxruntimeExecutor])
  void t.test(make.name, async (t) => {
    const executor = await make(options)
    await check(t, executor)
    await executor.dispose()
  })

testWithLibrary("tensorflow", async (t) => {
  const executor = await makeTensorflowExecutor(options)
  await check(t, executor)
  await executor.dispose()
})

testWithTorch("torch", async (t) => {
  await check(t, await openTorch(t))
})
