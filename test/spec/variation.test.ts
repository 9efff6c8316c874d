/** A spec that extends another: an object of another kind takes the place of what it meets, in every profile. */
import { mkdtemp, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "tap"
import { validate } from "../../src/app/validate.js"
import { loadSpec } from "../../src/spec/spec-file.js"

const corpus = {
  kind: "text",
  train: ["file:/corpus/*.txt"],
  validation: { holdOutEvery: 10 },
  document: "paragraph",
  trainShards: 8,
}

const mine = async (change: object = {}): Promise<string> => {
  const path = join(await mkdtemp(join(tmpdir(), "repro-mine-")), "mine.json")
  const spec = { extends: "mdlm_eos", data: { corpus, tokenizer: { model: "embedded" } }, ...change }
  await writeFile(path, JSON.stringify(spec))
  return path
}

test("a corpus of another kind keeps nothing of the one that it replaces", async (t) => {
  const path = await mine()
  for (const profile of ["paper", "laptop", "ci"])
    t.same((await loadSpec(path, profile)).experiment.data.corpus, corpus, profile)
  const own = await mine({ profiles: { ci: { objective: { kind: "masked-diffusion", weight: "nelbo" } } } })
  const { objective } = (await loadSpec(own, "ci")).experiment
  t.match(
    objective,
    { kind: "masked-diffusion", weight: "nelbo", boundary: "free" },
    "of the same kind it merges",
  )
})

test("validate checks a spec together with what it extends", async (t) => {
  t.match(await validate([await mine()]), { exitCode: 0, text: /valid \(paper, laptop, ci\)/ })
  const wrong = await validate([await mine({ model: { heads: 7 } })])
  t.match(wrong, { exitCode: 2, text: /\/model\/heads/ })
})

const claimsOf = async (spec: object, profile = "ci") => {
  const path = join(await mkdtemp(join(tmpdir(), "repro-mine-")), "mine.json")
  await writeFile(path, JSON.stringify({ extends: "mdlm_eos", ...spec }))
  return (await loadSpec(path, profile)).experiment.claims
}

test("published claims stay beside the published text, and beside no other unless they are named", async (t) => {
  const published = (await loadSpec("specs/mdlm_eos.json", "ci")).experiment.claims
  t.ok(published.length > 0)
  t.same(await claimsOf({ model: { width: 96 } }), published, "another network on the same text")
  for (const data of [{ corpus, tokenizer: { model: "embedded" } }, { tokenizer: { model: "embedded" } }])
    for (const profile of ["paper", "laptop", "ci"]) t.same(await claimsOf({ data }, profile), [], profile)
  t.same(
    await claimsOf({ data: { corpus, tokenizer: { model: "embedded" } }, claims: ["pr820-t128"] }),
    ["pr820-t128"],
    "asked for",
  )
  const own = { profiles: { tiny: { data: { corpus, tokenizer: { model: "embedded" } } } } }
  t.same(await claimsOf(own, "tiny"), [], "in the profile that changes the text")
  t.same(await claimsOf(own, "ci"), published, "in no other")
})
