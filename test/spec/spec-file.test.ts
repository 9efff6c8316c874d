import { readdir, readFile } from "node:fs/promises"
import { fc, fuzz } from "../fuzz.js"
import { test } from "tap"
import { fingerprint } from "../../src/spec/fingerprint.js"
import { mergePatch } from "../../src/spec/merge-patch.js"
import { formatProblem, SpecError } from "../../src/spec/spec-error.js"
import { decodeSpec, loadSpec, PROFILES, type Profile } from "../../src/spec/spec-file.js"

const FILE = "specs/mdlm_eos.json"
const text = await readFile(FILE, "utf8")
const changed = (patch: unknown): string => JSON.stringify(mergePatch(JSON.parse(text), patch), null, 1)
const load = (patch: unknown, profile: Profile = "paper") => decodeSpec(changed(patch), FILE, profile)
const messages = (source: string): readonly string[] => {
  try {
    decodeSpec(source, FILE, "paper")
  } catch (error) {
    if (error instanceof SpecError)
      return error.problems.map(({ position: _position, ...rest }) => formatProblem(rest))
    throw error
  }
  return []
}
const problems = (patch: unknown): readonly string[] => messages(changed(patch))
const first = (patch: unknown) => problems({ profiles: { laptop: null, ci: null }, ...(patch as object) })
const files = (paths: readonly string[], sha256: Record<string, string>) => ({
  data: {
    corpus: {
      kind: "files",
      repository: null,
      dataset: null,
      trainShards: null,
      train: paths,
      validation: ["file:v"],
      sha256,
    },
    tokenizer: { model: "embedded" },
  },
  profiles: { laptop: null, ci: null },
})
const digest = (letter: string) => letter.repeat(64)

test("the published configuration is what the paper profile decodes", async (t) => {
  const { experiment, differences } = await loadSpec(FILE, "paper")
  // parameter-golf PR #1241, train_mdlm.py at 5d46f39: the constants at its head.
  t.match(experiment, {
    model: { kind: "mdlm", layers: 11, width: 512, heads: 8, mlpRatio: 3, tableRows: 1088 },
    objective: { weight: "dsigma", schedule: { eps: 0.001 }, boundary: "free" },
    training: { seed: 42, stepsPerGroup: 6000, microBatch: 8, accumulation: 4, clipNorm: 1 },
    data: { batching: { length: 2048 }, tokenizer: { maskId: 1024, boundaryId: 1, padId: 1025 } },
  })
  t.same(differences, [])
})

test("a profile names every difference, with both values", async (t) => {
  const { experiment, differences } = await loadSpec(FILE, "laptop")
  const at = (pointer: string) => differences.find((difference) => difference.pointer === pointer)
  t.same(at("/model/layers"), { pointer: "/model/layers", paper: 11, profile: 2 })
  t.same(at("/data/corpus/kind"), {
    pointer: "/data/corpus/kind",
    paper: "parameter-golf",
    profile: "speeches",
  })
  t.match(at("/data/corpus/repository"), { paper: /parameter-golf/, profile: undefined })
  t.notOk(
    differences.some(({ pointer }) => pointer.startsWith("/execution")),
    "execution is no difference",
  )
  t.equal(experiment.objective.kind === "masked-diffusion" && experiment.objective.weight, "dsigma")
})

test("a problem of an overlay is placed in the overlay, and of every profile at once", async (t) => {
  t.same(problems({ profiles: { laptop: { model: { heads: 3 } }, ci: { trainig: {} } } }), [
    `/profiles/laptop/model/heads: expected a divisor of the width 128, found 3.`,
    `/profiles/ci/trainig: expected one of the keys id, system, title, description, source, claims, init, data, model, objective, training, evaluations, execution, sweep, found the unknown key "trainig". Did you mean "training"?`,
  ])
})

test("a key left over from the published configuration says how to remove it", async (t) => {
  const source = JSON.parse(text) as { profiles: { laptop: { data: { corpus: Record<string, unknown> } } } }
  delete source.profiles.laptop.data.corpus["repository"]
  t.match(messages(JSON.stringify(source)), [
    /^\/profiles\/laptop\/data\/corpus\/repository: .*set it to null in this overlay/,
  ])
})

test("a problem of the published configuration is reported once, not once per profile", async (t) => {
  t.same(problems({ training: { clipNorm: -1 } }), [
    "/training/clipNorm: expected a value greater than or equal to 0, found -1.",
  ])
})

test("unknown profiles, versions and files", async (t) => {
  t.match(problems({ profiles: { leptop: {} } })[0], /unknown key "leptop"\. Did you mean "laptop"\?/)
  t.match(problems({ schemaVersion: 2 })[0], /^\/schemaVersion: expected 1, found 2/)
  t.throws(() => load({ profiles: { ci: null } }, "ci"), {
    message: /\/profiles\/ci: expected one of the profiles/,
  })
  await t.rejects(loadSpec("specs/none.json", "paper"), {
    name: "SpecError",
    message: /specs\/none\.json: 1 problem\n.*no such file.*repro list/,
  })
  await t.rejects(loadSpec("specs", "paper"), { message: /found a directory/ })
})

test("rules between fields", async (t) => {
  t.match(first({ model: { heads: 7 } }), [/^\/model\/heads: expected a divisor of the width 512, found 7/])
  t.match(first({ model: { heads: 512 } }), [/^\/model\/heads: expected an even head width/])
  t.match(first({ model: { tableRows: 1025 } }), [/^\/model\/tableRows: expected at least 1026 rows/])
  t.match(first({ data: { tokenizer: { maskId: 1023 } } }), [/^\/data\/tokenizer\/maskId/])
  t.match(first({ objective: { timeMin: 1, timeMax: 0.5 } }), [/^\/objective\/timeMin/])
  t.match(first({ training: { schedule: { warmdown: 6000 } } }), [
    /^\/training\/schedule\/warmdown.*6000 steps/,
  ])
  t.match(first({ data: { batching: { shardsInMemory: 17 } } }), [/^\/data\/batching\/shardsInMemory/])
  t.match(
    first({
      evaluations: [0, 1].map(() => ({
        kind: "any-order",
        id: "a",
        draws: 1,
        seed: 0,
        windows: { length: 64, count: 1, alignment: "raw-stream" },
      })),
    }),
    [/^\/evaluations\/1\/id/],
  )
})

test("the fingerprint ignores what changes no number", async (t) => {
  const { fingerprint: paper } = await loadSpec(FILE, "paper")
  t.match(paper, /^repro-fp1:[0-9a-f]{64}$/)
  for (const patch of [
    { title: "x", description: "y", id: "other", claims: [], source: { title: "", url: "" } },
    { execution: { engine: "tfjs", device: "cpu", precision: "fp32", threads: 3, evaluationBatch: 2 } },
    { execution: null, $schema: null },
    { training: { checkpointEvery: 7 } },
  ])
    t.equal(load(patch).fingerprint, paper, JSON.stringify(patch))
  t.not((await loadSpec(FILE, "laptop")).fingerprint, paper)
})

test("the fingerprint changes with every number of the experiment", async (t) => {
  const { experiment } = await loadSpec(FILE, "paper")
  const before = fingerprint(experiment)
  const { data, model, objective, training, evaluations } = experiment
  const bump = (value: unknown): readonly unknown[] => {
    if (typeof value === "number") return [value + 1]
    if (typeof value === "string") return [`${value}x`]
    if (typeof value === "boolean") return [!value]
    if (typeof value !== "object" || value === null) return []
    return Object.entries(value).flatMap(([key, inner]) =>
      key === "checkpointEvery"
        ? []
        : bump(inner).map((next) =>
            Array.isArray(value) ? value.with(Number(key), next) : { ...value, [key]: next },
          ),
    )
  }
  const variants = bump({ data, model, objective, training, evaluations })
  t.ok(variants.length > 40, `${variants.length} single changes`)
  const prints = variants.map((variant) => fingerprint({ ...experiment, ...(variant as object) }))
  t.equal(new Set([...prints, before]).size, variants.length + 1)
})

test("paths never enter the fingerprint, digests do", async (t) => {
  const a = load(files(["file:/here/a"], { "file:/here/a": digest("a") })).fingerprint
  t.equal(load(files(["file:/there/a"], { "file:/there/a": digest("a") })).fingerprint, a)
  t.not(load(files(["file:/here/a"], { "file:/here/a": digest("b") })).fingerprint, a)
})

test("the fingerprint does not depend on the order or spacing of the file", async (t) => {
  const shuffle = (value: unknown, order: readonly number[]): unknown =>
    typeof value !== "object" || value === null || Array.isArray(value)
      ? value
      : Object.fromEntries(
          Object.entries(value)
            .map(
              ([key, inner], index) =>
                [order[index % order.length] ?? 0, key, shuffle(inner, order)] as const,
            )
            .sort(([x], [y]) => x - y)
            .map(([, key, inner]) => [key, inner]),
        )
  const prints = new Map<Profile, string>()
  for (const profile of PROFILES) prints.set(profile, decodeSpec(text, FILE, profile).fingerprint)
  fc.assert(
    fc.property(
      fc.array(fc.nat(9), { minLength: 3, maxLength: 7 }),
      fc.constantFrom(...PROFILES),
      (order, profile) => {
        const again = JSON.stringify(shuffle(JSON.parse(text), order), null, order[0])
        return decodeSpec(again, FILE, profile).fingerprint === prints.get(profile)
      },
    ),
    fuzz(25),
  )
  t.pass()
})

test("no garbage gets through: a random change of one value is accepted or a SpecError, never another error", async (t) => {
  let refused = 0
  const pointers = (value: unknown, path: readonly string[]): readonly (readonly string[])[] =>
    typeof value === "object" && value !== null
      ? [path, ...Object.entries(value).flatMap(([key, inner]) => pointers(inner, [...path, key]))]
      : [path]
  const places = pointers(JSON.parse(text), []).filter((path) => path.length > 0)
  fc.assert(
    fc.property(fc.constantFrom(...places), fc.jsonValue({ maxDepth: 1 }), (path, value) => {
      const document = JSON.parse(text) as unknown
      let at = document as Record<string, unknown>
      for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>
      at[path.at(-1)!] = value
      try {
        decodeSpec(JSON.stringify(document), FILE, "paper")
      } catch (error) {
        refused++
        return error instanceof SpecError && error.problems.length > 0
      }
      return true
    }),
    fuzz(150),
  )
  t.ok(refused > 50)
})

/**
 * Experiments that nobody published numbers of: this project's own, toys and debugging runs, stages that others begin
 * from, controls, and those whose papers show curves alone.
 */
const OWN = [
  "ar_speeches.json",
  "gpt2_large.json",
  "mdlm_speeches.json",
  "flexmdm_brackets.json",
  "flexmdm_brackets_balanced.json",
  "flexmdm_speeches.json",
  "flexmdm_star_easy.json",
  "flexmdm_owt_official.json",
  "flexmdm_tinygsm.json",
  "flexmdm_tinygsm_gsm8k.json",
  "flexmdm_tinygsm_overfit.json",
  "flexmdm_tinygsm_targets.json",
  "flexmdm_wikitext2.json",
  "mdm_owt_official.json",
  "llada_8b.json",
  "flexmdm_8b_transfer.json",
  "llada_8b_transfer.json",
  "llada_8b_transfer_math.json",
  "llada_8b_transfer_code.json",
]

test("every claim that a spec is set beside is in specs/claims", async (t) => {
  const ids = new Set<string>()
  for (const name of (await readdir("specs/claims")).filter((each) => each.endsWith(".json"))) {
    const { claims } = JSON.parse(await readFile(`specs/claims/${name}`, "utf8")) as {
      claims: { id: string }[]
    }
    for (const { id } of claims) ids.add(id)
  }
  for (const name of (await readdir("specs")).filter((each) => each.endsWith(".json"))) {
    const { experiment } = await loadSpec(`specs/${name}`, "paper")
    t.same(
      experiment.claims.filter((id) => !ids.has(id)),
      [],
      name,
    )
    if (!OWN.includes(name)) t.ok(experiment.claims.length > 0, `${name} has claims`)
  }
})
