import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import t from "tap"
import { canonicalContract } from "../../src/metric/contract/builders.js"
import { sourceLine } from "../../src/audit/findings-common.js"
import { claimsOf, decodeClaims, ledgerOf, readLedger } from "../../src/spec/claim-ledger.js"
import { printedNumber, type ResolvedClaim } from "../../src/spec/claim.js"
import { SpecError } from "../../src/spec/spec-error.js"

const folder = fileURLToPath(new URL("../../specs/claims/", import.meta.url))

const minimal = () => ({
  source: { title: "A source", url: "https://example.org" },
  contracts: { main: canonicalContract() as unknown },
  claims: [
    {
      id: "one",
      title: "One",
      model: "a model",
      printed: "0.9901",
      value: 0.9901,
      mark: "stated",
      place: {},
      contract: "main",
      hardware: "not stated",
    },
  ] as Record<string, unknown>[],
})

const problems = (value: unknown) => {
  try {
    decodeClaims(JSON.stringify(value, null, 2), "claims.json")
    return []
  } catch (error) {
    if (!(error instanceof SpecError)) throw error
    return error.problems
  }
}

t.test("the number inside what was printed", (test) => {
  for (const [printed, value] of [
    ["0.990101083045782", 0.990101083045782],
    [".9354", 0.9354],
    ["<=23.21", 23.21],
    ["58 %", 58],
    ["1.48306 +/- 0.00034", 1.48306],
    ["151,080,891", 151080891],
    ["-1e-3", -0.001],
  ] as const)
    test.equal(printedNumber(printed), value)
  test.equal(printedNumber("none"), undefined)
  test.end()
})

t.test("all problems of a claims file at once, each with its place and the nearest valid word", (test) => {
  const file = minimal()
  file.claims[0] = { ...file.claims[0], mark: "computd", vary: { bound: "uper-bound", widow: 3 } }
  const found = problems(file)
  test.same(
    found.map(({ pointer, nearest }) => [pointer, nearest]),
    [
      ["/claims/0/mark", '"computed"'],
      ["/claims/0/vary/widow", '"window"'],
      ["/claims/0/vary/bound", '"upper-bound"'],
    ],
  )
  test.ok(found.every(({ position }) => position !== undefined))
  test.end()
})

t.test("a value that is not the printed number, and a contract that is not there, are refused", (test) => {
  const wrong = minimal()
  wrong.claims[0] = { ...wrong.claims[0], value: 0.99 }
  test.match(problems(wrong), [
    { pointer: "/claims/0/value", expected: /the number that is printed, 0.9901/ },
  ])
  const absent = minimal()
  absent.claims[0] = { ...absent.claims[0], contract: "mian" }
  test.match(problems(absent), [
    { pointer: "/claims/0/contract", expected: /one of the file's contracts: main/ },
  ])
  const future = minimal()
  future.contracts = { main: { ...canonicalContract(), version: 99 } }
  test.match(problems(future), [{ pointer: "/contracts/main/version", found: "99" }])
  test.end()
})

t.test("a value outside the range of its unit is refused", (test) => {
  for (const [unit, printed, expected] of [
    ["bits/byte", "-1.2", /a positive number below 1000000000000, as its unit is bits\/byte/],
    ["bits/byte", "0", /a positive number/],
    ["bits/byte", "1e308", /a positive number below/],
    ["nats/token", "0", /a positive number/],
    ["ppl", "0.99", /a perplexity: 1 or more/],
    ["percent", "101", /a percentage, 0 to 100/],
    ["proportion", "-0.1", /a proportion, 0 to 1/],
  ] as const) {
    const file = minimal()
    file.claims[0] = { ...file.claims[0], printed, value: Number(printed), vary: { unit } }
    test.match(problems(file), [{ pointer: "/claims/0/value", expected }], `${printed} ${unit}`)
  }
  const wide = minimal()
  wide.claims[0] = { ...wide.claims[0], halfWidth: 1e308 }
  test.match(problems(wide), [{ pointer: "/claims/0/halfWidth" }])
  const share = minimal()
  share.claims[0] = { ...share.claims[0], printed: "100 %", value: 100, vary: { unit: "percent" } }
  test.same(problems(share), [])
  test.end()
})

t.test("an estimator and a label of bound that it cannot bear are refused where they meet", (test) => {
  const elbo = {
    kind: "discrete-elbo",
    steps: 8,
    draws: 1,
    timeGrid: "uniform",
    terminal: "charged",
    eps: 0.001,
  }
  const own = minimal()
  own.contracts = { main: { ...canonicalContract(), estimator: elbo, bound: "exact" } }
  test.match(problems(own), [
    {
      pointer: "/contracts/main/bound",
      expected: /"upper-bound".*a discrete-elbo can be no other/,
      found: '"exact"',
    },
  ])
  for (const [vary, pointer] of [
    [{ estimator: elbo }, "/claims/0/vary/estimator"],
    [{ estimator: elbo, bound: "exact" }, "/claims/0/vary/bound"],
    [
      { estimator: { kind: "pseudo-likelihood", passes: 8, maskRate: 0.5 }, bound: "upper-bound" },
      "/claims/0/vary/bound",
    ],
    [{ bound: "lower-bound" }, "/claims/0/vary/bound"],
  ] as const) {
    const file = minimal()
    file.claims[0] = { ...file.claims[0], vary }
    test.match(problems(file), [{ pointer }])
  }
  const right = minimal()
  right.claims[0] = { ...right.claims[0], vary: { estimator: elbo, bound: "upper-bound" } }
  test.same(problems(right), [])
  test.end()
})

t.test("a contract of the first form is read and brought up to date", (test) => {
  const { specials, ...rest } = canonicalContract()
  if (specials === "not stated") throw new Error("the canonical contract states the special tokens")
  const file = minimal()
  file.contracts = { main: { ...rest, ...specials, version: 1 } }
  const decoded = decodeClaims(JSON.stringify(file), "claims.json")
  test.same(decoded.contracts["main"], canonicalContract())
  test.end()
})

t.test("ids are unique over the ledger and facts name known claims", (test) => {
  const content = decodeClaims(JSON.stringify(minimal()), "a.json")
  test.throws(
    () =>
      ledgerOf([
        { name: "a.json", content },
        { name: "b.json", content },
      ]),
    /which a.json has/,
  )
  const fact = {
    kind: "ratio-range",
    id: "r",
    claims: ["onee"],
    mark: "stated",
    place: {},
    low: 4.2,
    high: 4.4,
    statement: "s",
  }
  const bad = decodeClaims(JSON.stringify({ ...minimal(), facts: [fact] }), "a.json")
  test.throws(
    () => ledgerOf([{ name: "a.json", content: bad }]),
    /\/facts\/0\/claims\/0.*Did you mean "one"\?/,
  )
  test.end()
})

t.test("the shipped ledger", async (test) => {
  const ledger = await readLedger(folder)
  const value = (id: string) => ledger.claims.get(id)?.printed
  // Each printed number is quoted from the source that the claim itself names.
  for (const [id, printed] of [
    ["pr1241-headline", "0.990101083045782"],
    ["pr1241-one-shard", "1.222093209333198"],
    ["pr1241-heads-2", "2.212478"],
    ["pr1241-heads-4", "2.211527"],
    ["pr1241-heads-8", "2.212416"],
    ["pr1241-heads-16", "2.212752"],
    ["pr1241-heads-32", "2.21217"],
    ["pr1106-t64", "1.1571"],
    ["pr1106-t128", "1.1508"],
    ["pr1106-t256", "1.1482"],
    ["pr1106-t512", "1.1465"],
    ["pr820-t32", "1.62519980"],
    ["pr820-nelbo", "2.65530960"],
    ["pr1699-nelbo", "1.48306 +/- 0.00034"],
    ["pr1699-l2r", "1.42032"],
    ["ar-baseline-2026-03-17", "1.22436570"],
    ["ar-baseline-present-export", "1.22837129"],
    ["ar-sota-pr549", "1.1194"],
    ["pr1461-quoted", "0.4067"],
    ["mdlm-lm1b", "<=23.00"],
    ["mdlm-owt", "<=23.21"],
    ["flexmdm-gsm8k-1024", "63.7"],
    ["llada-infill-512", "51.2"],
    ["xlm-owt-flexmdm-gen-ppl-1024", "59.27"],
    ["maze-flexmdm-k7", "90.4 %"],
  ] as const)
    test.equal(value(id), printed, id)
  test.ok(ledger.claims.size >= 140)
  const marks = new Set([...ledger.claims.values()].map((claim) => claim.mark))
  test.ok(marks.has("stated") && marks.has("computed"))
  test.throws(
    () => claimsOf(ledger, ["pr1241-headlin"], "spec.json"),
    /\/claims\/0: expected the id of a claim in the ledger, found "pr1241-headlin". Did you mean "pr1241-headline"\?/,
  )
  test.equal(claimsOf(ledger, ["pr820-t32"], "spec.json")[0]?.contract.bound, "upper-bound")
})

t.test("sources say where, and an inference says that it is one", async (test) => {
  const ledger = await readLedger(folder)
  const claim = (id: string) => ledger.claims.get(id)!
  // Lines counted in the files themselves, at the commit that each place or source names.
  for (const [id, file, line] of [
    ["pr1241-headline", /submission\.json$/, 11],
    ["pr1241-heads-32", /^sweep_results\.csv$/, 6],
    ["pr1241-one-shard", /^v5_results_test\.json$/, 2],
    ["pr1241-prints-pr820", /train_mdlm\.py$/, 433],
    ["pr1106-t512", /2026-03-29_LLaDA_MDLM_Diffusion\/README\.md$/, 38],
    ["pr1119-causal", /2026-03-29_Text_Diffusion_MDLM\/README\.md$/, 11],
    ["pr1271-corrected", /2026-04-02_Scylla_Byte_Accounting_Audit\/README\.md$/, 5],
    ["xlm-owt-flexmdm-gen-ppl-128", /owt_flexmdm\.md$/, 90],
    ["xlm-owt-mlm-gen-ppl-128", /owt_mlm\.md$/, 98],
  ] as const)
    test.match(claim(id).place, { file, line }, id)
  for (const { id, contract } of ledger.claims.values()) {
    const { denominator, data } = contract
    if (denominator === "not stated" || data === "not stated" || data.dataset !== "fineweb10B_sp1024")
      continue
    if ("tokens" in denominator && denominator.tokens === 62_021_632)
      // derived: 62 021 632 of the split's 62 021 846 tokens
      test.equal(data.coverage, 0.9999965496, id)
  }
  for (const id of ["llada-gsm8k-headline", "llada-gsm8k-128"])
    test.match(claim(id).contract.estimator, { decoding: /^inferred, not stated: low_confidence/ }, id)
  test.match(claim("pr1106-mc-elbo").contract, { denominator: "not stated", bound: "not stated" })
})

/** What kind of place a claim's number stands in; undefined for one that nobody could look up. */
const kindOf = ({ place, source, mark }: ResolvedClaim): string | undefined => {
  const { file, line, row, column, table, figure, part, thread, copy } = place
  const commit = place.commit ?? (place.document === undefined ? source.commit : undefined)
  if (thread !== undefined)
    return /^https:\/\/github\.com\/[^/]+\/[^/]+\/(pull|issues)\/\d+$/.test(thread.url) ? "thread" : undefined
  if (file !== undefined) {
    if (file.includes("...")) return undefined
    if (line !== undefined && (commit ?? copy) !== undefined) return "line"
    if (commit === undefined) return undefined
    if (/\.(log|txt)$/.test(file)) return "log"
    // A number that was computed is printed nowhere: the file is what it was computed from.
    return (row ?? column ?? table) !== undefined || mark === "computed" ? "cell" : undefined
  }
  if (part === "commit message") return commit === undefined ? undefined : "commit message"
  const paper = /arxiv\.org/.test(source.url) || place.document !== undefined
  const inPaper = part === "abstract" || (table !== undefined && row !== undefined) || figure !== undefined
  return paper && inPaper ? "paper" : undefined
}

t.test(
  "every claim stands in a place that can be looked up, and says what kind of place it is",
  async (test) => {
    const claims = [...(await readLedger(folder)).claims.values()]
    test.same(
      claims.filter((claim) => kindOf(claim) === undefined).map(({ id }) => id),
      [],
      "a line or cell of a file at a commit, a log, a table, figure or abstract of a paper, a thread by its address",
    )
    test.same([...new Set(claims.map(kindOf))].sort(), [
      "cell",
      "commit message",
      "line",
      "log",
      "paper",
      "thread",
    ])
    for (const { id, place, source } of claims) {
      for (const commit of [place.commit, place.copy?.commit, source.commit])
        if (commit !== undefined) test.match(commit, /^[0-9a-f]{7,40}$/, id)
      if (place.thread !== undefined) test.equal(place.file, undefined, `${id}: a thread has no file`)
      if (place.copy !== undefined) test.match(place.copy.repository, /^[^/]+\/[^/]+$/, id)
    }
    // What stands in a thread alone, or in a file whose own commit is not known, is known by its copy where there is one.
    test.same(
      claims
        .filter(({ place }) => place.thread !== undefined && place.copy === undefined)
        .map(({ id }) => id),
      ["d3llm-llada-gsm8k-h200", "d3llm-llada-gsm8k-a100", "pr1403-thread", "pr1461-quoted"],
    )
  },
)

t.test("what kind of place it is stands in the words of the source", async (test) => {
  const { claims } = await readLedger(folder)
  const words = (id: string) => sourceLine(claims.get(id)!.place, claims.get(id)!.source)
  test.equal(
    words("pr1699-l2r"),
    "parameter-golf PR #1699: 19.2 M MDLM text diffusion; description of " +
      "https://github.com/openai/parameter-golf/pull/1699 (lsb, 2026-04-17); mean of three seeds on 5 000 sequences; " +
      "copy in sameersegal/learn-parameter-golf, data/raw/1699.json, line 5, commit 2c4f0ca",
  )
  test.match(words("pr1106-t64"), /README\.md, line 35; commit 4908dc4; row "T = 64"$/)
  test.match(words("flexmdm-gsm8k-headline"), /; abstract$/)
})

t.test("every claims file is formatted JSON without a contract left to migrate", async (test) => {
  const text = await readFile(`${folder}pr-1241.json`, "utf8")
  const file = decodeClaims(text, "pr-1241.json")
  test.same(JSON.parse(text), file, "nothing is changed by decoding: the file is of today's form")
})
