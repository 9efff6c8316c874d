/**
 * Adds what is not yet pinned to `test/spec/identities.golden.json`: fingerprints of every spec, profile and sweep
 * cell, and digests of their planned contracts. A pin that is there is never changed: a fingerprint that moves makes
 * stored runs strangers to their own specs.
 */
import { readdir, readFile, writeFile } from "node:fs/promises"
import { fileURLToPath, pathToFileURL } from "node:url"
import { contractDigest } from "../src/metric/contract/digest.js"
import { plannedContracts } from "../src/plan/plan.js"
import { cellSpecs } from "../src/spec/cell-spec.js"
import { loadSpec, type LoadedSpec } from "../src/spec/spec-file.js"

export interface Identity {
  readonly fingerprint: string
  /** Digest of the planned contract by evaluation; not pinned for cells, which share those of their sweep. */
  readonly contracts?: Readonly<Record<string, string>>
}
export type Identities = Readonly<Record<string, Identity>>

const GOLDEN = new URL("../test/spec/identities.golden.json", import.meta.url)

const identityOf = ({ fingerprint, experiment }: LoadedSpec): Identity => ({
  fingerprint,
  contracts: Object.fromEntries(
    plannedContracts(experiment).map(({ evaluation, contract }) => [evaluation, contractDigest(contract)]),
  ),
})

/** `FILE PROFILE` and `FILE PROFILE CELL` of every spec in a folder. */
export const currentIdentities = async (folder: string): Promise<Identities> => {
  const found: Record<string, Identity> = {}
  for (const name of (await readdir(folder)).filter((each) => each.endsWith(".json")).sort()) {
    const file = `${folder}/${name}`
    for (const profile of (await loadSpec(file, "paper")).profiles) {
      const whole = await loadSpec(file, profile)
      found[`${name} ${profile}`] = identityOf(whole)
      for (const { cell, spec } of cellSpecs(whole))
        found[`${name} ${profile} ${cell.name}`] = { fingerprint: spec.fingerprint }
    }
  }
  return found
}

export const pinnedIdentities = async (): Promise<Identities> =>
  JSON.parse(await readFile(GOLDEN, "utf8").catch(() => "{}")) as Identities

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const current = await currentIdentities(fileURLToPath(new URL("../specs", import.meta.url)))
  const pins = { ...current, ...(await pinnedIdentities()) }
  const sorted = Object.fromEntries(Object.entries(pins).sort(([a], [b]) => (a < b ? -1 : 1)))
  await writeFile(GOLDEN, `${JSON.stringify(sorted, null, 2)}\n`)
}
