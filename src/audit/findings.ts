/**
 * Findings about published numbers: arithmetic with its source, in neutral words.
 *
 * Every number in a finding is computed here or in the functions it names; the facts they start from carry their own
 * marks (stated, computed, derived, inferred), and a finding is never surer than the least sure of them.
 */
import { FINEWEB_SP1024 } from "../metric/contract/builders.js"
import { NOT_STATED } from "../metric/contract/contract.js"
import type { Mark, Place } from "../spec/findings-facts.js"
import { sourceLine, weakest, type AuditedClaim, type Finding, type SourcedFact } from "./findings-common.js"
import { factFindings } from "./findings-from-facts.js"
import { uniformFloor } from "../metric/code/floors.js"
import { constantFactor } from "../metric/contract/rescore.js"

export type { AuditedClaim, Finding, SourcedFact } from "./findings-common.js"

const four = (x: number): string => x.toFixed(4)

/** Claims to which one rule applies with the same parameters, told together. */
const grouped = <A>(
  claims: readonly AuditedClaim[],
  rule: (claim: AuditedClaim) => { readonly key: string; readonly found: A } | undefined,
): readonly (readonly { readonly claim: AuditedClaim; readonly found: A }[])[] => {
  const groups = new Map<string, { readonly claim: AuditedClaim; readonly found: A }[]>()
  for (const claim of claims) {
    const hit = rule(claim)
    if (hit === undefined) continue
    groups.set(hit.key, [...(groups.get(hit.key) ?? []), { claim, found: hit.found }])
  }
  return [...groups.values()]
}

const pick = (place: Place, keys: readonly (keyof Place)[]): Place =>
  Object.fromEntries(Object.entries(place).filter(([key]) => keys.includes(key as keyof Place)))

const common = (kind: string, claims: readonly AuditedClaim[], mark: Mark) => ({
  id: `${claims[0]!.id}/${kind}`,
  kind,
  mark: weakest(...claims.map((claim) => claim.mark), mark),
  claims: claims.map((claim) => claim.id),
  source: [
    ...new Set(
      claims.map(({ place, source }) =>
        claims.length === 1
          ? sourceLine(place, source)
          : sourceLine(pick(place, ["document", "commit", "file", "part", "thread"]), source),
      ),
    ),
  ].join(" | "),
})

const titles = (claims: readonly AuditedClaim[]): string => claims.map((claim) => claim.title).join("; ")

const boundFindings = (claims: readonly AuditedClaim[]): readonly Finding[] =>
  grouped(claims, (claim) => {
    const { bound, estimator } = claim.contract
    if (bound !== "upper-bound" && bound !== "lower-bound") return undefined
    const name = estimator === NOT_STATED ? "an estimator that is not stated" : `a ${estimator.kind}`
    const steps =
      estimator !== NOT_STATED && estimator.kind === "discrete-elbo" ? ` with T = ${estimator.steps}` : ""
    return { key: `${bound} ${name}${steps}`, found: { bound, name: `${name}${steps}` } }
  }).map((group) => {
    const members = group.map(({ claim }) => claim)
    const { bound, name } = group[0]!.found
    const side = bound === "upper-bound" ? "above" : "below"
    return {
      ...common("bound", members, "derived"),
      title: `The value is ${bound === "upper-bound" ? "an upper" : "a lower"} bound, not an exact code length`,
      text: `${titles(members)}: ${name} bounds the negative log-likelihood from ${side}. Beside exact values such a number needs a mark, and the order of two bounds is not the order of what they bound.`,
      values: {},
      assumptions: [],
      command: `repro compare ${members[0]!.id} ${members[0]!.contract.unit === "ppl" ? "perplexity" : "bpb"}`,
    }
  })

const denominatorFindings = (claims: readonly AuditedClaim[]): readonly Finding[] =>
  grouped(claims, (claim) => {
    const { denominator, unit } = claim.contract
    const number = claim.rescored?.number
    if (denominator === NOT_STATED || denominator.kind !== "constant" || unit !== "bits/byte")
      return undefined
    if (denominator.bytesPerToken === NOT_STATED || number === undefined) return undefined
    return { key: String(denominator.bytesPerToken), found: { constant: denominator.bytesPerToken, number } }
  }).map((group) => {
    const exact = FINEWEB_SP1024.bytes / FINEWEB_SP1024.tokens
    const { constant, number: first } = group[0]!.found
    const factor = constantFactor(constant, exact)
    const members = group.map(({ claim }) => claim)
    const list = group.map(
      ({ claim, found: { number } }) =>
        `${claim.title}: ${claim.printed} becomes ${four(number.value)} (${four(number.interval.lo)} to ${four(number.interval.hi)})`,
    )
    const assumptions = [
      ...new Set(members.flatMap((claim) => claim.rescored?.assumptions.map(({ text }) => text) ?? [])),
    ]
    return {
      ...common("denominator", members, "computed"),
      title: "The denominator is a constant, not a byte count",
      text: `The published values divide by ${constant} bytes per token; the exact byte table gives ${exact.toFixed(6)} on the split. The same bits under the exact table are ${factor.toFixed(5)} times the published value. ${list.join("; ")}.`,
      formula: `published * ${constant} / (${FINEWEB_SP1024.bytes} / ${FINEWEB_SP1024.tokens})`,
      values: {
        constant,
        exactBytesPerToken: exact,
        factor,
        published: members[0]!.value,
        rescored: first.value,
        low: first.interval.lo,
        high: first.interval.hi,
      },
      assumptions,
      command: `repro rescore ${members[0]!.id}`,
    }
  })

/** Bits per token of the uniform distribution over the claim's tokenizer, where its name tells the vocabulary. */
const uniformBits = ({ contract: { tokenizer } }: AuditedClaim): number | undefined => {
  const size = tokenizer === NOT_STATED ? null : /^sp(\d{2,6})$/.exec(tokenizer.id)
  return size === null ? undefined : uniformFloor(Number(size[1]))
}

const uniformFindings = (claims: readonly AuditedClaim[]): readonly Finding[] =>
  claims.flatMap((claim): readonly Finding[] => {
    const uniform = uniformBits(claim)
    const bits = claim.rescored?.derivation.find(({ unit }) => unit === "bits/token")
    if (claim.rescored?.number === undefined || uniform === undefined || bits === undefined) return []
    if (bits.result <= uniform) return []
    return [
      {
        ...common("above-uniform", [claim], "derived"),
        title: "The re-scored value is above that of the uniform model",
        text: `${claim.title}: ${bits.result.toFixed(2)} bits per token, where a uniform guess among the tokens costs ${uniform.toFixed(2)}. Either the model predicts worse than chance or a field of the contract, such as the denominator, is not what the source used.`,
        formula: bits.formula,
        values: { bitsPerToken: bits.result, uniform },
        assumptions: claim.rescored.assumptions.map(({ text }) => text),
        command: `repro rescore ${claim.id}`,
      },
    ]
  })

const coverageFindings = (claims: readonly AuditedClaim[]): readonly Finding[] =>
  grouped(claims, (claim) => {
    const { data } = claim.contract
    if (data === NOT_STATED || data.coverage === NOT_STATED || data.coverage >= 0.999) return undefined
    const slice = data.slice === NOT_STATED ? "a slice" : data.slice
    return { key: `${slice} ${data.coverage}`, found: { slice, coverage: data.coverage } }
  }).map((group) => {
    const members = group.map(({ claim }) => claim)
    const { slice, coverage } = group[0]!.found
    return {
      ...common("coverage", members, "stated"),
      title: "A part of the split was scored",
      text: `${titles(members)}: ${slice}, ${(100 * coverage).toFixed(2)} % of the split's tokens. The value carries the sampling error of that slice.`,
      values: { coverage },
      assumptions: [],
      command: `repro compare ${members[0]!.id} bpb`,
    }
  })

const sideInformationFindings = (claims: readonly AuditedClaim[]): readonly Finding[] =>
  grouped(claims, (claim) => {
    const charge = claim.rescored?.charges[0]
    return charge === undefined ? undefined : { key: four(charge.atMost), found: charge }
  }).map((group) => {
    const members = group.map(({ claim }) => claim)
    const { atMost, formula } = group[0]!.found
    const { documents, tokens } = FINEWEB_SP1024
    return {
      ...common("side-information", members, "derived"),
      title: "Boundary tokens are given free",
      text: `${titles(members)}: boundary tokens are never masked, so the receiver knows their positions at no cost. An entropy code for ${documents} boundaries among ${tokens} tokens costs at most ${four(atMost)} bits per byte, which the published values leave out.`,
      formula,
      values: { charge: atMost, rate: documents / tokens },
      assumptions: ["Boundaries are coded as independent events; an adaptive code costs less."],
      command: `repro rescore ${members[0]!.id}`,
    }
  })

/**
 * The findings on some claims: what their contracts show, then what the given facts show.
 *
 * @param known every claim of the ledger, which a fact may set beside the audited ones
 */
export const findingsOn = (
  audited: readonly AuditedClaim[],
  facts: readonly SourcedFact[],
  known: ReadonlyMap<string, AuditedClaim>,
): readonly Finding[] => [
  ...boundFindings(audited),
  ...denominatorFindings(audited),
  ...uniformFindings(audited),
  ...coverageFindings(audited),
  ...sideInformationFindings(audited),
  ...factFindings(facts, known),
]
