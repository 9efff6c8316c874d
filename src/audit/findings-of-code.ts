/** Findings from what published code does: settings read in it, and arithmetic on them. */
import { NOT_STATED } from "../metric/contract/contract.js"
import { bfloat16Spacing, frozenFrom } from "../metric/statistics/bfloat16.js"
import {
  count,
  findingOf,
  weakest,
  type AuditedClaim,
  type Rule,
  type SourcedFact,
} from "./findings-common.js"

const released: Rule<"released-code"> = (fact) =>
  findingOf(fact, {
    title: fact.title,
    text: `A source shows: ${fact.statement}. ${fact.effect}`,
    values: {},
  })

/** The weight 1 / (1 - t + eps) of a time in [low, high]. */
const timeRange: Rule<"time-range"> = (fact) => {
  const weight = (t: number): number => 1 / (1 - t + fact.eps)
  const [least, most] = [weight(fact.low), weight(fact.high)]
  return findingOf(fact, {
    title: "Times are kept from the end that needs no care",
    text: `Training draws its times from [${fact.low}, ${fact.high}]. The weight of a revealed token is 1 / (1 - t + ${fact.eps}): ${least.toFixed(3)} at the lower end, ${count(most)} at the upper one. The range keeps away from t = 0, where nothing is singular, and reaches t = 1, where the weight is: one row there outweighs a million others.`,
    formula: `1 / (1 - t + ${fact.eps})`,
    values: { leastWeight: least, largestWeight: most },
    mark: weakest(fact.mark, "derived"),
  })
}

const narrow: Rule<"narrow-updates"> = (fact) => {
  const stuckAbove = frozenFrom(fact.learningRate)
  return findingOf(fact, {
    title: "Parameters in bfloat16 do not take small updates",
    text: `The trained parameters are bfloat16 before the optimiser is made, at a learning rate of at most ${fact.learningRate}. An update of AdamW is about that large; a parameter above ${stuckAbove.toPrecision(3)} in magnitude lies at least ${bfloat16Spacing(stuckAbove).toPrecision(2)} from the next number of its type, more than twice the update, and stays as it is.`,
    formula: `spacing of bf16 in [2^k, 2^(k+1)) = 2^(k-7); lost where |update| < spacing / 2`,
    values: { stuckAbove, learningRate: fact.learningRate },
    mark: weakest(fact.mark, "derived"),
    assumptions: ["An update of AdamW is about as large as the learning rate."],
  })
}

/** Share of the peak learning rate after `step` steps of a cosine of several periods behind a linear warm-up. */
export const cosineFactor = (
  step: number,
  { steps, warmup, cycles }: { readonly steps: number; readonly warmup: number; readonly cycles: number },
): number => {
  if (step < warmup) return step / warmup
  const done = (step - warmup) / (steps - warmup)
  return Math.max(0, 0.5 * (1 + Math.cos(2 * Math.PI * cycles * done)))
}

const cycles: Rule<"learning-rate-cycles"> = (fact) => {
  const at = fact.checkpoints.map((step) => [step, cosineFactor(step, fact)] as const)
  const end = cosineFactor(fact.steps, fact)
  return findingOf(fact, {
    title: "The learning rate ends at its peak",
    text: `The cosine has ${fact.cycles} full periods over ${count(fact.steps)} steps: the rate returns to its peak ${fact.cycles} times and ends at ${end.toFixed(2)} of it. How far a checkpoint has settled depends on its step: ${at.map(([step, factor]) => `${factor.toFixed(2)} at ${count(step)}`).join(", ")}.`,
    formula: `(1 + cos(2 pi ${fact.cycles} (s - ${fact.warmup}) / (${fact.steps} - ${fact.warmup}))) / 2`,
    values: { end, ...Object.fromEntries(at.map(([step, factor]) => [`at${step}`, factor])) },
    mark: weakest(fact.mark, "derived"),
  })
}

const stepCost: Rule<"step-cost"> = (fact) => {
  const ratio = fact.contenderSeconds / fact.baselineSeconds
  return findingOf(fact, {
    title: "Equal steps are not equal work",
    text: `At ${fact.steps} steps the stored runs took ${fact.contenderSeconds} s a batch for the contender and about ${fact.baselineSeconds} s for the baseline, ${ratio.toFixed(1)} times as long; ${fact.reason}.`,
    formula: `${fact.contenderSeconds} / ${fact.baselineSeconds}`,
    values: { ratio },
    mark: weakest(fact.mark, "derived"),
    assumptions: ["The batch sizes of the two are not stored; they are taken as equal."],
  })
}

interface Rate {
  readonly rate: number
  readonly items: number
}

const rateOf = (claim: AuditedClaim | undefined): Rate | undefined => {
  const denominator = claim?.contract.denominator
  if (claim === undefined || denominator === undefined || denominator === NOT_STATED) return undefined
  if (denominator.kind !== "items" || denominator.items === NOT_STATED) return undefined
  return {
    rate: claim.contract.unit === "percent" ? claim.value / 100 : claim.value,
    items: denominator.items,
  }
}

const variance = ({ rate, items }: Rate): number => (rate * (1 - rate)) / items

/** Standard errors between two rates of runs whose items are not known to be paired. */
const unpaired: Rule<"unpaired-rates"> = (fact, known) => {
  const [a, b] = fact.claims.map((id) => known.get(id))
  const [first, second] = [rateOf(a), rateOf(b)]
  if (first === undefined || second === undefined) return undefined
  const error = Math.sqrt(variance(first) + variance(second))
  const z = (first.rate - second.rate) / error
  const single = Math.sqrt(variance(second))
  const beyond = Math.abs(z) >= 1.96
  return findingOf(fact, {
    title: beyond ? "A rerun differs by more than chance" : "A rerun differs by no more than chance",
    text: `${a!.title}: ${a!.printed}; ${b!.title}: ${b!.printed}. At ${second.items} items one standard error is ${(100 * single).toFixed(1)} points, and the two stand ${Math.abs(z).toFixed(1)} standard errors of their difference apart (z, unpaired). ${beyond ? "That is a difference of protocol, not noise: prompt, shots, length or grader are not the same." : "The figures agree within the noise of the items."}`,
    formula: "(p - q) / sqrt(p (1 - p) / n + q (1 - q) / m)",
    values: { z, standardError: single, difference: first.rate - second.rate },
    mark: weakest(fact.mark, "derived"),
    assumptions: ["The two runs are independent; verdicts by item would give a sharper test."],
    command: `repro compare ${a!.id} ${b!.id}`,
  })
}

export const CODE_RULES: { readonly [K in SourcedFact["kind"]]?: Rule<K> } = {
  "released-code": released,
  "time-range": timeRange,
  "narrow-updates": narrow,
  "learning-rate-cycles": cycles,
  "step-cost": stepCost,
  "unpaired-rates": unpaired,
}
