/** An experiment varied: by settings of a command line, and by a small file that extends another. */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { test } from "tap"
import { withSettings } from "../../src/spec/settings.js"
import { decodeSpec, loadSpec } from "../../src/spec/spec-file.js"

const SPEC = "specs/mdlm_eos.json"

test("a setting changes its place alone and is a difference from the published experiment", async (t) => {
  for (const profile of ["paper", "laptop"]) {
    const spec = await loadSpec(SPEC, profile)
    const set = withSettings(spec, [
      "model.width=96",
      "/training/seed=7",
      "evaluations.elbo-t128.windows.count=3",
    ])
    t.equal(set.experiment.model.kind === "mdlm" && set.experiment.model.width, 96)
    t.equal(set.experiment.training.seed, 7)
    t.equal(set.experiment.evaluations[0].id, "elbo-t128")
    const before = new Set(spec.differences.map((each) => JSON.stringify(each)))
    const told = set.differences.filter((each) => !before.has(JSON.stringify(each)))
    t.ok(
      told.some(({ pointer, profile: now }) => pointer === "/model/width" && now === 96),
      profile,
    )
    t.ok(told.some(({ pointer }) => pointer === "/training/seed"))
    const again = decodeSpec(set.text, set.file, profile)
    t.equal(again.fingerprint, set.fingerprint, "its text is the whole spec")
    t.same(again.differences, set.differences)
  }
  const spec = await loadSpec(SPEC, "ci")
  t.equal(withSettings(spec, []), spec)
  t.equal(withSettings(spec, ["training.emaDecay=null"]).fingerprint, spec.fingerprint)
})

test("a wrong setting is refused in the words of the file", async (t) => {
  const spec = await loadSpec(SPEC, "laptop")
  const refused = (setting: string, message: RegExp) =>
    t.throws(() => withSettings(spec, [setting]), { message })
  refused("model.widht=96", /--set model\.widht=96: .*\/model\/widht: .*Did you mean "width"/s)
  refused("model.width=wide", /\/model\/width: expected .*found "wide"/)
  refused("model.heads=3", /\/model\/heads: expected a divisor/)
  refused("model.width", /expected PLACE=VALUE/)
  refused("evaluations.elbo.steps=3", /expected one of elbo-t128/)
})

test("a spec that extends another is a patch in every profile, with profiles of any name", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "repro-extends-"))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, "mine.json")
  const write = (document: object) => writeFile(file, JSON.stringify(document, null, 2))
  await write({
    extends: "mdlm_eos",
    model: { width: 96 },
    profiles: { tiny: { training: { stepsPerGroup: 7000 } }, ci: null },
  })
  const paper = await loadSpec(file, "paper")
  t.same(paper.profiles, ["paper", "laptop", "tiny"])
  t.equal(paper.experiment.id, "mine")
  t.same(
    paper.differences.map(({ pointer }) => pointer),
    ["/model/width"],
    "differences are told from the experiment that was published",
  )
  const laptop = await loadSpec(file, "laptop")
  t.equal(laptop.fingerprint, withSettings(await loadSpec(SPEC, "laptop"), ["model.width=96"]).fingerprint)
  t.equal((await loadSpec(file, "tiny")).experiment.training.stepsPerGroup, 7000)

  await write({ extends: "mdlm_eos", modle: {} })
  await t.rejects(loadSpec(file, "paper"), { message: /3:3 \/modle: .*Did you mean "model"/ })
  await write({ extends: "mdlm_eso" })
  await t.rejects(loadSpec(file, "paper"), { message: /\/extends: expected a spec file beside this one/ })
  await write({ extends: "mine" })
  await t.rejects(loadSpec(file, "paper"), { message: /does not vary this one in turn/ })
})

test("relative paths of the data belong to the spec's folder", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "repro-paths-"))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, "mine.json")
  await writeFile(
    file,
    JSON.stringify({
      extends: "mdlm_eos",
      data: {
        corpus: {
          kind: "files",
          repository: null,
          dataset: null,
          trainShards: null,
          train: ["file:text/a.bin"],
          validation: ["file:/elsewhere/b.bin"],
        },
        tokenizer: { model: "embedded" },
      },
      profiles: { laptop: null, ci: null },
    }),
  )
  const { corpus } = (await loadSpec(file, "paper")).experiment.data
  t.same(corpus.kind === "files" && [corpus.train, corpus.validation], [
    [`file:${relative(process.cwd(), join(folder, "text/a.bin"))}`],
    ["file:/elsewhere/b.bin"],
  ])
})

test("two spellings of one path may not state two digests", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "repro-spelled-"))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, "mine.json")
  const [one, other] = ["0".repeat(64), "1".repeat(64)]
  const files = {
    repository: null,
    dataset: null,
    trainShards: null,
    train: ["file:a"],
    validation: ["file:b"],
  }
  const write = (sha256: Readonly<Record<string, string>>) =>
    writeFile(
      file,
      JSON.stringify({
        extends: "mdlm_eos",
        data: { corpus: { kind: "files", ...files, sha256 }, tokenizer: { model: "embedded" } },
        profiles: { laptop: null, ci: null },
      }),
    )
  await write({ "file:b": one, "file:./b": other })
  await t.rejects(loadSpec(file, "paper"), {
    name: "SpecError",
    message:
      /\/data\/corpus\/sha256: expected one entry for each path, found file:b and file:\.\/b, one path/,
  })
  await write({ "file:b": one, "file:./b": one })
  const { corpus } = (await loadSpec(file, "paper")).experiment.data
  t.same(corpus.kind === "files" && Object.values(corpus.sha256 ?? {}), [one])
})
