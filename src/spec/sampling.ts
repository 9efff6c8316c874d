/**
 * How texts are sampled, as a spec and a command line say it: one set of settings for every network, of which each
 * sampler has its own.
 */
import * as Schema from "effect/Schema"
import { Count, NonNegative, Positive } from "./common.js"
import {
  CONFIDENCE_KINDS,
  NUCLEI,
  OVERFLOWS,
  SAMPLER_NAMES,
  SAMPLERS_OF,
  SPECIALS,
  STEP_GRIDS,
  TAU_RULES,
  type AnySampler,
  type RowKind,
} from "./sampler-names.js"

export * from "./sampler-names.js"

const Share = Schema.Finite.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1))

export const Sampling = Schema.Struct({
  sampler: Schema.optionalKey(Schema.Literals(SAMPLER_NAMES)).annotate({
    description:
      "ancestral: the reverse chain. confidence: what the model is surest of first. left-to-right: one token at a time, all that a next-token network does. blocks: LLaDA's, a response behind what is given, filled block by block with an equal number of tokens a step; the temperature is 0 when absent. Where rows grow: events, the time of each event drawn exactly, without steps; tau, every mask and slot on its own in each step; euler, the published Euler step; confidence. When absent: ancestral, left-to-right or events, as the network is.",
  }),
  steps: Schema.optionalKey(Count).annotate({
    description: "Steps of one text; one for each token when absent. events has none.",
  }),
  temperature: Schema.optionalKey(NonNegative).annotate({
    description: "Log-probabilities are divided by it; 0 takes the most probable token; 1 when absent.",
  }),
  topP: Schema.optionalKey(Share).annotate({
    description:
      "Draw from the fewest most probable tokens whose probabilities reach this sum, after the temperature; 1 when absent.",
  }),
  nucleus: Schema.optionalKey(Schema.Literals(NUCLEI)).annotate({
    description:
      "Whether the token that crosses topP stays (standard, when absent) or goes (strict, as xlm-core has it). Where rows grow.",
  }),
  length: Schema.optionalKey(Count).annotate({
    description:
      "Tokens of each text, given ones included, of a network with rows of a fixed length; as many as it was trained on when absent.",
  }),
  block: Schema.optionalKey(Count).annotate({
    description: "Blocks of this many tokens from left to right, each by the sampler. Masked networks.",
  }),
  rule: Schema.optionalKey(Schema.Literals(TAU_RULES)).annotate({
    description:
      "When a MASK is revealed and a token inserted in a step of tau. survival, when absent: with the probability that the schedule gives. at-least-one: one Poisson event or more. exactly-one: as published, two events cancel each other, and the last step takes the most probable tokens.",
  }),
  grid: Schema.optionalKey(Schema.Literals(STEP_GRIDS)).annotate({
    description:
      "Times of the steps. even: 1/N, when absent. short: (1 - 1e-5)/(N + 1), as xlm-core has it. Where rows grow in steps.",
  }),
  confidence: Schema.optionalKey(Schema.Literals(CONFIDENCE_KINDS)).annotate({
    description:
      "What masks are ranked by where rows grow. Of the sampler confidence: prob_diff when absent. Of events: an event reveals the mask ranked first; any mask with equal chances when absent.",
  }),
  hazard: Schema.optionalKey(Schema.Literals(["on", "off"])).annotate({
    description:
      "off: the number of masks that a step of confidence reveals is drawn without the hazard, as published for the small models; 63 % of a text is then left to the last step. on when absent.",
  }),
  window: Schema.optionalKey(
    Schema.Struct({
      factor: Positive.annotate({ description: "Masks that compete for each one that is revealed." }),
      most: Count.annotate({ description: "Masks that compete at most." }),
    }),
  ).annotate({
    description: "Of the sampler confidence where rows grow: only the first masks from the left compete.",
  }),
  overflow: Schema.optionalKey(Schema.Literals(OVERFLOWS)).annotate({
    description:
      "When a step would insert more than the canvas holds. cancel, when absent: it inserts nothing. clip: as many as fit. fill: as published, the whole canvas becomes MASK.",
  }),
  remasking: Schema.optionalKey(Schema.Literals(["low_confidence", "random"])).annotate({
    description:
      "Of the sampler blocks: low_confidence, when absent, settles the most probable candidates of a step; random, any.",
  }),
  response: Schema.optionalKey(Count).annotate({
    description:
      "Of the sampler blocks: tokens of the response behind what is given, however long that is; as many as the row has room for when absent.",
  }),
  specials: Schema.optionalKey(Schema.Literals(SPECIALS)).annotate({
    description:
      "excluded, when absent: MASK and PAD are never drawn. as-published: they may be, and a PAD breaks its row. Where rows grow in steps.",
  }),
}).annotate({ identifier: "Sampling", description: "How texts are sampled." })
export type Sampling = typeof Sampling.Type
export type SamplingField = keyof Sampling

export interface SamplingProblem {
  readonly field: SamplingField
  readonly expected: string
  readonly found: string
  readonly hint?: string
}

type Owner = readonly [words: string, owns: (rows: RowKind, sampler: AnySampler) => boolean]

const stepped: Owner = [
  "tau, euler or confidence on a network whose rows grow",
  (rows, sampler) => rows === "growing" && sampler !== "events",
]
const fixedRows: Owner = ["networks with rows of a fixed length", (rows) => rows !== "growing"]
const sure: Owner = [
  "the sampler confidence on a network whose rows grow",
  (rows, sampler) => rows === "growing" && sampler === "confidence",
]

/** Settings that not every sampler has. */
const OWNERS: Readonly<Partial<Record<SamplingField, Owner>>> = {
  steps: ["samplers with steps", (_, sampler) => sampler !== "events" && sampler !== "left-to-right"],
  length: fixedRows,
  block: ["masked networks", (rows) => rows === "masked"],
  rule: ["the sampler tau", (_, sampler) => sampler === "tau"],
  nucleus: ["networks whose rows grow", (rows) => rows === "growing"],
  confidence: [
    "the samplers confidence and events on a network whose rows grow",
    (rows, sampler) => rows === "growing" && (sampler === "confidence" || sampler === "events"),
  ],
  hazard: sure,
  window: sure,
  grid: stepped,
  overflow: stepped,
  specials: stepped,
  remasking: ["the sampler blocks", (_, sampler) => sampler === "blocks"],
  response: ["the sampler blocks", (_, sampler) => sampler === "blocks"],
}

export const samplerOf = (sampling: Sampling, rows: RowKind): AnySampler =>
  sampling.sampler ?? SAMPLERS_OF[rows][0]

/** What does not fit the network or the sampler; undefined where all fits. */
export const samplingProblem = (sampling: Sampling, rows: RowKind): SamplingProblem | undefined => {
  const sampler = samplerOf(sampling, rows)
  const own: readonly string[] = SAMPLERS_OF[rows]
  if (!own.includes(sampler))
    return {
      field: "sampler",
      expected: `${own.join(", ")}: the rows of this network ${rows === "growing" ? "grow" : rows === "causal" ? "follow one another: a next-token network samples left-to-right" : "have a fixed length"}`,
      found: JSON.stringify(sampler),
    }
  for (const [field, owner] of Object.entries(OWNERS) as [SamplingField, Owner][]) {
    const value = sampling[field]
    if (value === undefined || owner[1](rows, sampler)) continue
    return {
      field,
      expected: `nothing with the sampler ${sampler}`,
      found: JSON.stringify(value),
      hint: `It belongs to ${owner[0]}; leave it out.`,
    }
  }
  if (rows === "growing" && sampler !== "events" && sampling.steps === 1)
    return { field: "steps", expected: "at least 2 steps, as the last one inserts nothing", found: "1" }
  return undefined
}
