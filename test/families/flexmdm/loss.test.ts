/**
 * Losses and gradients against the two public implementations at tiny sizes (goldens/README.md): losses to 5e-6
 * relative, gradients to 5e-5 of the largest entry of their parameter, or of their norm where only that is given.
 */
import t from "tap"
import { toFloat32 } from "../../../src/files/safetensors.js"
import { flexmdmGaps, flexmdmHidden, flexmdmLogits } from "../../../src/families/flexmdm/network.js"
import { flexmdmName } from "../../../src/families/flexmdm/parameters.js"
import { flexmdmLoss } from "../../../src/objectives/flexmdm/loss.js"
import * as tf from "../../../src/model/tf.js"
import { modelOf, parametersOf, readJson, readTensors, type NetConfig } from "./golden.js"

await tf.useCpuBackend()

type Schedule = string | { readonly name?: string; readonly type?: string; readonly [key: string]: unknown }

interface Case {
  readonly name: string
  readonly variant: "F" | "X"
  readonly insert_schedule: Schedule
  readonly unmask_schedule: Schedule
  readonly only_embed_insert: boolean
  readonly head: string
  readonly xt: readonly (readonly number[])[]
  readonly unmasked: readonly (readonly number[])[]
  readonly gaps: readonly (readonly number[])[]
  readonly gaps_mask: readonly (readonly (number | boolean)[])[]
  readonly t: readonly number[]
  readonly unmask_loss: number
  readonly insertion_loss: number
  readonly total_loss: number
  readonly divisor: number
}

/** alpha and hazard alpha' / (1 - alpha) of the two schedules whose gradients are stored. */
const SCHEDULES: Readonly<Record<string, { alpha: (t: number) => number; hazard: (t: number) => number }>> = {
  linear: { alpha: (x) => x, hazard: (x) => 1 / (1 - x) },
  sin: {
    alpha: (x) => Math.sin((Math.PI * x) / 2),
    hazard: (x) => ((Math.PI / 2) * Math.cos((Math.PI * x) / 2)) / (1 - Math.sin((Math.PI * x) / 2)),
  },
}
const nameOf = (s: Schedule): string => (typeof s === "string" ? s : (s.name ?? s.type ?? ""))

const SPECIALS = { F: { pad: 38, mask: 39 }, X: { pad: 36, mask: 37 } } as const

for (const c of readJson<{ network_cases: readonly Case[] }>("losses.json").network_cases) {
  const [insert, unmask] = [SCHEDULES[nameOf(c.insert_schedule)], SCHEDULES[nameOf(c.unmask_schedule)]]
  if (insert === undefined || unmask === undefined || c.head !== "expectation") continue
  const { pad, mask } = SPECIALS[c.variant]
  const config: NetConfig = {
    V: 40,
    pad,
    mask,
    d: 32,
    heads: 2,
    blocks: 2,
    cond: 16,
    max_length: 12,
    model_max_length: 16,
    embed_alpha: c.only_embed_insert,
  }
  const model = modelOf(c.variant, config)
  const tensors = await readTensors(`${c.variant}_model.safetensors`)
  const prefix = c.variant === "F" ? "state/model." : "state/"
  const parameters = parametersOf(tensors, prefix)
  const extra = c.variant === "F" ? 1 : 0
  const width = 12 + extra
  const counts = c.xt.map((row) => row.filter((id) => id !== pad).length)
  const positions: number[] = []
  const targets: number[] = []
  const weights: number[] = []
  const slots: number[] = []
  const gaps: number[] = []
  const gapWeights: number[] = []
  c.xt.forEach((row, r) => {
    row.forEach((id, j) => {
      if (id !== mask) return
      positions.push(r * width + j)
      targets.push(c.unmasked[r]![j]!)
      weights.push(unmask.hazard(c.t[r]!) / c.divisor)
    })
    c.gaps_mask[r]!.forEach((valid, j) => {
      if (!valid) return
      slots.push(r * width + j)
      gaps.push(c.gaps[r]![j]!)
      gapWeights.push(insert.hazard(c.t[r]!) / c.divisor)
    })
  })
  const feeds = {
    inputIds: tf.tensor2d(
      c.xt.flatMap((row) => [...row, ...(extra === 1 ? [pad] : [])]),
      [c.xt.length, width],
      "int32",
    ),
    lengths: tf.tensor1d(
      counts.map((n) => n + extra),
      "int32",
    ),
    time: tf.tensor1d(model.timeInput === "time" ? [...c.t] : c.t.map(insert.alpha)),
    targets: tf.tensor1d(targets, "int32"),
    weights: tf.tensor1d(weights),
    gapTargets: tf.tensor1d(gaps),
    gapWeights: tf.tensor1d(gapWeights),
  }
  const names = Object.keys(parameters)
  const loss = (...values: tf.Tensor[]): tf.Scalar => {
    const p = Object.fromEntries(names.map((name, i) => [name, values[i]!]))
    const hidden = flexmdmHidden(p, feeds, model)
    const logits = flexmdmLogits(p, hidden, 40, { positions: tf.tensor1d(positions, "int32") })
    const g = flexmdmGaps(p, hidden, model, { positions: tf.tensor1d(slots, "int32") })
    return flexmdmLoss(logits, g, feeds) as tf.Scalar
  }
  const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => parameters[name]!))
  const relative = Math.abs(value.dataSync()[0]! - c.total_loss) / c.total_loss
  t.ok(relative < 5e-6, `${c.name}: total loss (${relative.toExponential(1)})`)
  const stored = [...tensors].filter(([name]) => name.startsWith(`grad/${c.name}/`))
  for (const [full, tensor] of stored) {
    const published = full.slice(`grad/${c.name}/`.length).replace(/^model\./, "")
    const ours = flexmdmName(published)
    if (ours === null) continue
    const theirs = toFloat32(tensor)
    const mine = grads[names.indexOf(ours)]!.dataSync()
    const largest = theirs.reduce((m, x) => Math.max(m, Math.abs(x)), 0)
    const worst = theirs.reduce((m, x, i) => Math.max(m, Math.abs(x - mine[i]!)), 0)
    t.ok(
      worst <= 5e-5 * largest + 1e-7,
      `${c.name}: gradient of ${ours} (${(worst / largest).toExponential(1)})`,
    )
  }
  if (stored.length === 0) t.comment(`${c.name}: gradients are stored by norm only`)
}
