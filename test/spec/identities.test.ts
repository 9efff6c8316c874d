import { readdir, readFile } from "node:fs/promises"
import t, { test } from "tap"
import { currentIdentities, pinnedIdentities } from "../../scripts/pin-identities.js"
import { derivedFingerprint, type StoredManifest } from "../run/derived-fingerprint.js"

t.setTimeout(300_000)

// identities.golden.json holds what the program computed when a spec was added; `tsx scripts/pin-identities.ts` adds
// the pins of new specs. Stored runs are found by these fingerprints.
test("fingerprints and planned contracts of every spec, profile and cell stay as they were", async (t) => {
  const current = await currentIdentities("specs")
  const pinned = await pinnedIdentities()
  t.ok(Object.keys(pinned).length > 20)
  for (const [name, identity] of Object.entries(pinned)) t.same(current[name], identity, name)
  t.same(
    Object.keys(current).filter((name) => pinned[name] === undefined),
    [],
    "a new spec is pinned by: npx tsx scripts/pin-identities.ts",
  )
})

test("a stored run's experiment has the fingerprint that it was stored under", async (t) => {
  const folder = "docs/results/evidence"
  const names = await readdir(folder)
  t.ok(names.length > 0)
  for (const name of names) {
    const manifest = JSON.parse(await readFile(`${folder}/${name}/manifest.json`, "utf8")) as StoredManifest
    t.equal(derivedFingerprint(manifest), manifest.fingerprint, name)
  }
})
