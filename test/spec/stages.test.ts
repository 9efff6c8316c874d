/** Specs that begin from another's result: the parent's fingerprint is part of the child's, and a change is refused. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import t from "tap"
import { SpecError } from "../../src/spec/spec-error.js"
import { loadSpec } from "../../src/spec/spec-file.js"
import { ancestorsOf } from "../../src/spec/stages.js"

type Document = Record<string, unknown>

const folder = await mkdtemp(join(tmpdir(), "repro-stages-"))
t.teardown(() => rm(folder, { recursive: true, force: true }))
const original = async (name: string): Promise<Document> =>
  JSON.parse(await readFile(`specs/${name}.json`, "utf8")) as Document
const put = async (name: string, document: Document): Promise<string> => {
  const path = join(folder, `${name}.json`)
  await writeFile(path, JSON.stringify(document))
  return path
}
const problemsOf = async (path: string): Promise<string> => {
  try {
    await loadSpec(path, "ci")
  } catch (error) {
    if (error instanceof SpecError) return JSON.stringify(error.problems)
    throw error
  }
  return "none"
}

const base = await original("llada_8b")
const transfer = await original("flexmdm_8b_transfer")
await put("llada_8b", base)
const child = await put("flexmdm_8b_transfer", transfer)

void t.test("each profile begins from its own parent, and a changed parent changes the child", async (t) => {
  const prints = new Set<string>()
  for (const profile of ["paper", "laptop", "ci"]) {
    const [own, parent] = [
      await loadSpec(child, profile),
      await loadSpec(join(folder, "llada_8b.json"), profile),
    ]
    t.same(own.experiment.init, { run: "llada_8b", fingerprint: parent.fingerprint })
    t.equal(own.parent?.fingerprint, parent.fingerprint)
    prints.add(own.fingerprint)
  }
  t.equal(prints.size, 3)
  const before = await loadSpec(child, "ci")
  await put("llada_8b", { ...base, title: "another title" })
  t.equal((await loadSpec(child, "ci")).fingerprint, before.fingerprint, "a title decides no number")
  await put("llada_8b", { ...base, training: { ...(base["training"] as object), seed: 43 } })
  t.not((await loadSpec(child, "ci")).fingerprint, before.fingerprint)
  await put("llada_8b", base)
  t.equal((await loadSpec(child, "ci")).fingerprint, before.fingerprint)
})

void t.test("a spec and what varies it keep their parent", async (t) => {
  const spec = await loadSpec(child, "ci")
  const varied = spec.with({ training: { seed: 7 } })
  t.equal(varied.parent, spec.parent)
  t.not(varied.fingerprint, spec.fingerprint)
  t.throws(() => spec.with({ init: { run: "another" } }), /what the spec file says/)
  const math = await put("flexmdm_8b_math", await original("flexmdm_8b_math"))
  t.same(
    ancestorsOf(await loadSpec(math, "laptop")).map(({ experiment, profile }) => [experiment.id, profile]),
    [
      ["llada_8b", "laptop"],
      ["flexmdm_8b_transfer", "laptop"],
    ],
  )
})

void t.test("a stated fingerprint that is no longer the parent's is refused", async (t) => {
  const stated = `repro-fp1:${"0".repeat(64)}`
  const path = await put("stated", {
    ...transfer,
    id: "stated",
    init: { run: "llada_8b", fingerprint: stated },
  })
  const said = await problemsOf(path)
  t.match(said, /the fingerprint of llada_8b with the profile paper as it is now/)
  t.match(said, /That experiment changed since/)
  const { fingerprint } = await loadSpec(join(folder, "llada_8b.json"), "paper")
  const right = await put("stated", { ...transfer, id: "stated", init: { run: "llada_8b", fingerprint } })
  t.equal(await problemsOf(right), "none", "each profile has a fingerprint of its own")
})

void t.test("a chain that is none is refused in words", async (t) => {
  const lone = await put("lone", { ...transfer, id: "lone", init: { run: "no_such_spec" } })
  t.match(await problemsOf(lone), /\/init\/run.*a spec file beside this one/)
  const self = await put("circle", { ...transfer, id: "circle", init: { run: "circle" } })
  t.match(await problemsOf(self), /begin from this one, nor is judged by it, in turn/)
  const { init: _init, ...without } = transfer
  const frozen = await put("frozen", { ...without, id: "frozen" })
  t.match(await problemsOf(frozen), /what the frozen weights are/)
  const idle = await put("idle", {
    ...(await original("mdlm_eos")),
    id: "idle",
    training: { ...((await original("mdlm_eos"))["training"] as object), stepsPerGroup: 0 },
  })
  t.match(await problemsOf(idle), /at least 1 step, or an init/)
})
