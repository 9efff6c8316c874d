/**
 * Measures a network that inserts tokens: for each row, draws of (t, x_t) and what the network says of them.
 *
 * Two integrands are kept for each draw, in nats per unit of t: that of the code length (targets averaged over all
 * embeddings, rates added up around runs of masks), an upper bound on -ln p(x1), length included; and that of the
 * published validation loss, the same kind of bound and far looser. Means over the draws estimate both.
 */
import type { CleanRow, InsertionIds, InsertionState } from "../../diffusion/insertion/batch.js"
import { noisedRow } from "../../diffusion/insertion/batch.js"
import {
  codeLengthIntegrand,
  requireProper,
  type CodeLengthRule,
} from "../../diffusion/insertion/code-length.js"
import { embeddingPosterior } from "../../diffusion/insertion/embeddings.js"
import { insertionFeeds, type SliceRoom } from "../../diffusion/insertion/feeds.js"
import { knownRowLoss } from "../../diffusion/insertion/floor.js"
import type { HittingRule } from "../../diffusion/insertion/hitting.js"
import { slotCount, type EndSlot } from "../../diffusion/insertion/interpolant.js"
import { rowLoss, rowWeights } from "../../diffusion/insertion/loss.js"
import { alphaAt, type JointSchedule } from "../../diffusion/insertion/schedule.js"
import { stream, uniforms } from "../../diffusion/philox.js"
import type { Evaluator, Executor, HostTensors } from "../../engine/executor.js"
import { trace, type TraceInput } from "../../engine/trace/trace.js"
import type { Network } from "../../model/network.js"
import { parameterInputs } from "../../model/parameter-inputs.js"
import * as tf from "../../model/tf.js"

/** A predicted gap is raised to this: the bound is that of the model which is so raised, and stays finite. */
export const GAP_FLOOR = 1e-6

export interface InsertionJob {
  readonly network: Network
  readonly parameters: HostTensors
  readonly executor: Executor
  /** Rows without padding; with an EOS anchor they end with it. */
  readonly rows: readonly CleanRow[]
  readonly ids: Pick<InsertionIds, "maskId" | "padId">
  readonly endSlot: EndSlot
  readonly schedules: JointSchedule
  readonly hitting?: HittingRule
  /** Equal parts of (0, 1), in each of which `draws` times are drawn for each row. */
  readonly strata: number
  readonly draws: number
  /** Of the eval-mask stream. */
  readonly seed: number
  /** States in one forward pass at most. */
  readonly batch: number
  readonly merge?: CodeLengthRule["merge"]
  readonly onProgress?: (states: number) => void
}

/** Integrands in nats, [rows, draws, strata] each. */
export interface InsertionEvidence {
  readonly rows: number
  readonly draws: number
  readonly strata: number
  /** [rows] tokens of each row that are not given: those that the code length is of. */
  readonly tokens: Int32Array
  readonly times: Float64Array
  readonly insert: Float64Array
  readonly unmask: Float64Array
  /** Of the published loss. */
  readonly publishedInsert: Float64Array
  readonly publishedUnmask: Float64Array
  /** Of the published loss of a network that knows the row, though not which tokens survive. */
  readonly floorInsert: Float64Array
  readonly floorUnmask: Float64Array
  /** States that went through the network. */
  readonly forwards: number
}

type Drawn = InsertionState & {
  readonly hiddenTargets: readonly number[]
  readonly hiddenGaps: ArrayLike<number>
}

/** Draw `draw` of row `row`: a function of the seed, the row and the draw alone. */
const drawState = (job: InsertionJob, row: number, draw: number): Drawn => {
  const { schedules, strata, endSlot, ids } = job
  const source = stream(job.seed, "eval-mask")
  const clean = job.rows[row]!
  const numbers = uniforms(source, [row, draw], 1 + 2 * clean.tokens.length)
  const t = ((draw % strata) + numbers[0]!) / strata
  const rule = { schedules, ...(job.hitting === undefined ? {} : { hitting: job.hitting }) }
  const hidden = noisedRow(clean, t, numbers.subarray(1), { ...rule, targets: "hidden" }, ids, endSlot)
  return {
    ...hidden,
    row,
    t,
    insertionAlpha: alphaAt(schedules.insertion, t),
    unmaskWeight: 0,
    insertWeight: 0,
    hiddenTargets: hidden.targets.map(({ tokens }) => tokens[0]!),
    hiddenGaps: hidden.gaps,
  }
}

/** Widths that programs are compiled for. */
const WIDTH_STEP = 16

interface Batch {
  readonly room: SliceRoom
  readonly draws: readonly number[]
}

/** States of like width together, `most` at most, with about half as many MASKs as positions. */
const batchesOf = (
  sizes: readonly { readonly columns: number; readonly masks: number }[],
  most: number,
): readonly Batch[] => {
  const order = sizes.map((_, i) => i).sort((a, b) => sizes[a]!.columns - sizes[b]!.columns || a - b)
  const batches: { room: SliceRoom; draws: number[]; masks: number }[] = []
  for (const i of order) {
    const { columns, masks } = sizes[i]!
    const width = Math.max(WIDTH_STEP, Math.ceil(columns / WIDTH_STEP) * WIDTH_STEP)
    const capacity = Math.max(width, Math.ceil((most * width) / 2))
    const last = batches.at(-1)
    if (last?.room.width === width && last.draws.length < most && last.masks + masks <= capacity) {
      last.draws.push(i)
      last.masks += masks
    } else batches.push({ room: { width, capacity }, draws: [i], masks })
  }
  return batches
}

const compile = (
  { executor, network, parameters }: InsertionJob,
  rows: number,
  { width, capacity }: SliceRoom,
): Promise<Evaluator> => {
  const inputs: readonly TraceInput[] = [
    ...parameterInputs(network.parameters),
    ...network
      .feeds("logProbs", { rows, length: width, capacity })
      .map(({ name, dtype, shape }): TraceInput => ({ name, kind: "feed", dtype, shape })),
  ]
  const graph = trace("states", inputs, (all) => {
    const { tokens, gaps } = network.heads(all, all)
    if (gaps === undefined) throw new Error("the network has no gap head")
    return { logProbs: tf.logSoftmax(tokens), gaps }
  })
  return executor.evaluator(graph, parameters)
}

/** Leading tokens that are given, an anchor aside: nothing is inserted before or between them. */
const promptOf = ({ tokens, fixed }: CleanRow, endSlot: EndSlot): number => {
  const most = endSlot === "eos-anchor" ? tokens.length - 1 : tokens.length
  let prompt = 0
  while (prompt < most && fixed(prompt)) prompt++
  return prompt
}

/** @throws RangeError for schedules that do not begin empty and end with the data */
export const measureInsertion = async (job: InsertionJob): Promise<InsertionEvidence> => {
  requireProper(job.schedules)
  const { rows, endSlot, ids, schedules, strata, draws } = job
  const each = strata * draws
  const total = rows.length * each
  const evidence: InsertionEvidence = {
    rows: rows.length,
    draws,
    strata,
    tokens: Int32Array.from(rows, ({ tokens, fixed }) => tokens.filter((_, i) => !fixed(i)).length),
    times: new Float64Array(total),
    insert: new Float64Array(total),
    unmask: new Float64Array(total),
    publishedInsert: new Float64Array(total),
    publishedUnmask: new Float64Array(total),
    floorInsert: new Float64Array(total),
    floorUnmask: new Float64Array(total),
    forwards: total,
  }
  const state = (i: number): Drawn => drawState(job, Math.floor(i / each), i % each)
  const sizes = Array.from({ length: total }, (_, i) => {
    const { tokens, masks } = state(i)
    return { columns: slotCount(endSlot, tokens.length), masks: masks.length }
  })
  let running: { readonly width: number; readonly evaluator: Evaluator } | undefined
  let done = 0
  for (const { room, draws: own } of batchesOf(sizes, job.batch)) {
    if (running?.width !== room.width) {
      await running?.evaluator.dispose()
      running = { width: room.width, evaluator: await compile(job, job.batch, room) }
    }
    const states = own.map(state)
    const filled = Array.from({ length: job.batch }, (_, i) => states[i] ?? states[0]!)
    // What is filled up has no MASKs of its own, so that the capacity holds.
    const fed = filled.map((each_, i) => (i < states.length ? each_ : { ...each_, masks: new Int32Array(0) }))
    const feeds = insertionFeeds(fed, room, { targets: "hidden", endSlot, padId: ids.padId, classes: 0 })
    const result = await running.evaluator.run(feeds)
    const classes = result["logProbs"]!.shape[1]!
    const logProbs = result["logProbs"]!.data
    let mask = 0
    states.forEach((drawn, i) => {
      const at = own[i]!
      const clean = rows[drawn.row]!
      const slots = slotCount(endSlot, drawn.tokens.length)
      const gaps = result["gaps"]!.data.subarray(i * room.width, i * room.width + slots)
      const first = mask
      mask += drawn.masks.length
      const posterior = embeddingPosterior(drawn.tokens, clean.tokens, { ...ids, fixed: clean.fixed })
      const prompt = promptOf(clean, endSlot)
      const integrand = codeLengthIntegrand(
        { tokens: drawn.tokens, t: drawn.t, posterior },
        {
          gaps,
          logProbs: posterior.targets.map(({ tokens }, m) =>
            Float64Array.from(tokens, (token) => logProbs[(first + m) * classes + token]!),
          ),
        },
        {
          maskId: ids.maskId,
          schedules,
          open: (slot) => slot >= prompt,
          gapFloor: GAP_FLOOR,
          ...(job.merge === undefined ? {} : { merge: job.merge }),
        },
      )
      const published = rowLoss({
        crossEntropies: drawn.hiddenTargets.map((token, m) => -logProbs[(first + m) * classes + token]!),
        gaps: drawn.hiddenGaps,
        predicted: gaps,
        weights: rowWeights(schedules, drawn.t),
      })
      const known = knownRowLoss(drawn, posterior, rowWeights(schedules, drawn.t))
      evidence.floorInsert[at] = known.insert
      evidence.floorUnmask[at] = known.unmask
      evidence.times[at] = drawn.t
      evidence.insert[at] = integrand.insert
      evidence.unmask[at] = integrand.unmask
      evidence.publishedInsert[at] = published.insert
      evidence.publishedUnmask[at] = published.unmask
    })
    job.onProgress?.((done += states.length))
  }
  await running?.evaluator.dispose()
  return evidence
}
