/**
 * LLaDA, its adapters, and its extension to FlexMDM against the public code at tiny size (goldens/README.md).
 * Tolerances of the goldens: values within 2e-5 of the largest, losses 1e-5 and gradient norms 1e-4 relative.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import t from "tap"
import { readSafetensors, toFloat32, type StoredTensor } from "../../../src/files/safetensors.js"
import type { LladaModel } from "../../../src/families/llada/schema.js"
import { lladaGaps, lladaHidden, lladaLogits } from "../../../src/families/llada/network.js"
import {
  addedParameters,
  backboneParameters,
  lladaName,
  lladaParameters,
} from "../../../src/families/llada/parameters.js"
import { mergeLora } from "../../../src/model/lora.js"
import { countParameters, initialise, type FloatTensor } from "../../../src/model/parameters.js"
import * as tf from "../../../src/model/tf.js"
import { flexmdmLoss } from "../../../src/objectives/flexmdm/loss.js"

await tf.useCpuBackend()

const at = (name: string): string => fileURLToPath(new URL(`goldens/${name}`, import.meta.url))
const weights = (await readSafetensors(at("weights.safetensors"))).tensors
const tensors = (await readSafetensors(at("tensors.safetensors"))).tensors

interface FlexLoss {
  readonly loss_times_accum_inverse: number
  readonly unmask_loss: number
  readonly insertion_loss: number
  readonly normaliser: number
  readonly grad_norms: Readonly<Record<string, number>>
}
const values = JSON.parse(readFileSync(at("values.json"), "utf8")) as {
  readonly flex_loss: Readonly<Record<string, FlexLoss>>
}

const [PAD, MASK, VOCAB] = [198, 199, 200]
const LORA = { rank: 4, alpha: 8 } as const
const BACKBONE: LladaModel = {
  kind: "llada",
  layers: 9,
  width: 32,
  heads: 4,
  mlpWidth: 96,
  ropeBase: 500_000,
  rmsEps: 1e-5,
  tableRows: VOCAB,
  attentionMask: "ignored",
  frozen: false,
}
const FLEX: LladaModel = { ...BACKBONE, lora: LORA, flex: { groupSize: 8, gapScale: 1024 }, frozen: true }

const host = (keep: (name: string) => boolean): Record<string, FloatTensor> =>
  Object.fromEntries(
    [...weights]
      .filter(([name]) => keep(name))
      .map(([name, tensor]) => [lladaName(name), { shape: tensor.shape, data: toFloat32(tensor) }]),
  )
const onBackend = (all: Readonly<Record<string, FloatTensor>>): Record<string, tf.Tensor> =>
  Object.fromEntries(Object.entries(all).map(([n, { shape, data }]) => [n, tf.tensor(data, [...shape])]))

const backbone = host((name) => name.startsWith("model."))
const withLora = host((name) => name.startsWith("model.") || name.startsWith("peft."))
const everything = host(() => true)

const stored = (name: string): StoredTensor => tensors.get(name)!
const floats = (name: string): Float32Array => toFloat32(stored(name))
const integers = (name: string): tf.Tensor =>
  tf.tensor(Int32Array.from(stored(name).data as ArrayLike<number>), [...stored(name).shape], "int32")

/** Largest difference as a share of the largest expected value. */
const difference = (ours: ArrayLike<number>, theirs: Float32Array): number => {
  let [worst, largest] = [0, 0]
  theirs.forEach((x, i) => {
    worst = Math.max(worst, Math.abs(x - ours[i]!))
    largest = Math.max(largest, Math.abs(x))
  })
  return worst / largest
}

const ids = integers("backbone.input_ids")
/** The rows with one PAD more, as FlexMDM gives them. */
const withEnd = (x: tf.Tensor): tf.Tensor => tf.concat([x, tf.fill([x.shape[0]!, 1], PAD, "int32")], 1)

t.test("names and shapes", (t) => {
  const specs = lladaParameters(FLEX)
  t.same(Object.keys(everything).sort(), specs.map((p) => p.name).sort())
  for (const { name, shape } of specs) t.same(everything[name]!.shape, shape, name)
  // reference: LLaDA-8B has 8 015 581 184 parameters, FlexMDM trains 402 657 281 (counted from the published shapes).
  const large: LladaModel = {
    ...FLEX,
    layers: 32,
    width: 4096,
    heads: 32,
    mlpWidth: 12_288,
    tableRows: 126_464,
    lora: { rank: 128, alpha: 128 },
  }
  t.equal(countParameters(backboneParameters(large)), 8_015_581_184)
  t.equal(countParameters(addedParameters(large)), 402_657_281)
  t.end()
})

t.test("backbone, its attention mask ignored and honoured", (t) => {
  const p = onBackend(backbone)
  const ignored = lladaHidden(p, { inputIds: ids }, BACKBONE)
  t.ok(difference(ignored.dataSync(), floats("backbone.hidden_last")) < 2e-5, "last hidden states")
  t.ok(difference(lladaLogits(p, ignored, BACKBONE).dataSync(), floats("backbone.logits")) < 2e-5, "logits")
  const mask = stored("backbone.attention_mask")
  const [rows, length] = mask.shape as [number, number]
  const lengths = Int32Array.from({ length: rows }, (_, r) =>
    Array.from(mask.data as ArrayLike<number>)
      .slice(r * length, (r + 1) * length)
      .reduce((a, b) => a + b, 0),
  )
  const model: LladaModel = { ...BACKBONE, attentionMask: "honoured" }
  const honoured = lladaHidden(p, { inputIds: ids, lengths: tf.tensor1d(lengths, "int32") }, model)
  const ours = lladaLogits(p, honoured, model).dataSync()
  t.ok(difference(ours, floats("backbone.logits_with_attention_mask")) < 2e-5, "logits with the mask")
  t.end()
})

t.test("adapters, beside the weights and merged into them", (t) => {
  const model: LladaModel = { ...BACKBONE, lora: LORA }
  const p = onBackend(withLora)
  const beside = lladaLogits(p, lladaHidden(p, { inputIds: ids }, model), model).dataSync()
  t.ok(difference(beside, floats("lora.logits")) < 2e-5, "logits")
  const merged = mergeLora(withLora, LORA)
  t.same(Object.keys(merged).sort(), Object.keys(backbone).sort(), "merging leaves the backbone's names")
  t.ok(difference(merged["model.transformer.ff_out.weight"]!.data, floats("lora.merged.head")) < 1e-6)
  t.ok(
    difference(merged["model.transformer.blocks.0.q_proj.weight"]!.data, floats("lora.merged.q_proj0")) <
      1e-6,
  )
  const m = onBackend(merged)
  const inside = lladaLogits(m, lladaHidden(m, { inputIds: ids }, BACKBONE), BACKBONE).dataSync()
  t.ok(difference(inside, floats("lora.logits_merged")) < 2e-5, "logits of the merged weights")
  t.end()
})

t.test(
  "adapters and modulation that start at zero leave the backbone's logits as they were, bit for bit",
  (t) => {
    const added = initialise(addedParameters(FLEX), 1)
    const p = onBackend({ ...backbone, ...added })
    const plain = onBackend(backbone)
    const inputIds = withEnd(ids)
    const feeds = { inputIds, time: tf.tensor1d([0.3, 0.8]) }
    const ours = lladaLogits(p, lladaHidden(p, feeds, FLEX), FLEX).dataSync()
    t.same(ours, lladaLogits(plain, lladaHidden(plain, { inputIds }, BACKBONE), BACKBONE).dataSync())
    t.end()
  },
)

t.test("time path and gap head", (t) => {
  const p = onBackend(everything)
  for (const name of ["flex.t0", "flex.t1"]) {
    const feeds = { inputIds: withEnd(ids), time: tf.tensor1d(floats(`${name}.t`)) }
    const hidden = lladaHidden(p, feeds, FLEX)
    t.ok(difference(lladaGaps(p, hidden, FLEX).dataSync(), floats(`${name}.length`)) < 2e-5, `${name}: gaps`)
    const first = tf.slice(
      tf.reshape(lladaLogits(p, hidden, FLEX), [2, 25, VOCAB]),
      [0, 0, 0],
      [2, 24, VOCAB],
    )
    t.ok(difference(first.dataSync(), floats(`${name}.logits`)) < 2e-5, `${name}: logits`)
  }
  t.end()
})

for (const name of ["linear.free", "linear.prompt", "geometric.free", "geometric.prompt"]) {
  t.test(`loss and gradients, ${name}`, (t) => {
    const golden = values.flex_loss[name]!
    const at = `interp.${name}`
    const [rows, length] = stored(`${at}.xt`).shape as [number, number]
    const xt = Array.from(stored(`${at}.xt`).data as ArrayLike<number>)
    const target = Array.from(stored(`${at}.target`).data as ArrayLike<number>)
    const gapTargets = Array.from(stored(`${at}.gaps`).data as ArrayLike<number>)
    const valid = Array.from(stored(`${at}.gap_valid`).data as ArrayLike<number>)
    const [wUnmask, wInsert] = [floats(`${at}.w_unmask`), floats(`${at}.w_insert`)]
    const divisor = rows * golden.normaliser
    const positions: number[] = []
    const slots: number[] = []
    xt.forEach((id, i) => {
      if (id === MASK) positions.push(i)
    })
    valid.forEach((v, i) => {
      if (v !== 0) slots.push(i)
    })
    const width = length + 1
    const feeds = {
      inputIds: withEnd(tf.tensor2d(xt, [rows, length], "int32")),
      time: tf.tensor1d(floats(`${at}.t`)),
      targets: tf.tensor1d(
        positions.map((i) => target[i]!),
        "int32",
      ),
      weights: tf.tensor1d(positions.map((i) => wUnmask[Math.floor(i / length)]! / divisor)),
      gapTargets: tf.tensor1d(slots.map((i) => gapTargets[i]!)),
      gapWeights: tf.tensor1d(slots.map((i) => wInsert[Math.floor(i / width)]! / divisor)),
    }
    const tokenAt = tf.tensor1d(
      positions.map((i) => Math.floor(i / length) * width + (i % length)),
      "int32",
    )
    const slotAt = tf.tensor1d(slots, "int32")
    const frozen = onBackend(backbone)
    const trained = Object.fromEntries(
      addedParameters(FLEX).map(({ name: own }) => [own, onBackend({ [own]: everything[own]! })[own]!]),
    )
    const names = Object.keys(trained)
    const loss = (...given: tf.Tensor[]): tf.Scalar => {
      const p = { ...frozen, ...Object.fromEntries(names.map((own, i) => [own, given[i]!])) }
      const hidden = lladaHidden(p, feeds, FLEX)
      const logits = lladaLogits(p, tf.gather(hidden, tokenAt), FLEX)
      return flexmdmLoss(logits, lladaGaps(p, tf.gather(hidden, slotAt), FLEX), feeds) as tf.Scalar
    }
    const { value, grads } = tf.valueAndGrads(loss)(Object.values(trained))
    const expected = golden.unmask_loss + golden.insertion_loss
    t.ok(Math.abs(value.dataSync()[0]! / expected - 1) < 1e-5, "loss")
    // The stored norms are those of the loss divided by two accumulation steps.
    const half = golden.loss_times_accum_inverse / expected
    t.equal(Object.keys(golden.grad_norms).length, names.length)
    for (const [published, norm] of Object.entries(golden.grad_norms)) {
      const own = lladaName(published)
      const g = grads[names.indexOf(own)]!.dataSync()
      const ours = half * Math.sqrt(Array.from(g).reduce((sum, x) => sum + x * x, 0))
      t.ok(Math.abs(ours - norm) <= 1e-4 * norm + 1e-9, `gradient norm of ${own} (${ours} for ${norm})`)
    }
    for (const [full, tensor] of tensors) {
      if (!full.startsWith(`flex_grad.${name}.`)) continue
      const own = lladaName(full.slice(`flex_grad.${name}.`.length))
      const g = Float32Array.from(grads[names.indexOf(own)]!.dataSync(), (x) => x * half)
      t.ok(difference(g, toFloat32(tensor)) < 1e-4, `gradient of ${own}`)
    }
    t.end()
  })
}
