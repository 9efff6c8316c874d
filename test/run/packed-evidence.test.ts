/** Evidence that is packed by gzip reads as it was written, and is compared with what the run recorded of it. */
import { cp, readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gunzipSync, gzipSync } from "node:zlib"
import { test } from "tap"
import { readRun } from "../../src/run/directory.js"

// A stored run that recorded its digests; `docs/results` keeps evidence packed.
const stored = fileURLToPath(
  new URL("../../docs/results/evidence/20261128T162401Z-flexmdm_brackets-laptop-4e630962", import.meta.url),
)

const files = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))

test("packed and as written it is the same evidence", async (t) => {
  const folder = t.testdir()
  await cp(stored, folder, { recursive: true })
  const packed = await files(join(folder, "evidence"))
  t.ok(
    packed.length > 3 && packed.every((path) => path.endsWith(".gz")),
    `${packed.length} files, all packed`,
  )
  const before = await readRun(folder)
  const ids = await before.evidence()
  const evidence = await Promise.all(ids.map((id) => before.readEvidence(id)))
  for (const path of packed) {
    await writeFile(path.slice(0, -".gz".length), gunzipSync(await readFile(path)))
    await writeFile(path, "not read where the file itself is there")
  }
  const after = await readRun(folder)
  t.same(await after.evidence(), ids, "each is there once")
  t.same(await Promise.all(ids.map((id) => after.readEvidence(id))), evidence)
})

test("a packed file that is not what was recorded is refused by name", async (t) => {
  const folder = t.testdir()
  await cp(stored, folder, { recursive: true })
  const run = await readRun(folder)
  const id = (await run.evidence()).find((each) => each !== "floors")!
  const path = join(folder, "evidence", `${id}.safetensors.gz`)
  const bytes = gunzipSync(await readFile(path))
  bytes[bytes.length - 1]! ^= 1
  await writeFile(path, gzipSync(bytes))
  await t.rejects(run.readEvidence(id), {
    message: new RegExp(`${id}\\.safetensors.*its SHA-256 is [0-9a-f]{64}, but the run recorded`, "s"),
  })
  await writeFile(path, "no gzip")
  await t.rejects(run.readEvidence(id), { message: new RegExp(`${id}\\.safetensors`) })
})
