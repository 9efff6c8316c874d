/** Findings computed from the facts of a source: one rule per kind of fact. */
import { MARKS as MARKS_OF } from "../metric/contract/bound.js"
import { FINEWEB_SP1024 } from "../metric/contract/builders.js"
import { NOT_STATED } from "../metric/contract/contract.js"
import { roundingHalfWidth } from "./rescore-claim.js"
import { countsBehind } from "./rescore-share.js"
import {
  count,
  findingOf,
  weakest,
  type AuditedClaim,
  type Finding,
  type Known,
  type Rule,
  type SourcedFact,
} from "./findings-common.js"
import { CODE_RULES } from "./findings-of-code.js"
import { auditWeight, sequenceWeightMoments } from "./findings-objective.js"

const EXACT_RATIO = FINEWEB_SP1024.bytes / FINEWEB_SP1024.tokens

const percent = (x: number, digits = 1): string => `${(100 * x).toFixed(digits)} %`

/** Bits per token behind a claim, as far as its re-scoring derived them. */
const bitsPerToken = (claim: AuditedClaim | undefined): number | undefined =>
  claim?.rescored?.derivation.find(({ unit }) => unit === "bits/token")?.result

const objective: Rule<"training-objective"> = (fact) => {
  if (fact.weight !== "dsigma") return undefined
  const weight = auditWeight("dsigma", fact.eps)
  const nelbo = auditWeight("nelbo", fact.eps)
  const sequence = sequenceWeightMoments(fact.eps)
  const visible = 0.02
  return findingOf(fact, {
    title: "The training objective is not the NELBO",
    text: `Training weighs the masked cross-entropy by (1-eps)/alpha; the NELBO's weight is (1-eps)/(1-alpha). The published weight has total mass ${weight.mass.toFixed(4)} (NELBO ${nelbo.mass.toFixed(3)}) and puts ${percent(weight.below(visible))} of it where less than ${percent(visible, 0)} of the tokens are visible, where the NELBO puts ${percent(nelbo.below(visible))}. Half of the mass lies below ${percent(weight.median, 2)} visible, about ${Math.round(weight.median * fact.length)} of ${fact.length} tokens. The weight of one sequence has mean ${sequence.mean.toFixed(2)} and standard deviation ${sequence.sd.toFixed(1)}. The optimum of an unlimited model is the same; the loss is a bound on nothing.`,
    formula: `mass = -ln eps - (1 - eps); share below a = (ln(a/eps) - (a - eps)) / mass; eps = ${fact.eps}`,
    values: {
      mass: weight.mass,
      nelboMass: nelbo.mass,
      shareBelow2Percent: weight.below(visible),
      nelboShareBelow2Percent: nelbo.below(visible),
      medianVisible: weight.median,
      sequenceWeightMean: sequence.mean,
      sequenceWeightSd: sequence.sd,
    },
    mark: weakest(fact.mark, "derived"),
  })
}

const runLength: Rule<"run-length"> = (fact) => {
  const head = fact.stepsPerGroup * fact.groupsAtHead
  const run = fact.stepsPerGroup * fact.groupsInRun
  return findingOf(fact, {
    title: "The script at head does not make the published run",
    text: `At head the script takes ${count(head)} optimiser steps (${fact.switchAtHead}); the run behind the claim took about ${count(run)}, ${(run / head).toFixed(0)} times as many.`,
    formula: `${fact.stepsPerGroup} steps/group * ${fact.groupsAtHead} group(s) against * ${fact.groupsInRun} groups`,
    values: { stepsAtHead: head, stepsInRun: run },
    assumptions: ["The number of groups is read from the committed loss plot's axis."],
  })
}

const sweepLength: Rule<"sweep-length"> = (fact) =>
  findingOf(fact, {
    title: "The ablation's script is shorter than the text says",
    text: `The text says ${count(fact.stepsStated)} steps; the script committed beside the results takes ${fact.stepsPerGroup} steps per group at a learning rate of at most ${fact.highestLearningRate} (${percent(fact.highestLearningRate / fact.statedLearningRate)} of the stated ${fact.statedLearningRate}).`,
    values: {
      stepsStated: fact.stepsStated,
      stepsPerGroup: fact.stepsPerGroup,
      learningRateShare: fact.highestLearningRate / fact.statedLearningRate,
    },
    mark: weakest(fact.mark, "inferred"),
    assumptions: ["Which number of steps made the results file is not proven; the level of the values is."],
  })

const deletedCode: Rule<"deleted-code"> = (fact) =>
  findingOf(fact, {
    title: "The text describes code that is not in the published script",
    text: `The text names ${fact.description}; commit ${fact.addedIn} added it and commit ${fact.removedIn} removed it. The published evaluation does not contain it.`,
    values: {},
  })

const floor: Rule<"floor"> = (fact, known) => {
  const members = fact.claims.flatMap((id) => {
    const claim = known.get(id)
    const bits = bitsPerToken(claim)
    return claim === undefined || bits === undefined ? [] : [{ claim, bits }]
  })
  if (members.length === 0 || fact.floor === "uniform" || fact.floor === "initial") return undefined
  const lowest = members.reduce((a, b) => (b.bits < a.bits ? b : a))
  const highest = members.reduce((a, b) => (b.bits > a.bits ? b : a))
  const above = members.filter(({ bits }) => bits > fact.bitsPerToken)
  if (above.length === 0) return undefined
  const one = lowest === highest
  const range = one
    ? `${lowest.claim.title} stands at ${lowest.bits.toFixed(2)} bits per token`
    : `${members.length} values stand between ${lowest.bits.toFixed(4)} and ${highest.bits.toFixed(4)} bits per token`
  const slices = new Set(
    members.flatMap(({ claim: { contract } }) =>
      contract.data === NOT_STATED || contract.data.slice === NOT_STATED ? [] : [contract.data.slice],
    ),
  )
  const [slice] = slices.size === 1 ? slices : []
  const quoted = fact.mark === "stated"
  const spread = one ? "" : ` They differ by ${(highest.bits - lowest.bits).toFixed(4)} bits per token.`
  return findingOf(fact, {
    title: `${above.length} of ${members.length} models are no better than the ${fact.floor} floor`,
    text: `${range}; ${quoted ? `${fact.bitsPerToken} is quoted for a ${fact.floor} model on the whole split` : `a ${fact.floor} model reaches ${fact.bitsPerToken} on the split`}${slice === undefined ? "" : `, while the values are of ${slice}`}.${spread} At this level the models are hardly trained, and a comparison between them says little about trained ones.`,
    formula: "bits/token = published bits/byte * published constant",
    values: { floor: fact.bitsPerToken, lowest: lowest.bits, highest: highest.bits, above: above.length },
    mark: weakest(fact.mark, quoted ? "inferred" : "derived"),
    assumptions: [
      ...(quoted ? [`The ${fact.floor} floor is quoted, not measured here.`] : []),
      `The floor of the scored windows is near that of the whole split.`,
    ],
    command: `repro rescore ${lowest.claim.id} --json`,
  })
}

const ratioRange: Rule<"ratio-range"> = (fact) => {
  const inside = EXACT_RATIO >= fact.low && EXACT_RATIO <= fact.high
  return findingOf(fact, {
    title: inside ? "An asserted ratio holds" : "An asserted ratio does not hold",
    text: `A source says: ${fact.statement}. The exact byte table gives ${EXACT_RATIO.toFixed(6)} on the whole split, ${inside ? "inside" : "outside"} that range.`,
    formula: `${FINEWEB_SP1024.bytes} / ${FINEWEB_SP1024.tokens}`,
    values: { low: fact.low, high: fact.high, exact: EXACT_RATIO },
    mark: weakest(fact.mark, "computed"),
    command: "repro infer --loss 2.03588345 --bpb 1.20576485 --tokens 62021632",
  })
}

const ratioSample: Rule<"ratio-sample"> = (fact, known) => {
  const ratio = fact.bytes / (fact.windows * fact.windowTokens)
  const error = fact.standardDeviation / Math.sqrt(fact.windows)
  const constants = new Set(
    fact.claims.flatMap((id) => {
      const denominator = known.get(id)?.contract.denominator
      return denominator !== undefined &&
        denominator !== NOT_STATED &&
        denominator.kind === "constant" &&
        denominator.bytesPerToken !== NOT_STATED
        ? [denominator.bytesPerToken]
        : []
    }),
  )
  const [constant] = constants
  if (constant === undefined || constants.size !== 1) return undefined
  const distance = (constant - ratio) / error
  return findingOf(fact, {
    title: "Stored windows give the ratio without any byte table",
    text: `${fact.windows} stored windows of ${fact.windowTokens} tokens hold ${count(fact.bytes)} UTF-8 bytes: ${ratio.toFixed(4)} per token, standard error ${error.toFixed(3)}. The constant ${constant} lies ${distance.toFixed(0)} standard errors away; the exact ${EXACT_RATIO.toFixed(4)} lies ${((EXACT_RATIO - ratio) / error).toFixed(1)}.`,
    formula: `${fact.bytes} / (${fact.windows} * ${fact.windowTokens}); ${fact.standardDeviation} / sqrt(${fact.windows})`,
    values: { ratio, standardError: error, distance },
  })
}

const matchedSteps: Rule<"matched-steps"> = (fact, known) => {
  const [first, second] = fact.claims.map((id) => known.get(id))
  if (first === undefined || second === undefined) return undefined
  const [a, b] = [first.rescored?.number, second.rescored?.number]
  if (a === undefined || b === undefined) return undefined
  const published = first.value - second.value
  const exact = a.value - b.value
  return findingOf(fact, {
    title: "At equal steps the newer variant is not the lower one",
    text: `After ${count(fact.steps)} steps ${first.title} stands at ${a.value.toFixed(4)} and ${second.title} at ${b.value.toFixed(4)} bits per byte under the exact table: a difference of ${exact >= 0 ? "+" : ""}${exact.toFixed(4)} (published ${published >= 0 ? "+" : ""}${published.toFixed(4)}). The pair does not show that the added parts help; it is confounded by ${fact.confounds.join("; ")}.`,
    values: { first: a.value, second: b.value, difference: exact, publishedDifference: published },
    mark: weakest(fact.mark, "derived"),
    assumptions: ["One seed on each side."],
    command: `repro compare ${first.id} ${second.id} --json`,
  })
}

const quotation: Rule<"quotation"> = (fact, known) => {
  const [claim] = fact.claims.map((id) => known.get(id))
  if (claim === undefined) return undefined
  const quoted = Number(fact.printed)
  if (Math.abs(quoted - claim.value) < 0.5 * 10 ** -(fact.printed.split(".")[1]?.length ?? 0))
    return undefined
  return findingOf(fact, {
    title: "A quoted number is not the source's",
    text: `The document prints ${fact.printed} for ${claim.title}; the source prints ${claim.printed}.`,
    values: { quoted, source: claim.value },
  })
}

const table: Rule<"table"> = (fact, known) => {
  const members = fact.claims.flatMap((id) => known.get(id) ?? [])
  const kinds = new Map<string, string[]>()
  for (const claim of members) {
    const kind = claim.contract.bound === NOT_STATED ? "kind not stated" : claim.contract.bound
    kinds.set(kind, [...(kinds.get(kind) ?? []), claim.title])
  }
  const constants = members.filter(
    ({ contract }) => contract.denominator !== NOT_STATED && contract.denominator.kind === "constant",
  )
  if (kinds.size < 2 && constants.length === 0) return undefined
  const groups = [...kinds].map(([kind, titles]) => `${kind}: ${titles.join(", ")}`).join("; ")
  const denominators =
    constants.length === 0
      ? ""
      : ` ${constants.length} of ${members.length} divide by a constant, the others by counted bytes.`
  const exact = members.flatMap((claim) => {
    const number = claim.rescored?.number
    return number === undefined
      ? []
      : [`${claim.title} ${MARKS_OF[number.kind]}${number.value.toFixed(4)} (printed ${claim.printed})`]
  })
  return findingOf(fact, {
    title: "One column holds several kinds of number",
    text: `The values stand in ${fact.sortedBy}, but their kinds differ (${groups}).${denominators} Under the definition they are: ${exact.join("; ")}. An order of values of several kinds is not an order of models.`,
    values: { members: members.length, kinds: kinds.size, constants: constants.length },
    mark: weakest(fact.mark, "derived"),
  })
}

const scheduleMismatch: Rule<"schedule-mismatch"> = (fact) =>
  findingOf(fact, {
    title: "Training and sampling use different schedules",
    text: `Training uses ${fact.training}; sampling integrates ${fact.sampling}. The learned rates belong to the former.`,
    values: {},
  })

const graderCeiling: Rule<"grader-ceiling"> = (fact) => {
  const ceiling = (fact.items - fact.unscorable) / fact.items
  return findingOf(fact, {
    title: "The grader cannot score every item",
    text: `${fact.unscorable} of ${count(fact.items)} items are not scored correct even for the verbatim gold answer, so no model can exceed ${percent(ceiling, 2)}.`,
    formula: `(${fact.items} - ${fact.unscorable}) / ${fact.items}`,
    values: { ceiling, unscorable: fact.unscorable },
  })
}

const postProcessing: Rule<"post-processing"> = (fact) => {
  const before = fact.correct / fact.items
  const after = fact.correctAfter / fact.items
  return findingOf(fact, {
    title: "Post-processing alone moves the value",
    text: `The stored generations pass ${fact.correct} of ${count(fact.items)} items (${percent(before, 2)}) as graded, and ${fact.correctAfter} (${percent(after, 2)}) after one uniform change: ${fact.change}. The generations of the other model are not public, so the same change there is unknown.`,
    formula: `${fact.correct} / ${fact.items}; ${fact.correctAfter} / ${fact.items}`,
    values: { before, after },
    assumptions: [
      "The change is applied to one of the two models only, for want of the other's generations.",
    ],
  })
}

const selectionSplit: Rule<"selection-split"> = (fact) =>
  findingOf(fact, {
    title: "Selection and report use one split",
    text: `A source shows: ${fact.statement}. The reported value is then optimistic by an unknown amount.`,
    values: {},
  })

const unmatched: Rule<"unmatched-baseline"> = (fact) =>
  findingOf(fact, {
    title: "The two arms differ in more than the method",
    text: `A source shows: ${fact.statement}.`,
    values: {},
  })

const itemsOf = ({ contract }: AuditedClaim): number | undefined =>
  contract.denominator !== NOT_STATED &&
  contract.denominator.kind === "items" &&
  contract.denominator.items !== NOT_STATED
    ? contract.denominator.items
    : undefined

/** The one count of items that prints so; undefined for a reading, or where several counts or none do. */
const printedItems = (claim: AuditedClaim, items: number): number | undefined => {
  if (claim.mark !== "stated" || claim.contract.unit !== "percent") return undefined
  const counts = countsBehind(claim.value / 100, roundingHalfWidth(claim.printed) / 100, items)
  return counts !== undefined && counts[0] === counts[1] ? counts[0] : undefined
}

const pairedItems: Rule<"paired-items"> = (fact, known) => {
  const [a, b] = fact.claims.map((id) => known.get(id))
  if (a === undefined || b === undefined) return undefined
  const items = itemsOf(a)
  if (items === undefined || itemsOf(b) !== items) return undefined
  const [x, y] = [printedItems(a, items), printedItems(b, items)]
  if (x === undefined || y === undefined) return undefined
  const apart = Math.abs(x - y)
  // Every discordant item on one side: two tails of a fair coin.
  const p = Math.min(1, 2 * 0.5 ** apart)
  return findingOf(fact, {
    title: "How many items lie between two printed pass rates",
    text: `${a.title}: ${a.printed} is ${x} of ${items} items; ${b.title}: ${b.printed} is ${y}. They differ by ${apart} items. Were every discordant item in favour of one side, an exact McNemar test would give p = ${Number(p.toPrecision(3))}; any other discordance gives more.`,
    formula: `p >= 2 * 0.5^${apart}`,
    values: { items, first: x, second: y, difference: apart, smallestP: p },
    mark: weakest(fact.mark, "derived"),
    command: `repro compare ${a.id} ${b.id}`,
  })
}

const versions: Rule<"versions"> = (fact, known) => {
  const [first, later] = fact.claims.map((id) => known.get(id))
  if (first === undefined || later === undefined) return undefined
  return findingOf(fact, {
    title: "Two versions of one claim",
    text: `${first.title}: ${first.printed}, later ${later.printed}. A source shows: ${fact.statement}.`,
    values: { first: first.value, later: later.value },
  })
}

const RULES: { readonly [K in SourcedFact["kind"]]?: Rule<K> } = {
  "training-objective": objective,
  "run-length": runLength,
  "sweep-length": sweepLength,
  "deleted-code": deletedCode,
  floor,
  "ratio-range": ratioRange,
  "ratio-sample": ratioSample,
  "matched-steps": matchedSteps,
  quotation,
  table,
  "schedule-mismatch": scheduleMismatch,
  "grader-ceiling": graderCeiling,
  "post-processing": postProcessing,
  "selection-split": selectionSplit,
  "unmatched-baseline": unmatched,
  "paired-items": pairedItems,
  versions,
  ...CODE_RULES,
}

export const factFindings = (facts: readonly SourcedFact[], known: Known): readonly Finding[] =>
  facts.flatMap((fact) => {
    const rule = RULES[fact.kind] as ((fact: SourcedFact, known: Known) => Finding | undefined) | undefined
    return rule?.(fact, known) ?? []
  })
