/** The JSON of a spec file: the published configuration, its overlays, and a variation of another file. */
import * as Schema from "effect/Schema"
import { ShortIdentifier } from "./common.js"
import { experimentSchema } from "./experiment.js"
import { perRegistration } from "./registration.js"
import { Sweep } from "./sweep.js"

export const PROFILES = ["paper", "laptop", "ci"] as const
/** `paper`, or the name of one of the file's overlays: a published spec has those of {@link PROFILES}. */
export type Profile = string

const Overlay = Schema.Record(Schema.String, Schema.Json).annotate({
  description:
    "JSON merge patch (RFC 7396) on the experiment above: objects merge, null removes a key, lists and other values replace.",
})

const bodyFields = perRegistration(() => ({
  ...experimentSchema().fields,
  sweep: Schema.optionalKey(Sweep),
}))
/** An experiment with its sweep: what profiles are overlaid on. */
export const bodySchema = perRegistration(() => Schema.Struct(bodyFields()))

/** The whole file, over the families that are registered now. */
const fileSchema = perRegistration(() =>
  Schema.Struct({
    $schema: Schema.optionalKey(Schema.String).annotate({
      description: "Path of experiment.schema.json, for completion and hover text in an editor.",
    }),
    schemaVersion: Schema.Literal(1).annotate({ description: "Version of this format." }),
    ...bodyFields(),
    profiles: Schema.Struct({
      laptop: Schema.optionalKey(Overlay),
      ci: Schema.optionalKey(Overlay),
    }).annotate({
      description: "Overlays for smaller machines; the fields above are the published configuration.",
    }),
  }),
)
export const SpecFile = fileSchema()

/** A file that varies a published experiment, which stands in it as `published`. */
const variationSchema = perRegistration(() =>
  Schema.Struct({
    ...fileSchema().fields,
    profiles: Schema.Record(ShortIdentifier, Overlay),
    published: Schema.Json,
  }),
)

export const schemaOf = (document: unknown) =>
  isObject(document) && Object.hasOwn(document, "published") ? variationSchema() : fileSchema()

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
