/**
 * The network against the two public implementations at tiny sizes (goldens/README.md). Tolerances are those of
 * the goldens' README: logits 5e-5 absolute, gaps 2e-5 relative.
 */
import t from "tap"
import { toFloat32 } from "../../../src/files/safetensors.js"
import { flexmdmGaps, flexmdmHidden, flexmdmLogits } from "../../../src/families/flexmdm/network.js"
import { flexmdmName, flexmdmParameters } from "../../../src/families/flexmdm/parameters.js"
import type { FlexmdmModel } from "../../../src/families/flexmdm/schema.js"
import { countParameters } from "../../../src/model/parameters.js"
import * as tf from "../../../src/model/tf.js"
import { ints, modelOf, parametersOf, readJson, readTensors, type NetConfig } from "./golden.js"

await tf.useCpuBackend()

interface NetGolden {
  readonly kind: "F_net" | "X_net"
  readonly config: NetConfig
  readonly file: string
}

interface Batch {
  /** [rows][length], left-packed. */
  readonly rows: readonly (readonly number[])[]
  /** What is embedded, per row. */
  readonly time: Float32Array
  readonly pad: number
}

/** Rows as the network takes them: one PAD more where the end slot is extra. */
const feedsOf = (model: FlexmdmModel, { rows, time, pad }: Batch) => {
  const extra = model.endSlot === "extra" ? 1 : 0
  const width = rows[0]!.length + extra
  const counts = rows.map((row) => row.filter((id) => id !== pad).length)
  return {
    counts,
    width,
    feeds: {
      inputIds: tf.tensor2d(
        rows.flatMap((row) => [...row, ...(extra === 1 ? [pad] : [])]),
        [rows.length, width],
        "int32",
      ),
      lengths: tf.tensor1d(
        counts.map((n) => n + extra),
        "int32",
      ),
      time: tf.tensor1d(time),
    },
  }
}

const check = (
  name: string,
  model: FlexmdmModel,
  parameters: Record<string, tf.Tensor>,
  batch: Batch,
  expected: { readonly logits: Float32Array; readonly gaps: Float32Array },
): void => {
  const { counts, width, feeds } = feedsOf(model, batch)
  const length = batch.rows[0]!.length
  const classes = model.tableRows
  const hidden = flexmdmHidden(parameters, feeds, model)
  const logits = flexmdmLogits(parameters, hidden, classes).dataSync()
  const gaps = flexmdmGaps(parameters, hidden, model).dataSync()
  const gapWidth = model.endSlot === "extra" ? length + 1 : length
  let worstLogit = 0
  let worstGap = 0
  let compared = 0
  counts.forEach((n, r) => {
    for (let j = 0; j < n; j++)
      for (let v = 0; v < classes; v++) {
        const ours = logits[(r * width + j) * classes + v]!
        worstLogit = Math.max(worstLogit, Math.abs(ours - expected.logits[(r * length + j) * classes + v]!))
        compared++
      }
    const slots = model.endSlot === "extra" ? n + 1 : n
    for (let j = 0; j < slots; j++) {
      const theirs = expected.gaps[r * gapWidth + j]!
      worstGap = Math.max(worstGap, Math.abs(gaps[r * width + j]! - theirs) / Math.abs(theirs))
      compared++
    }
  })
  t.ok(compared > 0, `${name}: there is something to compare`)
  t.ok(worstLogit < 5e-5, `${name}: logits agree (${worstLogit.toExponential(1)})`)
  t.ok(worstGap < 2e-5, `${name}: gaps agree (${worstGap.toExponential(1)})`)
}

for (const { kind, config, file } of readJson<readonly NetGolden[]>("nets.json")) {
  const tensors = await readTensors(file)
  const variant = kind === "F_net" ? "F" : "X"
  const model = modelOf(variant, config)
  const [rowCount, length] = tensors.get("fwd.xt")!.shape as [number, number]
  const flat = ints(tensors.get("fwd.xt")!)
  const rows = Array.from({ length: rowCount }, (_, r) => flat.slice(r * length, (r + 1) * length))
  const t0 = toFloat32(tensors.get("fwd.t")!)
  // This network embeds alpha of the sine schedule.
  const time = model.timeInput === "time" ? t0 : t0.map((x) => Math.sin((Math.PI * x) / 2))
  const parameters = parametersOf(tensors, "w.")
  t.same(
    Object.keys(parameters).sort(),
    flexmdmParameters(model)
      .map((p) => p.name)
      .sort(),
    `${file}: every tensor has its name here`,
  )
  for (const { name, shape } of flexmdmParameters(model))
    t.same(parameters[name]!.shape, shape, `${file}: shape of ${name}`)
  check(
    file,
    model,
    parameters,
    { rows, time, pad: config.pad },
    { logits: toFloat32(tensors.get("fwd.logits")!), gaps: toFloat32(tensors.get("fwd.gaps")!) },
  )
}

for (const variant of ["F", "X"] as const) {
  const tensors = await readTensors(`${variant}_model.safetensors`)
  const pad = variant === "F" ? 38 : 36
  const config: NetConfig = {
    V: 40,
    pad,
    mask: variant === "F" ? 39 : 37,
    d: 32,
    heads: 2,
    blocks: 2,
    cond: 16,
    max_length: 12,
    model_max_length: 16,
  }
  const flat = ints(tensors.get("forward/xt")!)
  const rows = Array.from({ length: 3 }, (_, r) => flat.slice(r * 12, (r + 1) * 12))
  check(
    `${variant}_model`,
    modelOf(variant, config),
    parametersOf(tensors, variant === "F" ? "state/model." : "state/"),
    { rows, time: toFloat32(tensors.get("forward/t")!), pad },
    {
      logits: toFloat32(tensors.get("forward/token_logits")!),
      gaps: toFloat32(tensors.get("forward/expected_gaps")!),
    },
  )
}

t.test("parameter counts of the published configurations", (t) => {
  // reference: brianlck/FlexMDM OWT 170 419 028 and bracket 3 708 037; xlm-core OWT 170 374 913, counted from the published code.
  const owt = { pad: 0, mask: 1, d: 768, heads: 12, blocks: 12, cond: 128 }
  const F = modelOf("F", { ...owt, V: 50_259, max_length: 1024 })
  t.equal(countParameters(flexmdmParameters(F)), 170_419_028)
  const X = modelOf("X", { ...owt, V: 50_263, model_max_length: 1028 })
  t.equal(countParameters(flexmdmParameters(X)), 170_374_913)
  t.end()
})

t.equal(flexmdmName("encoder.3.rotary_emb.inv_freq"), null, "a buffer is no parameter")
