/**
 * LLaDA's training rows (GSAI-ML/LLaDA, GUIDELINES.md; brianlck/FlexMDM scaling_flexmdm/llada_trainer.py): each free
 * token is masked with the row's probability t, and its cross-entropy has the weight 1 / t over the divisor.
 */
import { batchFeeds, corruptionStreams, type CorruptedBatch } from "../../diffusion/batch.js"
import { contentLength } from "../../diffusion/insertion/interpolant.js"
import { uniforms, uniforms32 } from "../../diffusion/philox.js"
import { sliceBatch } from "../../diffusion/slices.js"
import { uniformsForTimes, timesFromUniforms } from "../../diffusion/times.js"
import { maskedLayout, programFor, roomsOf, rowsOfSlices } from "../mdlm/feeds.js"
import type { FeedJob, ObjectivePart, Rows, StepFeeds } from "../part.js"
import type { LladaObjective } from "./schema.js"

export const lladaLayout: ObjectivePart<LladaObjective>["layout"] = ({ times }, shape, preferred) =>
  maskedLayout({ times }, shape, preferred)

/** Masked shares of a micro-batch of `count` rows, scaled into [timeMin, timeMax]. */
const sharesOf = (
  { times, timeMin, timeMax }: LladaObjective,
  count: number,
  draws: ArrayLike<number>,
): Float64Array =>
  timesFromUniforms({ kind: times, timeMin: 0, timeMax: 1 }, count, draws).map(
    (u) => timeMin + (timeMax - timeMin) * u,
  )

/** One micro-batch: rows of tokens, what stands behind them, and which are masked. */
export const maskedRows = (
  { tokens, length, fixed, lengths }: Rows,
  objective: LladaObjective,
  { maskId, padId, boundaryId }: FeedJob["tokenizer"],
  place: { readonly seed: number; readonly step: number; readonly micro: number },
): CorruptedBatch => {
  const streams = corruptionStreams(place.seed)
  const count = tokens.length / length
  const site = [place.step, place.micro] as const
  const shares = sharesOf(
    objective,
    count,
    uniforms(streams.time, site, uniformsForTimes(objective.times, count)),
  )
  const whole = tokens.slice()
  const inputIds = tokens.slice()
  const positions: number[] = []
  const weights: number[] = []
  const perRow = objective.divisor === "canvas" ? length : objective.divisor
  for (let r = 0; r < count; r++) {
    const at = r * length
    const content = lengths?.[r] ?? contentLength(tokens.subarray(at, at + length), padId)
    const trained = objective.padding === "trained"
    // PAD behind a text is the end of text again, which the network learns to write.
    if (trained) whole.fill(boundaryId, at + content, at + length)
    const draws = uniforms32(streams.mask, [...site, r], length)
    const share = shares[r]!
    for (let i = 0; i < length; i++) {
      inputIds[at + i] = whole[at + i]!
      const free = i < content ? fixed?.[at + i] !== 1 : trained
      if (!free || draws[i]! >= share) continue
      inputIds[at + i] = maskId
      positions.push(at + i)
      weights.push(1 / (share * perRow * count))
    }
  }
  return {
    rows: count,
    length,
    inputIds,
    // Of the visible share 1 - t.
    sigma: Float64Array.from(shares, (share) => -Math.log1p(-share)),
    times: shares,
    positions: Int32Array.from(positions),
    targets: Int32Array.from(positions, (p) => whole[p]!),
    weights: Float64Array.from(weights),
    divisor: perRow * count,
  }
}

export const lladaFeeds = (
  objective: LladaObjective,
  { tokenizer, seed, length, microBatch, accumulation, layout }: FeedJob,
): ((step: number, rows: Rows) => StepFeeds) => {
  const rooms = roomsOf(layout)
  return (step, { tokens, fixed, lengths }) => {
    const slices = Array.from({ length: accumulation }, (_, micro) => {
      const [from, to] = [micro * microBatch, (micro + 1) * microBatch]
      const rows: Rows = {
        tokens: tokens.subarray(from * length, to * length),
        length,
        ...(fixed === undefined ? {} : { fixed: fixed.subarray(from * length, to * length) }),
        ...(lengths === undefined ? {} : { lengths: lengths.subarray(from, to) }),
      }
      return sliceBatch(maskedRows(rows, objective, tokenizer, { seed, step, micro }), layout.slices)
    }).flat()
    const program = programFor(slices, rooms)
    return {
      program,
      micro: slices.map((slice) => batchFeeds(slice, rooms[program]!)),
      rows: rowsOfSlices(slices, microBatch),
    }
  }
}
