/** The JSON of shards that are there already. */
import * as Schema from "effect/Schema"
import { Sha256 } from "../../../spec/common.js"
import { FileSource } from "../../../spec/source-syntax.js"

export const Files = Schema.Struct({
  kind: Schema.Literal("files"),
  train: Schema.Array(FileSource).annotate({
    description: "Training shards (file: paths), in the order of use.",
  }),
  validation: Schema.Array(FileSource).annotate({
    description: "Validation shards (file: paths), in the order of use.",
  }),
  sha256: Schema.optionalKey(Schema.Record(Schema.String, Sha256)).annotate({
    description:
      "Digest of each shard by its path as written above; paths never enter the fingerprint, digests do.",
  }),
}).annotate({ description: "Token shards already on disk." })
export type Files = typeof Files.Type
