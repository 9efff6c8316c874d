/** The JSON Schemas for editors, wherever the program is installed. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { packageRoot } from "../files/package-files.js"
import type { Outcome } from "./outcome.js"

export const SCHEMAS = ["experiment", "claim"] as const

export const schema = async (name: (typeof SCHEMAS)[number]): Promise<Outcome> => {
  const text = await readFile(join(packageRoot, "generated", `${name}.schema.json`), "utf8")
  return { text: text.trimEnd(), verbatim: true, json: JSON.parse(text) as object }
}
