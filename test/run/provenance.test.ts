import { execFile } from "node:child_process"
import { appendFile, readFile, writeFile } from "node:fs/promises"
import { homedir, hostname, userInfo } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { test } from "tap"
import { collectProvenance } from "../../src/run/provenance.js"
import { temporary } from "./support.js"

const run = promisify(execFile)
const executor = { name: "tfjs", version: "4.22.0", precision: "fp32", device: "cpu", threads: 2 }

test("outside a repository there is no commit, and nothing private anywhere", async (t) => {
  const folder = await temporary(t)
  const provenance = await collectProvenance(
    join(folder, "a.json"),
    executor,
    () => new Date(Date.UTC(2026, 0, 31)),
  )
  t.same(provenance.spec, { file: "a.json", commit: null, modified: null })
  t.equal(provenance.node, process.version)
  t.equal(provenance.collected, "2026-01-31T00:00:00.000Z")
  t.equal(
    provenance.repro,
    (
      JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
        version: string
      }
    ).version,
  )
  t.ok(provenance.cpu.cores >= 1)
  t.ok(provenance.memoryBytes > 1e6)
  const strings: string[] = []
  JSON.stringify(provenance, (_key, value: unknown) => {
    if (typeof value === "string") strings.push(value)
    return value
  })
  t.ok(strings.length > 8)
  for (const text of strings) {
    t.notOk(text === hostname() || text === userInfo().username, text)
    t.notOk(text.includes(folder) || (homedir().length > 1 && text.includes(homedir())), text)
  }
})

test("inside a repository the commit is told, and whether the spec differs from it", async (t) => {
  const folder = await temporary(t)
  const git = (...args: string[]) =>
    run("git", ["-C", folder, "-c", "user.name=t", "-c", "user.email=t@example.org", ...args])
  const spec = join(folder, "a.json")
  await writeFile(spec, "{}")
  await git("init", "-q")
  await git("add", "a.json")
  await git("commit", "-q", "-m", "one", "--no-gpg-sign")
  const { stdout } = await git("rev-parse", "HEAD")
  t.same((await collectProvenance(spec, executor)).spec, {
    file: "a.json",
    commit: stdout.trim(),
    modified: false,
  })
  await appendFile(spec, "\n")
  t.equal((await collectProvenance(spec, executor)).spec.modified, true)
})
