/** The stored passes and losses of the two public implementations as inputs of our network, for any executor. */
import { toFloat32, type StoredTensor } from "../../../src/files/safetensors.js"
import type { HostTensor, HostTensors } from "../../../src/engine/executor.js"
import { flexmdmName } from "../../../src/families/flexmdm/parameters.js"
import type { FlexmdmModel } from "../../../src/families/flexmdm/schema.js"
import { ints, modelOf, readJson, readTensors, type NetConfig } from "./golden.js"

const hostParameters = (tensors: ReadonlyMap<string, StoredTensor>, prefix: string): HostTensors =>
  Object.fromEntries(
    [...tensors].flatMap(([name, tensor]): readonly (readonly [string, HostTensor])[] => {
      const ours = name.startsWith(prefix) ? flexmdmName(name.slice(prefix.length)) : null
      return ours === null ? [] : [[ours, { shape: [...tensor.shape], data: toFloat32(tensor) }]]
    }),
  )

const i32 = (data: readonly number[], shape = [data.length]): HostTensor => ({
  shape,
  data: Int32Array.from(data),
})
const f32 = (data: ArrayLike<number>): HostTensor => ({ shape: [data.length], data: Float32Array.from(data) })

/** Rows as the network takes them: one PAD more where the end slot is extra. */
const rowFeeds = (
  model: FlexmdmModel,
  rows: readonly (readonly number[])[],
  pad: number,
  time: ArrayLike<number>,
): HostTensors => {
  const extra = model.endSlot === "extra" ? 1 : 0
  return {
    inputIds: i32(
      rows.flatMap((row) => [...row, ...(extra === 1 ? [pad] : [])]),
      [rows.length, rows[0]!.length + extra],
    ),
    lengths: i32(rows.map((row) => row.filter((id) => id !== pad).length + extra)),
    time: f32(time),
  }
}

export interface ForwardCase {
  readonly name: string
  readonly model: FlexmdmModel
  readonly parameters: HostTensors
  readonly feeds: HostTensors
  /** Tokens of each row. */
  readonly counts: readonly number[]
  /** Positions of a row of the stored logits. */
  readonly length: number
  readonly logits: Float32Array
  readonly gaps: Float32Array
}

interface NetGolden {
  readonly kind: "F_net" | "X_net"
  readonly config: NetConfig
  readonly file: string
}

const stacked = (tensor: StoredTensor): readonly (readonly number[])[] => {
  const [rows, length] = tensor.shape as readonly [number, number]
  const flat = ints(tensor)
  return Array.from({ length: rows }, (_, r) => flat.slice(r * length, (r + 1) * length))
}

const modelConfig = (variant: "F" | "X"): NetConfig => ({
  V: 40,
  pad: variant === "F" ? 38 : 36,
  mask: variant === "F" ? 39 : 37,
  d: 32,
  heads: 2,
  blocks: 2,
  cond: 16,
  max_length: 12,
  model_max_length: 16,
})

const forwardCase = (
  name: string,
  model: FlexmdmModel,
  pad: number,
  tensors: ReadonlyMap<string, StoredTensor>,
  at: {
    readonly parameters: string
    readonly ids: string
    readonly t: string
    readonly logits: string
    readonly gaps: string
  },
): ForwardCase => {
  const rows = stacked(tensors.get(at.ids)!)
  const given = toFloat32(tensors.get(at.t)!)
  // A network that embeds alpha was stored with the sine schedule.
  const time = model.timeInput === "time" ? given : given.map((x) => Math.sin((Math.PI * x) / 2))
  return {
    name,
    model,
    parameters: hostParameters(tensors, at.parameters),
    feeds: rowFeeds(model, rows, pad, time),
    counts: rows.map((row) => row.filter((id) => id !== pad).length),
    length: rows[0]!.length,
    logits: toFloat32(tensors.get(at.logits)!),
    gaps: toFloat32(tensors.get(at.gaps)!),
  }
}

export const forwardCases = async (): Promise<readonly ForwardCase[]> => {
  const cases: ForwardCase[] = []
  for (const { kind, config, file } of readJson<readonly NetGolden[]>("nets.json")) {
    const model = modelOf(kind === "F_net" ? "F" : "X", config)
    const [ids, t, logits, gaps] = ["fwd.xt", "fwd.t", "fwd.logits", "fwd.gaps"] as const
    cases.push(
      forwardCase(file, model, config.pad, await readTensors(file), {
        parameters: "w.",
        ids,
        t,
        logits,
        gaps,
      }),
    )
  }
  for (const variant of ["F", "X"] as const) {
    const config = modelConfig(variant)
    cases.push(
      forwardCase(
        `${variant}_model`,
        modelOf(variant, config),
        config.pad,
        await readTensors(`${variant}_model.safetensors`),
        {
          parameters: variant === "F" ? "state/model." : "state/",
          ids: "forward/xt",
          t: "forward/t",
          logits: "forward/token_logits",
          gaps: "forward/expected_gaps",
        },
      ),
    )
  }
  return cases
}

type Schedule = string | { readonly name?: string; readonly type?: string }

interface StoredLoss {
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
  readonly total_loss: number
  readonly divisor: number
}

export interface LossCase {
  readonly name: string
  readonly model: FlexmdmModel
  readonly parameters: HostTensors
  /** Positions of MASKs and valid slots beside what the loss takes. */
  readonly feeds: HostTensors
  readonly loss: number
  /** Of each parameter that is stored. */
  readonly gradients: Readonly<Record<string, Float32Array>>
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

const lossCase = (c: StoredLoss, tensors: ReadonlyMap<string, StoredTensor>): LossCase | undefined => {
  const [insert, unmask] = [SCHEDULES[nameOf(c.insert_schedule)], SCHEDULES[nameOf(c.unmask_schedule)]]
  if (insert === undefined || unmask === undefined || c.head !== "expectation") return undefined
  const config = { ...modelConfig(c.variant), embed_alpha: c.only_embed_insert }
  const model = modelOf(c.variant, config)
  const width = 12 + (model.endSlot === "extra" ? 1 : 0)
  const masks = c.xt.flatMap((row, r) => row.flatMap((id, j) => (id === config.mask ? [{ r, j }] : [])))
  const slots = c.gaps_mask.flatMap((row, r) => row.flatMap((valid, j) => (valid ? [{ r, j }] : [])))
  const at = ({ r, j }: { r: number; j: number }): number => r * width + j
  const prefix = `grad/${c.name}/`
  const gradients = [...tensors].flatMap(([name, tensor]) => {
    const ours = name.startsWith(prefix)
      ? flexmdmName(name.slice(prefix.length).replace(/^model\./, ""))
      : null
    return ours === null ? [] : [[ours, toFloat32(tensor)] as const]
  })
  return {
    name: c.name,
    model,
    parameters: hostParameters(tensors, c.variant === "F" ? "state/model." : "state/"),
    feeds: {
      ...rowFeeds(model, c.xt, config.pad, model.timeInput === "time" ? c.t : c.t.map(insert.alpha)),
      positions: i32(masks.map(at)),
      targets: i32(masks.map(({ r, j }) => c.unmasked[r]![j]!)),
      weights: f32(masks.map(({ r }) => unmask.hazard(c.t[r]!) / c.divisor)),
      places: i32(slots.map(at)),
      gapTargets: f32(slots.map(({ r, j }) => c.gaps[r]![j]!)),
      gapWeights: f32(slots.map(({ r }) => insert.hazard(c.t[r]!) / c.divisor)),
    },
    loss: c.total_loss,
    gradients: Object.fromEntries(gradients),
  }
}

export const lossCases = async (): Promise<readonly LossCase[]> => {
  const cases: LossCase[] = []
  for (const stored of readJson<{ network_cases: readonly StoredLoss[] }>("losses.json").network_cases) {
    const found = lossCase(stored, await readTensors(`${stored.variant}_model.safetensors`))
    if (found !== undefined) cases.push(found)
  }
  return cases
}
