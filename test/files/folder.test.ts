/** Folders that cannot be made are refused, and never tried for ever. */
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "tap"
import { makeFolder } from "../../src/files/folder.js"

test("a folder with those above it is made once", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "repro-folder-"))
  t.teardown(() => rm(root, { recursive: true, force: true }))
  const path = join(root, "a", "b", "c")
  t.same(
    await Promise.all([makeFolder(path), makeFolder(path)]).then((made) => made.filter(Boolean).length),
    1,
  )
  t.ok((await stat(path)).isDirectory())
  t.equal(await makeFolder(path), false)
  await writeFile(join(root, "file"), "")
  await t.rejects(makeFolder(join(root, "file")), { code: "EEXIST" })
  await t.rejects(makeFolder(join(root, "file", "a", "b")), { code: "ENOTDIR" })
})

const linux = { skip: process.platform === "linux" ? false : "/proc is Linux's" }

test("where a file system lets no folder be made, it ends", linux, async (t) => {
  for (const path of ["/proc/no", "/proc/no/such/folder", "/proc/self/no"])
    await t.rejects(makeFolder(path), { code: "ENOENT" }, path)
})
