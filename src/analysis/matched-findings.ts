/**
 * What a matched comparison shows, as sentences with paired intervals.
 *
 * A finding names the settings in which its two models differ, and is made only where these are the ones it is about.
 * With one training seed the interval is a bootstrap over the windows that both scored, and says nothing about another
 * seed; with several it is Student-t over seeds whose data, times and masks are shared.
 */
import { evaluatorPart } from "../evaluators/index.js"
import { networkPart, objectivePart } from "../families/index.js"
import { NOT_STATED, type Estimator } from "../metric/contract/fields.js"
import { identityOf } from "../spec/fingerprint.js"
import { differencesOf } from "../spec/merge-patch.js"
import { contractIn, estimatorOf } from "./contract-in.js"
import type { EvaluationSummary } from "./language-model.js"
import {
  comparison,
  comparisonName,
  showComparison,
  sliceBoundaryBits,
  type Charge,
  type Comparison,
  type Pick,
} from "./matched-comparison.js"
import type { MatchedModel } from "./matched-model.js"
import { formatLevel, formatNumber } from "./numbers.js"

export interface Finding {
  readonly id: string
  readonly title: string
  /** In what the two models differ, and what is compared. */
  readonly setting: string
  readonly comparisons: readonly Comparison[]
  /** How the intervals were made, and what they do not cover. */
  readonly method: string
  /** All of it in one. */
  readonly sentence: string
}

const estimated =
  (matches: (estimator: Estimator, stride: number) => boolean): Pick =>
  ({ evaluations }) =>
    evaluations.find((summary) => {
      const estimator = estimatorOf(summary)
      return estimator !== undefined && matches(estimator, strideIn(summary))
    })

/** Tokens from one window to the next, as a share of the window. */
const strideIn = (summary: EvaluationSummary): number => {
  const { window } = contractIn(summary)
  return window === NOT_STATED || window.stride === NOT_STATED || window.length === NOT_STATED
    ? 1
    : window.stride / window.length
}

/** The T-step bound of most steps. */
const elbo: Pick = ({ evaluations }) =>
  evaluations.reduce<EvaluationSummary | undefined>(
    (best, each) => (stepsOf(each) > (best === undefined ? 0 : stepsOf(best)) ? each : best),
    undefined,
  )
const stepsOf = (summary: EvaluationSummary): number => {
  const estimator = estimatorOf(summary)
  return estimator?.kind === "discrete-elbo" && estimator.steps !== NOT_STATED ? estimator.steps : 0
}
const anyOrder = estimated(({ kind }) => kind === "any-order")
const order = (name: string): Pick =>
  estimated(
    (estimator, stride) => estimator.kind === "chain-rule" && estimator.order === name && stride === 1,
  )
const sliding = estimated(({ kind }, stride) => kind === "chain-rule" && stride < 1)
const chunked = estimated(({ kind }, stride) => kind === "autoregressive" && stride === 1)
/** Next-token scoring with the stride of a masked model's sliding score. */
const strideOf =
  (partner: EvaluationSummary | undefined): Pick =>
  ({ evaluations }) => {
    const theirs = partner === undefined ? NOT_STATED : contractIn(partner).window
    return theirs === NOT_STATED
      ? undefined
      : evaluations.find((summary) => {
          const { window, estimator } = contractIn(summary)
          return (
            estimator !== NOT_STATED &&
            estimator.kind === "autoregressive" &&
            window !== NOT_STATED &&
            window.stride === theirs.stride &&
            window.tail === "C"
          )
        })
  }

const TOLD = { more: "", fewer: "", neither: ", which may be none" } as const

const methodOf = ({ level, method, seeds }: Comparison): string =>
  seeds > 1
    ? `${formatLevel(level)} intervals, ${method} that share data, times and masks; the windows are the same, so they do not cover other text.`
    : `${formatLevel(level)} intervals, ${method.replace(/ \d+ windows$/, " windows")} with common random numbers; one training seed, so they do not cover another.`

const makeFinding = (
  id: string,
  title: string,
  setting: string,
  comparisons: readonly Comparison[],
): Finding | undefined => {
  const [first] = comparisons
  if (first === undefined) return undefined
  const sides = first.a.model === first.b.model ? "" : `${first.a.model} minus ${first.b.model}: `
  const parts = comparisons.map((each) => {
    const { difference, interval } = showComparison(each)
    return `${difference} ${interval} under ${comparisonName(each)}${TOLD[each.told]}`
  })
  const method = methodOf(first)
  return {
    id,
    title,
    setting,
    comparisons,
    method,
    sentence: `${setting} In bits/byte, ${sides}${parts.join("; ")}. ${method}`,
  }
}

/** What the numbers depend on, seed and evaluations apart. */
const settingsOf = ({ seeds: [run] }: MatchedModel): unknown => {
  const {
    evaluations: _evaluations,
    training,
    ...rest
  } = identityOf(run!.experiment) as {
    readonly evaluations: unknown
    readonly training: Readonly<Record<string, unknown>>
  }
  const { seed: _seed, ...trained } = training
  return { ...rest, training: trained }
}

/** Pointers at which two experiments differ. */
const settings = (a: MatchedModel, b: MatchedModel): readonly string[] =>
  differencesOf(settingsOf(a), settingsOf(b)).map(({ pointer }) => pointer)

const same = (found: readonly string[], ...wanted: readonly string[]): boolean =>
  found.length === wanted.length && wanted.every((pointer) => found.includes(pointer))

const objectiveOf = ({ seeds: [run] }: MatchedModel) => run!.experiment.objective

type Picks = readonly (readonly [Pick, Pick])[]

const compareAll = (a: MatchedModel, b: MatchedModel, charge: Charge, picks: Picks): readonly Comparison[] =>
  picks.flatMap(
    ([left, right]) => comparison({ model: a, pick: left }, { model: b, pick: right }, charge) ?? [],
  )

const MASKED: Picks = [
  [elbo, elbo],
  [anyOrder, anyOrder],
  [order("left-to-right"), order("left-to-right")],
]

const weightFinding = (a: MatchedModel, b: MatchedModel): Finding | undefined => {
  if (!same(settings(a, b), "/objective/weight")) return undefined
  const [x, y] = [objectiveOf(a), objectiveOf(b)]
  if (!("weight" in x) || !("weight" in y)) return undefined
  return makeFinding(
    `weight/${a.id}/${b.id}`,
    "What the published weight costs",
    `${a.id} and ${b.id} differ in the training weight alone (${x.weight}, ${y.weight}).`,
    compareAll(a, b, "none", MASKED),
  )
}

const boundaryFinding = (a: MatchedModel, b: MatchedModel): Finding | undefined => {
  if (!same(settings(a, b), "/objective/boundary")) return undefined
  const summary = elbo(a.seeds[0]!) ?? a.seeds[0]!.evaluations[0]
  if (summary === undefined || summary.boundaryBits === null) return undefined
  const [window, slice] = [summary.boundaryBits, sliceBoundaryBits(summary)].map((bits) =>
    formatNumber(bits / summary.bytes, 4),
  )
  const few: Picks = MASKED.filter(([pick]) => pick !== anyOrder)
  return makeFinding(
    `boundary/${a.id}/${b.id}`,
    "What boundary tokens that are never masked do",
    `${a.id} and ${b.id} differ in the boundary rule alone (free, maskable). ${a.id} is told the positions of ${summary.boundaryTokens} boundary tokens; a code for them takes ${window} bits/byte window by window, ${slice} as one code over all windows.`,
    [...compareAll(a, b, "none", few), ...compareAll(a, b, "slice", few), ...compareAll(a, b, "window", few)],
  )
}

const bothFinding = (a: MatchedModel, b: MatchedModel): Finding | undefined =>
  same(settings(a, b), "/objective/weight", "/objective/boundary")
    ? makeFinding(
        `mended/${a.id}/${b.id}`,
        "Weight and boundary rule together",
        `${a.id} and ${b.id} differ in the training weight and in the boundary rule.`,
        compareAll(a, b, "slice", MASKED),
      )
    : undefined

const CAUSAL = /^\/(objective|model\/(attention|conditioning))(\/|$)/

const distanceFinding = (masked: MatchedModel, causal: MatchedModel): Finding | undefined => {
  if (!isMasked(masked) || isMasked(causal)) return undefined
  if (!settings(masked, causal).every((pointer) => CAUSAL.test(pointer))) return undefined
  return makeFinding(
    `distance/${masked.id}/${causal.id}`,
    "Distance to the causal network",
    // As published next-token scores have it; at the first positions of short windows this is felt, either way.
    `${masked.id} and ${causal.id} have one network up to attention mask and noise level. The causal one's first input in a scored window is the token before it, where training had a boundary token; the masked one sees nothing of it.`,
    compareAll(masked, causal, "slice", [
      [elbo, chunked],
      [order("left-to-right"), chunked],
      [sliding, strideOf(sliding(masked.seeds[0]!))],
    ]),
  )
}

const orderFinding = (model: MatchedModel): Finding | undefined =>
  makeFinding(
    `order/${model.id}`,
    `Bound and order, the weights of ${model.id}`,
    "Each estimator beside the exact left-to-right code of the same weights.",
    compareAll(model, model, "none", [
      [elbo, order("left-to-right")],
      [anyOrder, order("left-to-right")],
      [order("right-to-left"), order("left-to-right")],
      [order("random"), order("left-to-right")],
      [order("confidence"), order("left-to-right")],
    ]),
  )

const inserting: Pick = ({ evaluations }) =>
  evaluations.find(({ evaluation }) => evaluatorPart(evaluation).needs === "inserting")
const continuous = estimated(({ kind }) => kind === "continuous-elbo")

const isInserting = ({ seeds: [run] }: MatchedModel): boolean => {
  const { model } = run!.experiment
  return networkPart(model).endSlot?.(model) !== undefined
}

/** Families on one corpus, tokenizer and budget, each by the best that is known of its code. */
const familyFinding = (a: MatchedModel, b: MatchedModel): Finding | undefined => {
  if (isInserting(a) === isInserting(b) && isMasked(a) === isMasked(b)) return undefined
  const pick = (model: MatchedModel): Pick =>
    isInserting(model) ? inserting : isMasked(model) ? continuous : chunked
  const kind = (model: MatchedModel): string =>
    isInserting(model)
      ? "inserts its tokens: an upper bound, the length included"
      : isMasked(model)
        ? "unmasks a row of a length that it is told, which is charged by its share among the rows: an upper bound"
        : "predicts the next token: exact, and the end is a token"
  return makeFinding(
    `family/${a.id}/${b.id}`,
    `${a.id} and ${b.id}`,
    `${a.id} ${kind(a)}. ${b.id} ${kind(b)}.`,
    compareAll(a, b, "lengths", [[pick(a), pick(b)]]),
  )
}

const isMasked = (model: MatchedModel): boolean => objectivePart(objectiveOf(model)).scored === "masked"
const rank = (model: MatchedModel): number => {
  const objective = objectiveOf(model)
  if (!isMasked(model)) return 3
  const nelbo = "weight" in objective && objective.weight === "nelbo"
  return (nelbo ? 1 : 0) + (objectivePart(objective).boundary(objective) === "maskable" ? 1 : 0)
}

/** Every finding that the given models allow, the published objective first. */
export const findings = (models: readonly MatchedModel[]): readonly Finding[] => {
  const families = models.flatMap((a, i) => models.slice(i + 1).map((b) => familyFinding(b, a)))
  const masked = models.filter(isMasked).sort((a, b) => rank(a) - rank(b))
  const causal = models.filter((model) => !isMasked(model))
  const ordered = masked.flatMap((a, i) => masked.slice(i + 1).map((b) => [a, b] as const))
  return [
    ...(models.some(isInserting) ? families : []),
    ...ordered.map(([a, b]) => weightFinding(a, b)),
    ...ordered.map(([a, b]) => boundaryFinding(a, b)),
    ...ordered.map(([a, b]) => bothFinding(a, b)),
    ...masked.flatMap((each) => causal.map((other) => distanceFinding(each, other))),
    ...masked.map(orderFinding),
  ].filter((finding) => finding !== undefined)
}
