/** What an experiment begins from, where it does not draw its weights: another experiment's result, or a checkpoint. */
import * as Schema from "effect/Schema"
import { Fingerprint, formed, ShortIdentifier, Line, Sha256 } from "./common.js"

const OfRun = Schema.Struct({
  run: ShortIdentifier.annotate({
    description:
      "Name of the spec whose final weights this experiment begins with, its average where it keeps one.",
  }),
  profile: Schema.optionalKey(ShortIdentifier).annotate({
    description: "Profile of that spec; the profile of this one when absent.",
  }),
  fingerprint: Schema.optionalKey(Fingerprint).annotate({
    description:
      "Fingerprint of that experiment. It is filled in when the spec is read; one that is stated is compared, so that an experiment that changed is refused.",
  }),
}).annotate({ description: "The result of another spec." })

const OfCheckpoint = Schema.Struct({
  checkpoint: formed(
    /^(hf:[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+\.safetensors)?|file:(?:\/\/)?.+)$/,
    "hf:OWNER/REPOSITORY, hf:OWNER/REPOSITORY/FILE.safetensors or file:PATH",
  ).annotate({
    description:
      "hf:OWNER/REPOSITORY, whose model.safetensors.index.json lists the shards; hf:OWNER/REPOSITORY/FILE.safetensors, the one file; or file:PATH of a safetensors file or of such an index.",
  }),
  revision: Schema.optionalKey(Line).annotate({
    description: "Branch, tag or commit of the repository; main when absent.",
  }),
  sha256: Schema.optionalKey(Schema.Record(Schema.String, Sha256)).annotate({
    description: "Digests by file name, checked by whoever reads the file.",
  }),
  names: Schema.optionalKey(Schema.Record(Schema.String, Schema.NullOr(Schema.String))).annotate({
    description:
      "Names in the files to names of the network: whole names, or beginnings that end in a full stop. null leaves a tensor out.",
  }),
}).annotate({ description: "Weights made elsewhere." })

export const Init = Schema.Union([OfRun, OfCheckpoint]).annotate({
  description: "What the weights begin as; drawn from the stream init when absent.",
})
export type Init = typeof Init.Type

/** What of it decides the numbers: no place where something lies, only what it is. */
export const initIdentity = (init: Init): unknown => {
  if ("run" in init)
    return init.fingerprint === undefined ? { run: init.run } : { fingerprint: init.fingerprint }
  const { checkpoint, revision, sha256, names } = init
  return {
    checkpoint: checkpoint.startsWith("file:") ? "file" : checkpoint,
    ...(revision === undefined ? {} : { revision }),
    ...(sha256 === undefined ? {} : { sha256: Object.values(sha256).sort() }),
    ...(names === undefined ? {} : { names }),
  }
}
