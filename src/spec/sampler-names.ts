/** Names that the settings of samplers may have; they load no schema, so that a command line can list them. */

/**
 * What a network's rows are to a sampler. masked: of a fixed length, tokens revealed in any order. causal: one token
 * after another. growing: tokens are inserted.
 */
export type RowKind = "masked" | "causal" | "growing"

export const SAMPLER_NAMES = [
  "ancestral",
  "confidence",
  "left-to-right",
  "events",
  "tau",
  "euler",
  "blocks",
] as const
export type AnySampler = (typeof SAMPLER_NAMES)[number]

/** The samplers of each kind of rows; the first is what is used where none is named. */
export const SAMPLERS_OF = {
  masked: ["ancestral", "confidence", "left-to-right", "blocks"],
  causal: ["left-to-right"],
  growing: ["events", "tau", "euler", "confidence"],
} as const satisfies Readonly<Record<RowKind, readonly AnySampler[]>>

export const TAU_RULES = ["survival", "at-least-one", "exactly-one"] as const
export const STEP_GRIDS = ["even", "short"] as const
export const CONFIDENCE_KINDS = ["position", "top_prob", "prob_diff", "entropy"] as const
export const OVERFLOWS = ["fill", "cancel", "clip"] as const
export const SPECIALS = ["excluded", "as-published"] as const
export const NUCLEI = ["standard", "strict"] as const
