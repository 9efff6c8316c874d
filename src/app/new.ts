/** A small spec of one's own that varies another. */
import { writeFile } from "node:fs/promises"
import { basename, dirname, join, relative, sep } from "node:path"
import { systemCode } from "../files/errors.js"
import { patchBetween } from "../spec/merge-patch.js"
import { openSpec } from "./open-spec.js"
import { packageRoot } from "../files/package-files.js"
import { isFile, locateSpec } from "./locate.js"
import { UsageError, type Outcome } from "./outcome.js"

export interface NewInput {
  /** Name of the file, with or without `.json`. */
  readonly name: string
  /** The spec to vary. */
  readonly from: string
  readonly set?: readonly string[]
}

const SCHEMA = join("generated", "experiment.schema.json")

/** The editor's schema from a folder, where the path to it stays right for others: installed there, or in a clone. */
const schemaFrom = async (folder: string): Promise<string | undefined> => {
  const installed = join(folder, "node_modules", "repro", SCHEMA)
  const within = !relative(packageRoot, folder).startsWith("..")
  const found = (await isFile(installed)) ? installed : within ? join(packageRoot, SCHEMA) : undefined
  if (found === undefined) return undefined
  const path = relative(folder, found).split(sep).join("/")
  return path.startsWith(".") ? path : `./${path}`
}

/** Writes the file; what is there is never overwritten. */
export const newSpec = async ({ name, from, set = [] }: NewInput): Promise<Outcome> => {
  const path = name.endsWith(".json") ? name : `${name}.json`
  const id = basename(path, ".json")
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(id))
    throw new UsageError(
      `new ${name}: a spec is called by lower-case letters, digits, dots, dashes and underscores, such as my-run.`,
    )
  const base = await openSpec(from, "paper")
  const varied = set.length === 0 ? base : await openSpec(from, "paper", set)
  const schema = await schemaFrom(dirname(join(process.cwd(), path)))
  // Names of the program's own specs stay names; files of one's own are found beside this one.
  const located = await locateSpec(from)
  const beside = relative(dirname(path), located).split(sep).join("/")
  const named = dirname(located) === join(packageRoot, "specs") || located.includes(`node_modules${sep}`)
  const document = {
    ...(schema === undefined ? {} : { $schema: schema }),
    extends: named || basename(from, ".json") === from ? basename(located, ".json") : beside,
    ...(patchBetween(base.document, varied.document) as object),
  }
  try {
    await writeFile(path, `${JSON.stringify(document, null, 2)}\n`, { flag: "wx" })
  } catch (error) {
    const code = systemCode(error)
    if (code === "EEXIST") throw new UsageError(`${path} is there already; give another name.`)
    throw new UsageError(
      `${path} cannot be written (${code ?? String(error)}); give a name in a folder that is there.`,
    )
  }
  return {
    text: [
      `${path} varies ${from}. Say in it what is different, as in ${from}, or set it: --set model.width=96.`,
      `Check it: repro validate ${path}. What it would do: repro plan ${path}. Run it: repro run ${path}`,
    ].join("\n"),
    json: { file: path, extends: document.extends, spec: document },
    notes:
      schema === undefined
        ? ["An editor's schema: `repro schema > experiment.schema.json`, named in the file as $schema."]
        : [],
  }
}
