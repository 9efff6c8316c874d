/**
 * What the boundary positions that a claim leaves free cost under codes a receiver could run, and the claim's value
 * with each of them; beside them what its finite number of steps is expected to add. Rows of their own: none of them
 * is in the re-scored value.
 */
import {
  boundaryEntropyBits,
  enumerativeSplitBits,
  enumerativeWindowBits,
  log2Binomial,
} from "../metric/code/boundary.js"
import { FINEWEB_SP1024 } from "../metric/contract/builders.js"
import { NOT_STATED, type Contract } from "../metric/contract/contract.js"
import type { Mark } from "../spec/findings-facts.js"
import type { Rescored } from "./rescore-claim.js"
import { bytesPerToken, discretisationGap } from "../metric/contract/rescore.js"
import type { Interval } from "../metric/contract/units.js"

export interface ChargeRow {
  readonly id: "boundary-entropy" | "boundary-split" | "boundary-window" | "discretisation"
  readonly name: string
  /** bits per byte; below 0 where the claim's estimator is expected to be that much too high. */
  readonly amount: number
  /** The re-scored value with it, bits per byte. */
  readonly value: number
  readonly interval: Interval
  readonly formula: string
  readonly mark: Mark
  readonly assumptions: readonly string[]
}

const { documents, tokens } = FINEWEB_SP1024
const RATE = documents / tokens
const RATIO = bytesPerToken(FINEWEB_SP1024.bytes, tokens)

/**
 * Mean bits of one window under the enumerative code, its boundaries falling independently at the split's rate: how
 * many of them a claim's own windows hold is known to who has the tokens alone.
 */
export const meanWindowBits = (length: number, rate = RATE): number => {
  let mean = 0
  for (let count = 0; count <= length; count++) {
    const log2 =
      log2Binomial(length, count) + count * Math.log2(rate) + (length - count) * Math.log2(1 - rate)
    const probability = 2 ** log2
    mean += probability * enumerativeWindowBits(length, count)
    if (count > length * rate && probability < 1e-18) break
  }
  return mean
}

/** Bits of a masked token when nothing is visible: a public statement's unigram on the split. */
const FULL_MASK_BITS = 8.65
/** The same when all else is visible: a guess. */
const INFORMED_BITS = 1.2

/** The rows of a claim; none where it is not re-scored to bits per byte of this split. */
export const chargeRows = (contract: Contract, rescored: Rescored | undefined): readonly ChargeRow[] => {
  const number = rescored?.number
  if (number === undefined || number.unit !== "bits/byte") return []
  const row = (
    rest: Omit<ChargeRow, "value" | "interval" | "assumptions"> & Partial<ChargeRow>,
  ): ChargeRow => ({
    assumptions: [],
    ...rest,
    value: number.value + rest.amount,
    interval: { lo: number.interval.lo + rest.amount, hi: number.interval.hi + rest.amount },
  })
  const free = (rescored?.charges ?? []).length > 0
  const length =
    contract.window === NOT_STATED || contract.window.length === NOT_STATED
      ? undefined
      : contract.window.length
  const boundaries: readonly ChargeRow[] = free
    ? [
        row({
          id: "boundary-entropy",
          name: "boundary positions, entropy of independent boundaries",
          amount: boundaryEntropyBits(RATE) / RATIO,
          formula: `h(${documents}/${tokens}) / ${RATIO.toFixed(6)}`,
          mark: "derived",
          assumptions: ["The slice has the split's share of boundaries."],
        }),
        row({
          id: "boundary-split",
          name: "boundary positions, enumerated over the whole split",
          amount: enumerativeSplitBits(tokens, documents) / FINEWEB_SP1024.bytes,
          formula: `log2 C(${tokens}, ${documents}) / ${FINEWEB_SP1024.bytes}`,
          mark: "derived",
          assumptions: [
            "The number of boundaries is known to the receiver.",
            "The slice has the split's share.",
          ],
        }),
        ...(length === undefined
          ? []
          : [
              row({
                id: "boundary-window",
                name: `boundary positions, enumerated in every window of ${length} tokens`,
                amount: meanWindowBits(length) / (length * RATIO),
                formula: `mean over e of (log2 C(${length}, e) + log2 ${length + 1}) / (${length} * ${RATIO.toFixed(6)})`,
                mark: "inferred",
                assumptions: ["Boundaries fall into windows independently at the split's rate."],
              }),
            ]),
      ]
    : []
  const { estimator } = contract
  if (estimator === NOT_STATED || estimator.kind !== "discrete-elbo") return boundaries
  const { steps, eps } = estimator
  if (steps === NOT_STATED) return boundaries
  return [
    ...boundaries,
    row({
      id: "discretisation",
      name: `T = ${steps} against T without end`,
      amount: -discretisationGap(steps, FULL_MASK_BITS, INFORMED_BITS, eps === NOT_STATED ? 0 : eps) / RATIO,
      formula: `-(${FULL_MASK_BITS} - ${INFORMED_BITS}) * (1 - eps) / (2 * ${steps}) / ${RATIO.toFixed(6)}`,
      mark: "inferred",
      assumptions: [
        `A masked token costs ${FULL_MASK_BITS} bits when nothing is visible (a public statement's unigram) and ${INFORMED_BITS} when all else is (a guess), falling about linearly between.`,
      ],
    }),
  ]
}
