/** The JSON of the published FineWeb shards. */
import * as Schema from "effect/Schema"
import { Count } from "../../../spec/common.js"
import { HubSource } from "../../../spec/source-syntax.js"

export const ParameterGolf = Schema.Struct({
  kind: Schema.Literal("parameter-golf"),
  repository: HubSource.annotate({
    description: "Hub dataset repository, for example hf:willdepueoai/parameter-golf.",
  }),
  revision: Schema.optionalKey(Schema.String).annotate({
    description: "Branch, tag or commit of the repository; main when absent.",
  }),
  dataset: Schema.String.annotate({
    description: "Dataset name in the manifest, for example fineweb10B_sp1024.",
  }),
  trainShards: Count.annotate({
    description: "How many training shards to use, in the order of their names.",
  }),
}).annotate({
  description: "Token shards in the parameter-golf format, listed by the repository's manifest.",
})
export type ParameterGolf = typeof ParameterGolf.Type
