/** What is meant to be handed on names no folder of the machine that it was made on. */
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import t from "tap"
import { audit } from "../../src/app/audit.js"
import { plan } from "../../src/app/plan.js"
import { report } from "../../src/app/report.js"
import { handedPath } from "../../src/files/handed-path.js"
import { packageFile, packageRoot } from "../../src/files/package-files.js"

const RUN = "20261121T133642Z-mdlm_eos-laptop-734de551"

let folder = ""
const before = process.cwd()
t.before(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "repro-telling-")))
  await mkdir(join(folder, "here"))
  await mkdir(join(folder, "elsewhere"))
  await writeFile(join(folder, "elsewhere", "mine.json"), JSON.stringify({ extends: "mdlm_eos" }))
  await cp(packageFile("docs", "results", "evidence", RUN), join(folder, "here", "runs", RUN), {
    recursive: true,
  })
  process.chdir(join(folder, "here"))
})
t.after(async () => {
  process.chdir(before)
  await rm(folder, { recursive: true })
})

/** Where `text` names the folder of the test or that of the program. */
const told = (text: string): readonly string[] =>
  text.split("\n").filter((line) => line.includes(folder) || line.includes(packageRoot))

t.test("a path is said from here, from the program, or by its name alone", (test) => {
  test.equal(handedPath("specs/mine.json"), "specs/mine.json")
  test.equal(handedPath(join(folder, "here", "mine.json")), "mine.json")
  test.equal(handedPath(join(folder, "here", "..mine.json")), "..mine.json")
  test.equal(handedPath(join(folder, "elsewhere", "mine.json")), "mine.json")
  test.equal(handedPath("../elsewhere/mine.json"), "mine.json")
  test.equal(handedPath(packageFile("specs", "mdlm_eos.json")), "specs/mdlm_eos.json")
  test.end()
})

t.test("an audit, its packet with a run, and a plan", async (test) => {
  for (const spec of ["mdlm_eos", join(folder, "elsewhere", "mine.json")]) {
    test.same(told(JSON.stringify((await audit({ spec })).json, undefined, 1)), [], `audit ${spec}`)
    test.same(told(JSON.stringify((await plan(spec, "ci")).json, undefined, 1)), [], `plan ${spec}`)
  }
  await audit({ spec: "mdlm_eos", html: "packet", run: RUN })
  for (const file of ["audit.html", "audit.json", "audit.md"])
    test.same(told(await readFile(join("packet", file), "utf8")), [], file)
  test.match(await readFile("packet/audit.md", "utf8"), /^repro audit specs\/mdlm_eos\.json --json$/m)
})

t.test("a report in every format", async (test) => {
  await report("runs", RUN, "report")
  const files = await readdir("report", { recursive: true, withFileTypes: true })
  const written = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name))
  test.ok(written.length >= 10, `${written.length} files`)
  for (const file of written) test.same(told(await readFile(file, "latin1")), [], file)
})
