import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { Ajv } from "ajv"
import t, { test } from "tap"
import { generateAll, generatedFolder } from "../../scripts/generate-schemas.js"
import { mergePatch } from "../../src/spec/merge-patch.js"

t.setTimeout(300_000)

const generated = await generateAll()
const schemaOf = (name: string) => JSON.parse(generated.get(name)!) as Record<string, unknown>
const specs = (await readdir("specs")).filter((name) => name.endsWith(".json"))
const read = async (path: string) => JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>

test("generated files are what the sources make (npm run generate)", async (t) => {
  for (const [name, text] of generated)
    t.equal(await readFile(join(generatedFolder, name), "utf8"), text, name)
  t.same((await readdir(generatedFolder)).sort(), [...generated.keys()].sort())
})

test("every spec and every claims file is valid by the schema that an editor uses", async (t) => {
  const ajv = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true })
  const experiment = ajv.compile(schemaOf("experiment.schema.json"))
  t.ok(specs.length >= 8)
  for (const name of specs) {
    const document = await read(join("specs", name))
    t.ok(experiment(document), `${name}: ${JSON.stringify(experiment.errors)}`)
    t.equal(document["$schema"], "../generated/experiment.schema.json")
  }
  const claims = ajv.compile(schemaOf("claim.schema.json"))
  for (const name of (await readdir("specs/claims")).filter((each) => each.endsWith(".json")))
    t.ok(claims(await read(join("specs/claims", name))), `${name}: ${JSON.stringify(claims.errors)}`)
})

test("the editor's schema refuses what the decoder refuses", async (t) => {
  const validate = new Ajv({ allowUnionTypes: true }).compile(schemaOf("experiment.schema.json"))
  const document = await read("specs/mdlm_eos.json")
  const patches: readonly unknown[] = [
    { modle: {} },
    { model: { heads: 0 } },
    { model: { heads: 2.5 } },
    { model: { kind: "mlp" } },
    { id: "Not An Id" },
    { evaluations: [] },
    { training: { optimizer: { betas: [0.9] } } },
    { profiles: { laptop: { modle: {} } } },
    { profiles: { laptop: { model: { heads: "four" } } } },
    { profiles: { leptop: {} } },
    { schemaVersion: 2 },
  ]
  t.ok(validate(document))
  for (const patch of patches) t.notOk(validate(mergePatch(document, patch)), JSON.stringify(patch))
})

test("every property has a hover text", async (t) => {
  const schema = schemaOf("experiment.schema.json")
  const definitions = schema["definitions"] as Record<string, { description?: string }>
  const missing: string[] = []
  let count = 0
  const walk = (node: unknown, place: string): void => {
    if (typeof node !== "object" || node === null) return
    const { properties } = node as { properties?: Record<string, Record<string, unknown>> }
    for (const [key, value] of Object.entries(properties ?? {})) {
      count++
      const name =
        (value["$ref"] as string | undefined) ??
        (value["allOf"] as { $ref?: string }[] | undefined)?.[0]?.$ref
      const referred =
        name === undefined ? undefined : definitions[name.replace("#/definitions/", "")]?.description
      if (value["description"] === undefined && referred === undefined) missing.push(`${place}/${key}`)
    }
    for (const [key, value] of Object.entries(node)) walk(value, `${place}/${key}`)
  }
  walk(schema, "")
  t.same(missing, [])
  t.ok(count > 150, `${count} properties`)
})
