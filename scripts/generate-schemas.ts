/**
 * Writes `generated/`: JSON Schemas (draft-07, which editors understand), their TypeScript declarations and the help
 * text. `npm run generate` writes, the tests compare.
 */
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import * as CliOutput from "effect/cli/CliOutput"
import * as Effect from "effect/Effect"
import * as JsonSchema from "effect/JsonSchema"
import * as Schema from "effect/Schema"
import * as TestConsole from "effect/testing/TestConsole"
import { compile } from "json-schema-to-typescript"
import { platform, run } from "../src/cli/main.js"
import { ClaimsFile } from "../src/spec/claim.js"
import { SpecFile } from "../src/spec/spec-file.js"

type Node = { readonly [key: string]: unknown }

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const mapValues = (node: Node, change: (value: unknown, key: string) => unknown): Node =>
  Object.fromEntries(Object.entries(node).map(([key, value]) => [key, change(value, key)]))

const isObjectSchema = (node: unknown): node is Node & { readonly properties: Node } =>
  isNode(node) && isNode(node["properties"])

/** Simpler forms of the same meaning, and a description for each discriminator. */
const tidy = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(tidy)
  if (!isNode(value)) return value
  const node: Record<string, unknown> = { ...mapValues(value, tidy) }
  if (node["maximum"] === Number.MAX_SAFE_INTEGER) delete node["maximum"]
  if (node["minimum"] === Number.MIN_SAFE_INTEGER) delete node["minimum"]
  // A list of at least one item comes as its first item and the rest.
  const { items, additionalItems } = node
  const same = additionalItems ?? {}
  if (Array.isArray(items) && items.length === 1 && JSON.stringify(items[0]) === JSON.stringify(same)) {
    node["items"] = same
    delete node["additionalItems"]
  }
  const choices = node["enum"]
  if (Array.isArray(choices) && choices.length === 1) {
    node["const"] = choices[0] as unknown
    delete node["enum"]
  }
  const properties = node["properties"]
  if (isNode(properties) && isNode(properties["kind"]) && properties["kind"]["description"] === undefined) {
    const description = node["description"] ?? "Which of the forms this is."
    node["properties"] = { ...properties, kind: { ...properties["kind"], description } }
  }
  return node
}

const NULL = { type: "null", description: "Removes this key." }

/** A property that a union's members give different forms. */
const eitherOf = (forms: readonly unknown[]): unknown => {
  const different = forms.filter(
    (form, index) => forms.findIndex((other) => JSON.stringify(other) === JSON.stringify(form)) === index,
  )
  const first = different[0]
  if (different.length === 1) return first
  const description = isNode(first) ? first["description"] : undefined
  return { ...(description === undefined ? {} : { description }), anyOf: different }
}

/** The schema of a merge patch on what `node` describes: every key may be absent or null, members of a union mix. */
const patchOf = (node: unknown): unknown => {
  if (!isNode(node)) return node
  const members = node["anyOf"]
  if (Array.isArray(members) && members.every(isObjectSchema)) {
    const keys = [...new Set(members.flatMap((member) => Object.keys(member.properties)))]
    const properties = Object.fromEntries(
      keys.map((key) => [
        key,
        eitherOf(
          members.filter((member) => key in member.properties).map((member) => member.properties[key]),
        ),
      ]),
    )
    return patchOf({
      type: "object",
      description: node["description"],
      properties,
      additionalProperties: false,
    })
  }
  if (!isObjectSchema(node)) return node
  const { required: _required, properties, ...rest } = node
  return {
    ...rest,
    properties: mapValues(properties, (value) => {
      const description = isNode(value) ? value["description"] : undefined
      return { ...(description === undefined ? {} : { description }), anyOf: [patchOf(value), NULL] }
    }),
  }
}

const draft07 = (schema: Schema.Constraint, title: string, description: string): Node => {
  const document = JsonSchema.toDocumentDraft07(
    Schema.toJsonSchemaDocument(schema, { onExcessProperty: "error" }),
  )
  const root = tidy(document.schema) as Node
  const definitions = tidy(document.definitions) as Node
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title,
    description,
    ...root,
    ...(Object.keys(definitions).length === 0 ? {} : { definitions }),
  }
}

/** The schema of spec files, with overlays spelled out so that an editor can complete them. */
const experimentSchema = (): Node => {
  const root = draft07(SpecFile, "Experiment", "A spec: one published experiment with its profiles.")
  const properties = root["properties"] as Node
  const { $schema: _schema, schemaVersion: _version, profiles, ...body } = properties
  const overlay = patchOf({
    type: "object",
    description: "JSON merge patch (RFC 7396) on the published configuration.",
    properties: body,
    additionalProperties: false,
  })
  const names = Object.keys((profiles as { readonly properties: Node }).properties)
  const overlays = Object.fromEntries(
    names.map((name) => [
      name,
      { $ref: "#/definitions/Overlay", description: `What the ${name} profile changes.` },
    ]),
  )
  return {
    ...root,
    properties: { ...properties, profiles: { ...(profiles as Node), properties: overlays } },
    definitions: { ...(root["definitions"] as Node | undefined), Overlay: overlay },
  }
}

/** What only a published experiment has to say: a file without it is completed when it is read. */
const COMPLETED = ["id", "title", "claims", "profiles"]

/** The schema of spec files of both kinds: those that stand alone, and those that vary another, as a patch on it. */
const specFileSchema = (alone: Node): Node => {
  const { properties, required, definitions, ...root } = alone
  const keys = Object.keys(properties as Node)
  const frame = ["$schema", "schemaVersion"]
  const patch = ((definitions as Node)["Overlay"] as { readonly properties: Node }).properties
  const hover = (key: string): Node => {
    const { description } = (properties as Readonly<Record<string, Node>>)[key]!
    return { description: description ?? (patch[key] as Node)["description"] }
  }
  const refTo = (key: string): Node => ({
    ...hover(key),
    allOf: [{ $ref: `#/definitions/Overlay/properties/${key}` }],
  })
  const overlays = {
    type: "object",
    description: "Profiles of one's own, and changes to those of the spec that is varied; null removes one.",
    additionalProperties: { anyOf: [{ $ref: "#/definitions/Overlay" }, NULL] },
  }
  const standing = {
    properties,
    required: (required as readonly string[]).filter((key) => !COMPLETED.includes(key)),
  }
  const varying = {
    properties: {
      ...Object.fromEntries(keys.filter((key) => key in patch).map((key) => [key, refTo(key)])),
      profiles: overlays,
    },
  }
  const varies = { properties: { extends: { description: "Of a variation." } }, required: ["extends"] }
  return {
    ...root,
    properties: {
      ...Object.fromEntries(
        keys.map((key) => [key, frame.includes(key) ? (properties as Node)[key] : hover(key)]),
      ),
      extends: {
        type: "string",
        description:
          "Name or file of the spec that this one varies: everything else is a JSON merge patch (RFC 7396) on its experiment, in every profile.",
      },
    },
    additionalProperties: false,
    allOf: [
      { if: varies, else: standing },
      { if: { not: varies }, else: varying },
    ],
    definitions,
  }
}

const BANNER = "/* Generated by `npm run generate` from src/spec; do not edit. */"

const declarations = (schema: Node, name: string): Promise<string> =>
  compile(schema as Parameters<typeof compile>[0], name, {
    bannerComment: BANNER,
    additionalProperties: false,
    style: { semi: false, singleQuote: false, printWidth: 110 },
    $refOptions: { resolve: { external: false } },
  })

/** Every generated file by its path below `generated/`. */
export const generateAll = async (): Promise<ReadonlyMap<string, string>> => {
  const experiment = experimentSchema()
  const claims = draft07(ClaimsFile, "Claims", "Published numbers of one source, with their contracts.")
  const help = await helpText()
  return new Map([
    ["experiment.schema.json", `${JSON.stringify(specFileSchema(experiment), null, 2)}\n`],
    ["experiment.d.ts", await declarations(experiment, "Experiment")],
    ["claim.schema.json", `${JSON.stringify(claims, null, 2)}\n`],
    ["claim.d.ts", await declarations(claims, "Claims")],
    ["help.txt", help],
  ])
}

/** What `repro --help` prints; `bin.ts` shows it without loading anything. */
const helpText = (): Promise<string> =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* run(["--help"])
      return `${(yield* TestConsole.logLines).join("\n")}\n`
    }).pipe(
      Effect.provide(CliOutput.layer(CliOutput.defaultFormatter({ colors: false }))),
      Effect.provide(TestConsole.layer),
      Effect.provide(platform),
    ),
  )

export const generatedFolder = join(import.meta.dirname, "..", "generated")

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await mkdir(generatedFolder, { recursive: true })
  for (const [name, text] of await generateAll()) await writeFile(join(generatedFolder, name), text)
}
