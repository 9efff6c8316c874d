/** Jobs of variable length: FlexMDM's network at its published shapes, LLaDA extended to it, and a tiny one of each. */
import { hittingTimes } from "../../src/diffusion/insertion/hitting.js"
import { interpolate, slotCount, type Interpolant } from "../../src/diffusion/insertion/interpolant.js"
import { rowWeights } from "../../src/diffusion/insertion/loss.js"
import { LINEAR } from "../../src/diffusion/insertion/schedule.js"
import { gatherFeeds } from "../../src/diffusion/batch.js"
import { integersBelow, stream, uniforms } from "../../src/diffusion/philox.js"
import type { Feeds } from "../../src/engine/executor.js"
import { flexmdmGaps, flexmdmHidden, flexmdmLogits } from "../../src/families/flexmdm/network.js"
import { flexmdmParameters } from "../../src/families/flexmdm/parameters.js"
import type { FlexmdmModel } from "../../src/families/flexmdm/schema.js"
import { lladaGaps, lladaHidden, lladaLogits } from "../../src/families/llada/network.js"
import { addedParameters, backboneParameters } from "../../src/families/llada/parameters.js"
import type { LladaModel } from "../../src/families/llada/schema.js"
import { gatherRows, get, type Tensors } from "../../src/model/layers.js"
import type { FeedSpec } from "../../src/model/network.js"
import type { ParameterSpec } from "../../src/model/parameters.js"
import * as tf from "../../src/model/tf.js"
import { flexmdmLoss } from "../../src/objectives/flexmdm/loss.js"
import type { Training } from "../../src/spec/training.js"
import { benchExperiment } from "../shapes.js"
import type { BundleJob } from "./job.js"
import { shaken } from "./masked.js"

interface Ids {
  readonly mask: number
  readonly pad: number
  readonly classes: number
}

interface Options {
  readonly name: string
  readonly rows: number
  /** Tokens of a full row; a canvas has one position more where an end slot is kept. */
  readonly length: number
  readonly steps: number
  readonly compared?: boolean
}

/** No time above this: hazards are finite, and no row is complete. */
const LAST_TIME = 0.98

/** Rows between half and all of the length, at stratified times, through linear schedules. */
const states = (
  step: number,
  { rows, length }: Pick<Options, "rows" | "length">,
  { mask, pad, classes }: Ids,
  endSlot: FlexmdmModel["endSlot"],
): readonly { readonly state: Interpolant; readonly clean: Int32Array; readonly t: number }[] => {
  const [plain, noise] = [stream(2, "sample"), stream(2, "mask")]
  const ordinary = Math.min(mask, pad, classes)
  const sizes = integersBelow(plain, [step, rows], Math.floor(length / 2), rows)
  const when = uniforms(stream(2, "time"), [step], rows)
  return Array.from({ length: rows }, (_, r) => {
    const size = length - sizes[r]!
    const clean = Int32Array.from(integersBelow(plain, [step, r], ordinary, size))
    const u = uniforms(noise, [step, r], 2 * size)
    const t = (LAST_TIME * (r + when[r]!)) / rows
    const state = interpolate(clean, (i) => hittingTimes(LINEAR, [u[2 * i]!, u[2 * i + 1]!]), t, {
      padId: pad,
      maskId: mask,
      endSlot,
      fixed: (i) => endSlot === "eos-anchor" && i === size - 1,
    })
    return { state, clean, t }
  })
}

interface Sizes {
  readonly rows: number
  readonly width: number
  readonly capacity: number
}

const feedSpecs = ({ rows, width, capacity }: Sizes): readonly FeedSpec[] => [
  { name: "inputIds", dtype: "i32", shape: [rows, width] },
  { name: "lengths", dtype: "i32", shape: [rows] },
  { name: "time", dtype: "f32", shape: [rows] },
  { name: "positions", dtype: "i32", shape: [capacity] },
  { name: "targets", dtype: "i32", shape: [capacity] },
  { name: "weights", dtype: "f32", shape: [capacity] },
  { name: "gapTargets", dtype: "f32", shape: [rows * width] },
  { name: "gapWeights", dtype: "f32", shape: [rows * width] },
  { name: "slots", dtype: "i32", shape: [rows * width] },
]

const vector = <T extends Float32Array | Int32Array>(data: T) => ({ shape: [data.length], data })

const feedsOf = (
  all: ReturnType<typeof states>,
  { rows, width, capacity }: Sizes,
  pad: number,
  endSlot: FlexmdmModel["endSlot"],
  divisor: number,
): Feeds => {
  const inputIds = new Int32Array(rows * width).fill(pad)
  const [gapTargets, gapWeights] = [new Float32Array(rows * width), new Float32Array(rows * width)]
  const positions: number[] = []
  const targets = new Int32Array(capacity)
  const weights = new Float32Array(capacity)
  all.forEach(({ state, clean, t }, r) => {
    const { unmask, insert } = rowWeights(LINEAR, t)
    inputIds.set(state.tokens, r * width)
    gapTargets.set(state.gaps, r * width)
    gapWeights.fill(insert / divisor, r * width, r * width + state.gaps.length)
    state.tokens.forEach((id, j) => {
      const token = clean[state.source[j]!]!
      if (id === token) return
      const at = positions.push(r * width + j) - 1
      targets[at] = token
      weights[at] = unmask / divisor
    })
  })
  return {
    inputIds: { shape: [rows, width], data: inputIds },
    lengths: vector(Int32Array.from(all, ({ state }) => slotCount(endSlot, state.tokens.length))),
    time: vector(Float32Array.from(all, ({ t }) => t)),
    ...gatherFeeds(Int32Array.from(positions), capacity, rows * width),
    targets: vector(targets),
    weights: vector(weights),
    gapTargets: vector(gapTargets),
    gapWeights: vector(gapWeights),
  }
}

/** Token and gap heads of a network: hidden states once, then each head where it is asked for. */
interface Heads {
  readonly tokens: (positions: tf.Tensor | undefined, slots: tf.Tensor | undefined) => tf.Tensor
  readonly gaps: () => tf.Tensor
}

interface Traced {
  readonly family: "flexmdm" | "llada"
  readonly parameters: readonly ParameterSpec[]
  readonly training: Training
  readonly heads: (parameters: Tensors, feeds: Tensors) => Heads
  readonly takes: readonly string[]
  /** FLOPs of a train step with this many positions, rows of this width, and scored positions. */
  readonly flops: (positions: number, width: number, scored: number) => number
  readonly model: object
  readonly endSlot: FlexmdmModel["endSlot"]
  readonly ids: Ids
}

const jobOf = (traced: Traced, { name, rows, length, steps, compared = false }: Options): BundleJob => {
  const { endSlot, ids } = traced
  const width = slotCount(endSlot, length)
  const all = Array.from({ length: steps }, (_, step) => states(step, { rows, length }, ids, endSlot))
  const masked = all.map((rowsOf) =>
    rowsOf.reduce((sum, { state }) => sum + state.tokens.filter((id) => id === ids.mask).length, 0),
  )
  const capacity = Math.ceil(Math.max(...masked) / 64) * 64
  const sizes = { rows, width, capacity }
  const taken = feedSpecs(sizes).filter(({ name: feed }) => feed !== "lengths" || traced.takes.includes(feed))
  const feeds = all.map((rowsOf) => feedsOf(rowsOf, sizes, ids.pad, endSlot, rows * length))
  const samplerFeeds = taken.filter((feed) => ["inputIds", "lengths", "time"].includes(feed.name))
  return {
    name,
    family: traced.family,
    parameters: compared ? shaken(traced.parameters) : traced.parameters,
    training: { ...traced.training, clipNorm: compared ? 0 : 1 },
    loss: (p, f) => {
      const heads = traced.heads(p, f)
      return flexmdmLoss(heads.tokens(get(f, "positions"), get(f, "slots")), heads.gaps(), f)
    },
    feeds: taken,
    steps: feeds.map((micro) => [micro]),
    forwards: [
      {
        // What a sampler needs of one pass: candidates, how sure the network is of them, and the gaps.
        name: "sample",
        feeds: samplerFeeds,
        compute: (p, f) => {
          const heads = traced.heads(p, f)
          const logProbs = tf.logSoftmax(heads.tokens(undefined, undefined))
          return { tokens: tf.argMax(logProbs, 1), confidence: tf.max(logProbs, 1), gaps: heads.gaps() }
        },
        passes: feeds,
      },
    ],
    rows,
    length: width,
    trainFlops: traced.flops(rows * width, width, Math.max(...masked)),
    model: traced.model,
    ids,
  }
}

const adamw = (learningRate: number, weightDecay: number, emaDecay?: number): Training => ({
  ...benchExperiment({ name: "", layers: 1, width: 16, heads: 2, length: 16, batch: 1 }).training,
  optimizer: { kind: "adamw", learningRate, betas: [0.9, 0.999], eps: 1e-8, weightDecay },
  ...(emaDecay === undefined ? {} : { emaDecay }),
})

const flexmdm = (model: FlexmdmModel, ids: Ids, training: Training): Traced => ({
  family: "flexmdm",
  parameters: flexmdmParameters(model),
  training,
  heads: (p, f) => {
    const hidden = flexmdmHidden(p, f, model)
    return {
      tokens: (positions, slots) =>
        flexmdmLogits(p, hidden, model.tableRows, {
          positions,
          ...(positions === undefined ? {} : { select: (x) => gatherRows(x, positions, slots) }),
        }),
      gaps: () => flexmdmGaps(p, hidden, model),
    }
  },
  takes: ["lengths"],
  flops: (positions, width, scored) => {
    const { width: d, layers, mlpRatio, tableRows } = model
    const matrices = 2 * layers * (4 + 2 * mlpRatio) * d * d + 2 * d * d
    return 3 * (positions * (matrices + 4 * layers * width * d) + scored * 2 * d * tableRows)
  },
  model,
  endSlot: model.endSlot,
  ids,
})

const published = {
  kind: "flexmdm",
  layers: 12,
  width: 768,
  heads: 12,
  mlpRatio: 4,
  conditioning: { frequencies: 128, width: 128 },
  timeInput: "time",
  ropeBase: 10000,
} as const

/** brianlck/FlexMDM, OpenWebText. */
export const owtJob = (options: Options): BundleJob =>
  jobOf(
    flexmdm(
      {
        ...published,
        activation: "gelu-tanh",
        residual: "block-input",
        endSlot: "extra",
        headBias: true,
        gapHead: { scale: options.length },
        tableRows: 50259,
        embeddingInit: "uniform",
      },
      { mask: 50258, pad: 50257, classes: 50259 },
      adamw(3e-4, 0.03, 0.9999),
    ),
    options,
  )

/** xlm-core, TinyGSM. */
export const tinyGsmJob = (options: Options): BundleJob =>
  jobOf(
    flexmdm(
      {
        ...published,
        activation: "relu",
        residual: "modulated",
        endSlot: "eos-anchor",
        headBias: false,
        gapHead: { scale: options.length + 4 },
        tableRows: 151648,
        embeddingInit: "normal",
      },
      { mask: 151646, pad: 151647, classes: 151648 },
      adamw(1e-4, 0.01, 0.9999),
    ),
    options,
  )

/** A tiny FlexMDM of either repository. */
export const tinyFlexmdmJob = (variant: "owt" | "tinygsm", options: Options): BundleJob => {
  const xlm = variant === "tinygsm"
  return jobOf(
    flexmdm(
      {
        ...published,
        layers: 2,
        width: 32,
        heads: 2,
        conditioning: { frequencies: 8, width: 16 },
        activation: xlm ? "relu" : "gelu-tanh",
        residual: xlm ? "modulated" : "block-input",
        endSlot: xlm ? "eos-anchor" : "extra",
        headBias: !xlm,
        gapHead: { scale: options.length },
        tableRows: 64,
        embeddingInit: "uniform",
      },
      { mask: 63, pad: 62, classes: 64 },
      adamw(3e-4, 0.03, 0.9999),
    ),
    options,
  )
}

const llada = (model: LladaModel, ids: Ids): Traced => {
  const frozen = backboneParameters(model).map((spec): ParameterSpec => {
    // A uniform draw of the same variance takes a quarter of the random words.
    const init =
      spec.init.kind === "normal"
        ? ({ kind: "uniform", bound: spec.init.std * Math.sqrt(3) } as const)
        : spec.init
    return { ...spec, init, frozen: true }
  })
  return {
    family: "llada",
    parameters: [...frozen, ...addedParameters(model)],
    training: adamw(1e-4, 0.1),
    heads: (p, f) => {
      const hidden = lladaHidden(p, f, model)
      return {
        tokens: (positions, slots) =>
          lladaLogits(p, positions === undefined ? hidden : gatherRows(hidden, positions, slots), model),
        gaps: () => lladaGaps(p, hidden, model),
      }
    },
    takes: model.attentionMask === "honoured" ? ["lengths"] : [],
    flops: (positions, width, scored) => {
      const { width: d, layers, mlpWidth, tableRows, lora } = model
      // Frozen weights have a gradient with respect to their inputs alone: twice a forward pass instead of three times.
      const frozenFlops = 2 * layers * (4 * d * d + 3 * d * mlpWidth)
      const rank = lora?.rank ?? 0
      const trained = 4 * layers * width * d + 2 * layers * 3 * 2 * d * rank + 2 * d * d
      const head = 2 * (2 * d * tableRows) + 3 * 2 * rank * (d + tableRows)
      return positions * (2 * frozenFlops + 3 * trained) + scored * head
    },
    model,
    endSlot: "extra",
    ids,
  }
}

/** LLaDA-8B with what FlexMDM adds, as published, but for random weights. */
export const lladaJob = (options: Options): BundleJob =>
  jobOf(
    llada(
      {
        kind: "llada",
        layers: 32,
        width: 4096,
        heads: 32,
        mlpWidth: 12288,
        ropeBase: 500000,
        rmsEps: 1e-5,
        tableRows: 126464,
        attentionMask: "ignored",
        lora: { rank: 128, alpha: 128 },
        flex: { groupSize: 8, gapScale: 1024 },
        frozen: true,
      },
      { mask: 126336, pad: 126081, classes: 126464 },
    ),
    options,
  )

export const tinyLladaJob = (options: Options): BundleJob =>
  jobOf(
    llada(
      {
        kind: "llada",
        layers: 2,
        width: 32,
        heads: 2,
        mlpWidth: 48,
        ropeBase: 500000,
        rmsEps: 1e-5,
        tableRows: 64,
        attentionMask: "honoured",
        lora: { rank: 4, alpha: 8 },
        flex: { groupSize: 1, gapScale: 24 },
        frozen: true,
      },
      { mask: 63, pad: 62, classes: 64 },
    ),
    options,
  )
