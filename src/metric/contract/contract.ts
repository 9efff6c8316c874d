/**
 * The metric contract: what a number means, field by field.
 *
 * Two numbers may stand side by side exactly as far as their contracts agree. The digest covers the semantic fields;
 * the prose (title, description, hazards, citations) may change freely.
 */
import * as Schema from "effect/Schema"
import {
  BoundKind,
  DataPolicy,
  Denominator,
  Estimator,
  NumeratorEvent,
  Precision,
  Quantity,
  Reduction,
  Seeds,
  Selection,
  SideInformation,
  Specials,
  stated,
  TokenizerPolicy,
  UnitSchema,
  WindowPolicy,
} from "./fields.js"

import { boundConflict, boundWords } from "./estimator-kinds.js"

export { NOT_STATED, type NotStated } from "./fields.js"

/** Version of the contract's form; see `contract-migrations.ts` for its changelog. */
export const CONTRACT_VERSION = 2

export const semanticFields = {
  quantity: stated(Quantity),
  unit: stated(UnitSchema),
  event: stated(NumeratorEvent),
  bound: stated(BoundKind),
  estimator: stated(Estimator),
  denominator: stated(Denominator),
  window: stated(WindowPolicy),
  specials: stated(Specials),
  sideInformation: stated(SideInformation),
  data: stated(DataPolicy),
  tokenizer: stated(TokenizerPolicy),
  reduction: stated(Reduction),
  grader: stated(Schema.String).annotate({
    description:
      "Extractor and grader of task answers, post-processing included; 'none' where nothing is graded.",
  }),
  selection: stated(Selection),
  precision: stated(Precision),
  seeds: stated(Seeds),
} as const

export const SEMANTIC_FIELDS = Object.keys(semanticFields) as ReadonlyArray<keyof typeof semanticFields>
export type SemanticField = keyof typeof semanticFields

const prose = {
  title: Schema.optionalKey(Schema.String),
  description: Schema.optionalKey(Schema.String),
  hazards: Schema.optionalKey(Schema.Array(Schema.String)),
  citations: Schema.optionalKey(Schema.Array(Schema.String)),
} as const

export const Contract = Schema.Struct({
  version: Schema.Literal(CONTRACT_VERSION),
  ...semanticFields,
  ...prose,
})
  .annotate({ description: "What a number means. Any field may be 'not stated'." })
  .check(
    Schema.makeFilter(({ estimator, bound }) => {
      const kinds = boundConflict(estimator, bound)
      return kinds === undefined ? undefined : { path: ["bound"], issue: boundWords(estimator, kinds) }
    }),
  )
export type Contract = typeof Contract.Type
