import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test, type Test } from "tap"
import { packageRoot } from "../../src/files/package-files.js"
import { invoke } from "./harness.js"

const inFolder = async (t: Test): Promise<string> => {
  const [folder, before] = [await mkdtemp(join(tmpdir(), "repro-new-")), process.cwd()]
  t.teardown(async () => {
    process.chdir(before)
    await rm(folder, { recursive: true })
  })
  process.chdir(folder)
  return folder
}

const readJson = async (path: string) => JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>

test("new writes the small file, which is valid, and overwrites nothing", async (t) => {
  await inFolder(t)
  t.match(await invoke("new", "mine", "--from", "mdlm_eos"), { code: 0, stdout: /repro run mine\.json/ })
  t.same(await readJson("mine.json"), { extends: "mdlm_eos" })
  t.match(await invoke("validate", "mine"), { code: 0, stdout: /mine\.json: valid \(paper, laptop, ci\)/ })
  t.match(await invoke("new", "mine", "--from", "mdlm_eos"), { code: 2, stderr: /there already/ })
  t.match(await invoke("new", "other", "--from", "mdlm_eso"), { code: 2, stderr: /Did you mean mdlm_eos/ })
  t.match(await invoke("new", "No Name", "--from", "mdlm_eos"), { code: 2, stderr: /lower-case/ })
})

test("new keeps what is set, and varies a file of one's own", async (t) => {
  await inFolder(t)
  await invoke("new", "wide", "--from", "mdlm_eos", "--set", "model.width=768")
  t.same(await readJson("wide.json"), { extends: "mdlm_eos", model: { width: 768 } })
  t.match(await invoke("new", "wider", "--from", "wide.json", "--set", "model.layers=3"), { code: 0 })
  t.same(await readJson("wider.json"), { extends: "wide.json", model: { layers: 3 } })
  const plan = JSON.parse((await invoke("plan", "wider", "--json")).stdout) as { model: unknown }
  t.match(JSON.stringify(plan), /"width":768/)
})

test("one's own experiment is asked for no title, source, claims, description or profiles", async (t) => {
  await inFolder(t)
  const {
    $schema: _schema,
    id: _id,
    title: _title,
    source: _source,
    claims: _claims,
    description: _description,
    profiles: _profiles,
    ...own
  } = await readJson(join(packageRoot, "specs", "mdlm_eos.json"))
  await writeFile("alone.json", JSON.stringify(own))
  t.match(await invoke("validate", "alone"), { code: 0, stdout: /alone\.json: valid \(paper\)/ })
  t.match(JSON.parse((await invoke("plan", "alone", "--json")).stdout), {
    spec: { id: "alone", title: "alone" },
  })
  t.match(await invoke("audit", "alone"), { code: 0 })
})

test("schema prints what an editor uses", async (t) => {
  const { code, stdout } = await invoke("schema")
  t.equal(code, 0)
  t.match(JSON.parse(stdout), { title: "Experiment", properties: { extends: { type: "string" } } })
  t.match(JSON.parse((await invoke("schema", "claim")).stdout), { title: "Claims" })
})
