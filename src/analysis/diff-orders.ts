/** Orders that a network chose, beside each other: rounding may break a tie the other way, and nothing else may. */
import type { StoredTensor } from "../files/safetensors.js"
import { TIE_NATS } from "../evaluators/confidence.js"
import { agreementOf, type ValueDiff } from "./agreement.js"

type Found = Omit<ValueDiff, "where">

/** Leads are equal within this many tolerances, in nats: log-probabilities are a few nats. */
const TIE = 10

const numbers = (tensors: ReadonlyMap<string, StoredTensor>, name: string): Float64Array | undefined => {
  const tensor = tensors.get(name)
  return tensor === undefined ? undefined : Float64Array.from(tensor.data as ArrayLike<number>, Number)
}

/** Positions of one window in the order of their ranks. */
const orderOf = (rank: Float64Array): readonly number[] =>
  Array.from(rank.keys())
    .filter((i) => rank[i]! >= 0)
    .sort((a, b) => rank[a]! - rank[b]!)

const finiteSum = (values: Float64Array): number =>
  values.reduce((total, value) => (Number.isFinite(value) ? total + value : total), 0)

/**
 * `rank`, `nats` and `margin` of two measurements whose orders were chosen by the network, compared window by window up
 * to the first step at which the orders part. There both leads must be ties, or as near one as rounding is; what follows is another order's and is
 * not compared. undefined where the evidence has no leads, or its windows are not the same.
 */
export const diffChosenOrders = (
  a: ReadonlyMap<string, StoredTensor>,
  b: ReadonlyMap<string, StoredTensor>,
  tolerance: number,
): ReadonlyMap<string, Found> | undefined => {
  const [rankA, rankB] = [numbers(a, "rank"), numbers(b, "rank")]
  const [natsA, natsB] = [numbers(a, "nats"), numbers(b, "nats")]
  const [leadA, leadB] = [numbers(a, "margin"), numbers(b, "margin")]
  const shape = a.get("rank")?.shape
  if (!rankA || !rankB || !natsA || !natsB || !leadA || !leadB || shape === undefined) return undefined
  if (rankA.length !== rankB.length) return undefined
  const [windows, length] = shape as [number, number]
  let [apart, size, leadsApart] = [0, 0, 0]
  let [parted, largestLead] = [0, 0]
  let same = true
  for (let w = 0; w < windows; w++) {
    const at = w * length
    const [left, right] = [rankA, rankB].map((rank) => orderOf(rank.subarray(at, at + length))) as [
      readonly number[],
      readonly number[],
    ]
    if (left.length !== right.length) return undefined
    const first = left.findIndex((position, step) => position !== right[step])
    for (const position of left.slice(0, first < 0 ? left.length : first)) {
      const i = at + position
      if (natsA[i] !== natsB[i]) same = false
      apart += Math.abs(natsA[i]! - natsB[i]!)
      size += Math.max(Math.abs(natsA[i]!), Math.abs(natsB[i]!))
      if (Number.isFinite(leadA[i]!) && Number.isFinite(leadB[i]!))
        leadsApart = Math.max(leadsApart, Math.abs(leadA[i]! - leadB[i]!))
    }
    if (first < 0) continue
    parted += 1
    largestLead = Math.max(largestLead, leadA[at + left[first]!]!, leadB[at + right[first]!]!)
  }
  const relative = size === 0 ? 0 : apart / size
  const tied = parted === 0 || largestLead <= TIE_NATS + TIE * tolerance
  const note = `${parted} of ${windows} windows part from the common order, at leads of at most ${largestLead.toExponential(1)} nats`
  const orders = (
    x: Float64Array,
    y: Float64Array,
    agreement: ValueDiff["agreement"],
    rel: number,
  ): Found => ({
    agreement,
    a: finiteSum(x),
    b: finiteSum(y),
    relative: rel,
    ...(parted === 0 ? {} : { note }),
  })
  const partedAs = tied ? ("within-rounding" as const) : ("differs" as const)
  const leads = leadsApart <= TIE * tolerance ? ("within-rounding" as const) : ("differs" as const)
  return new Map([
    ["rank", orders(rankA, rankB, parted === 0 ? "identical" : partedAs, 0)],
    [
      "nats",
      orders(
        natsA,
        natsB,
        tied ? agreementOf(relative, same && parted === 0, tolerance) : "differs",
        relative,
      ),
    ],
    [
      "margin",
      orders(leadA, leadB, leadsApart === 0 && parted === 0 ? "identical" : tied ? leads : "differs", 0),
    ],
  ])
}

/**
 * The same of two networks whose weights differ: each chooses its own order, so only the totals are comparable.
 * undefined where the evidence has no leads, or other positions were scored.
 */
export const diffOwnOrders = (
  a: ReadonlyMap<string, StoredTensor>,
  b: ReadonlyMap<string, StoredTensor>,
): ReadonlyMap<string, Found> | undefined => {
  const [rankA, rankB] = [numbers(a, "rank"), numbers(b, "rank")]
  const [leadA, leadB] = [numbers(a, "margin"), numbers(b, "margin")]
  if (!rankA || !rankB || !leadA || !leadB || rankA.length !== rankB.length) return undefined
  if (rankA.some((rank, i) => rank < 0 !== rankB[i]! < 0)) return undefined
  const same = rankA.every((rank, i) => rank === rankB[i])
  const found = (x: Float64Array, y: Float64Array): Found => ({
    agreement: same ? "identical" : "within-rounding",
    a: finiteSum(x),
    b: finiteSum(y),
    relative: 0,
    ...(same ? {} : { note: "each network chose its own order" }),
  })
  return new Map([
    ["rank", found(rankA, rankB)],
    ["margin", { ...found(leadA, leadB), agreement: "within-rounding" }],
  ])
}
