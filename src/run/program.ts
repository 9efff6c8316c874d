/** Which program made something: what an update changes. */
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { packageFile, programRoot } from "../files/package-files.js"

const CODE = /\.(?:[cm]?js|ts|py)$/

/** The program's own code, and that of the workers that it starts. */
const FOLDERS = [programRoot, packageFile("python")]

const filesOf = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && CODE.test(entry.name) && !entry.name.endsWith(".d.ts"))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
  } catch {
    return [] // an installation without the workers
  }
}

let known: string | undefined

/**
 * SHA-256 over every code file of this program. A version does not tell two states of a checkout apart; this does.
 * Computed once in a process.
 */
export const programDigest = (): string => {
  if (known !== undefined) return known
  const hash = createHash("sha256")
  for (const folder of FOLDERS)
    for (const path of filesOf(folder)) {
      const bytes = readFileSync(path)
      hash.update(`${relative(folder, path)} ${bytes.byteLength}\n`).update(bytes)
    }
  return (known = hash.digest("hex"))
}
