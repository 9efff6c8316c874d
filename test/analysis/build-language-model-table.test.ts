/**
 * Expected values are worked out beside each assertion. The uniform model of parameter-golf's vocabulary is the
 * reference: 1024 pieces, so log2(1024) = 10 bits for every token that may be masked.
 */
import { test } from "tap"
import {
  buildLanguageModelTable,
  isUntrained,
  type LanguageModelTableInput,
} from "../../src/analysis/build-language-model-table.js"
import { comparabilitySentence, groupDifferences } from "../../src/analysis/differences.js"
import type { EvaluationSummary, FloorSummary } from "../../src/analysis/language-model.js"
import type { ResultsTable } from "../../src/analysis/table.js"

const TOKENS = 500 * 2048
/** Exact ratio of FineWeb validation under SP-1024: 151 080 891 bytes / 62 021 846 tokens. */
const BYTES = (TOKENS * 151_080_891) / 62_021_846

/** #1241 as published: 0.990101083045782 = bits / (4.3 x tokens), so bits = 0.9901... x 4.3 x tokens. */
const published: EvaluationSummary = {
  evaluationId: "elbo",
  evaluation: {
    kind: "discrete-elbo",
    steps: 128,
    draws: 1,
    seed: 0,
    windows: { length: 2048, count: 500, alignment: "raw-stream" },
  },
  context: {
    dataset: "fineweb10B_sp1024",
    split: "validation",
    tokenizer: { id: "sp1024" },
    boundary: "free",
    eps: 1e-3,
  },
  bits: 0.990101083045782 * 4.3 * TOKENS,
  terminalBits: TOKENS * 1e-3 * 10,
  tokens: TOKENS,
  maskableTokens: TOKENS - 826,
  bytes: BYTES,
  perWindow: Array.from({ length: 500 }, () => ({ bits: 1, bytes: 1, tokens: 2048 })),
  boundaryTokens: 826,
  boundaryBits: 9674.05,
}

const floors: readonly FloorSummary[] = [
  { id: "uniform", label: "uniform", bitsPerToken: 10, bitsPerByte: 10 / 2.43593 },
  { id: "unigram", label: "unigram", bitsPerToken: 8.65, bitsPerByte: 8.65 / 2.43593 },
  { id: "bigram", label: "bigram", bitsPerToken: 6.9, bitsPerByte: 6.9 / 2.43593 },
  { id: "xz", label: "xz -9e", bitsPerToken: null, bitsPerByte: 2.3 },
]

const input: LanguageModelTableInput = {
  header: {
    experiment: "mdlm_eos",
    title: "MDLM",
    profile: "laptop",
    run: "r",
    fingerprint: "f",
  },
  differences: [],
  evaluations: [published],
  floors,
  publishedConstant: 4.3,
  ratioInterval: (pairs) => {
    const ratio =
      pairs.reduce((sum, pair) => sum + pair.numerator, 0) /
      pairs.reduce((sum, pair) => sum + pair.denominator, 0)
    return { low: ratio * 0.99, high: ratio * 1.01, level: 0.95, method: "test" }
  },
}

const value = (table: ResultsTable, id: string): number => {
  const found = table.rows.find((row) => row.id === id)?.value
  if (found === undefined || found === null) throw new Error(`no value in row ${id}`)
  return found
}
const near = (found: number, wanted: number, relative: number): boolean =>
  Math.abs(found - wanted) <= relative * Math.abs(wanted)

test("the published figure under every definition", (t) => {
  const table = buildLanguageModelTable(input)
  t.ok(near(value(table, "elbo/as-published"), 0.990101083045782, 1e-12))
  // 0.990101083 x 4.3 = 4.25743466
  t.ok(near(value(table, "elbo/bits-per-token"), 4.257434657, 1e-9))
  // x ln 2 = 2.9510288
  t.ok(near(value(table, "elbo/nats-per-token"), 4.257434657 * 0.6931471805599453, 1e-9))
  // / 2.435930252704829 = 1.7477654
  t.ok(near(value(table, "elbo/bits-per-byte"), 4.257434657 / 2.435930252704829, 1e-9))
  // 0.01 bit per token
  t.ok(near(value(table, "elbo/terminal"), 0.01, 1e-12))
  t.ok(near(value(table, "elbo/boundary"), 9674.05 / BYTES, 1e-12))
  t.ok(
    near(
      value(table, "elbo/bits-per-byte-charged"),
      value(table, "elbo/bits-per-byte") + value(table, "elbo/boundary"),
      1e-12,
    ),
  )
  t.end()
})

test("every row says what it is", (t) => {
  const { rows, contracts } = buildLanguageModelTable(input)
  for (const row of rows.filter(({ group }) => group !== "floor")) {
    if (row.quantity !== "negative-log-likelihood") continue
    t.equal(row.boundKind, "upper-bound", row.id)
    t.ok(row.contractId !== null && row.contractId in contracts, row.id)
  }
  const ids = rows.flatMap(({ contractId }) => contractId ?? [])
  t.equal(new Set(ids).size, ids.length, "different meanings have different contracts")
  t.match(contracts[rows.find(({ id }) => id === "elbo/as-published")!.contractId!], {
    unit: "bits/byte",
    denominator: { kind: "constant", bytesPerToken: 4.3 },
    sideInformation: ["boundary-positions"],
  })
  t.match(contracts[rows.find(({ id }) => id === "elbo/bits-per-byte-charged")!.contractId!], {
    event: "every-target",
    sideInformation: [],
  })
  t.match(rows.find(({ id }) => id === "elbo/as-published")?.notes, [/exact byte table gives 2\.4359/])
  t.end()
})

test("a uniform model has 10 bits for each token that may be masked, and is untrained", (t) => {
  const maskable = TOKENS - 826
  const uniform = { ...published, bits: 10 * maskable }
  const table = buildLanguageModelTable({ ...input, evaluations: [uniform] })
  const row = table.rows.find(({ id }) => id === "elbo/bits-per-token")!
  t.equal(row.perMaskableToken?.toFixed(4), "10.0000", "over 1023174 of 1024000")
  t.equal(row.mark, "untrained")
  t.match(table.header.verdict, [/published one/, /Untrained: evaluation elbo gives 9\.992 bits\/token/])
  t.equal(isUntrained({ bits: 8.66 * 10, tokens: 10, perWindow: [] }, floors), true)
  t.equal(isUntrained({ bits: 8.64 * 10, tokens: 10, perWindow: [] }, floors), false)
  t.equal(buildLanguageModelTable(input).rows[0]?.mark, null)
  t.end()
})

/** Ten tokens a window; the first of four windows is easier by `ease` bits a token than the mean of all. */
const windowsOf = (level: number, ease: number, count: number): EvaluationSummary => {
  const perWindow = Array.from({ length: count }, (_, w) => ({
    bits: 10 * (level - (w === 0 ? ease : -ease / 3)),
    bytes: 24,
    tokens: 10,
  }))
  const bits = perWindow.reduce((sum, window) => sum + window.bits, 0)
  return { ...published, perWindow, bits, tokens: 10 * count }
}

test("an evaluation of the first windows is judged against the floor of all of them", (t) => {
  // The floor is 8.65. The same model on the first window alone has 8 or 9 bits/token: easy or hard text, no more.
  const [worse, better] = [windowsOf(9, 1, 4), windowsOf(8, -1, 4)]
  t.equal(isUntrained(windowsOf(9, 1, 1), floors, worse), true, "8 bits/token of easy text")
  t.equal(isUntrained(windowsOf(8, -1, 1), floors, better), false, "9 bits/token of hard text")
  t.equal(isUntrained(worse, floors, worse), true)
  // A twentieth cheaper than the reference there: 0.95 x 9 = 8.55 on all windows.
  const cheaper = windowsOf(9, 1, 1)
  t.equal(isUntrained({ ...cheaper, bits: 0.95 * cheaper.bits }, floors, worse), false)
  const first = { ...windowsOf(9, 1, 1), evaluationId: "first" }
  const { header } = buildLanguageModelTable({ ...input, evaluations: [worse, first] })
  t.match(header.verdict[1], /evaluations elbo, first give 9\.000 to 9\.000 bits\/token/)
  t.end()
})

test("floors are required, and a missing value says why", (t) => {
  t.throws(() => buildLanguageModelTable({ ...input, floors: floors.slice(1) }), /"uniform" is missing/)
  const absent: FloorSummary = { id: "xz", label: "xz -9e", bitsPerToken: null, bitsPerByte: null }
  const table = buildLanguageModelTable({ ...input, floors: [...floors.slice(0, 3), absent] })
  t.match(table.rows.at(-1), { id: "floor/xz/bits-per-byte", value: null, notes: ["Not computed."] })
  t.end()
})

test("nothing about boundaries where they are ordinary tokens or absent", (t) => {
  for (const changed of [
    { ...published, boundaryTokens: 0 },
    { ...published, context: { ...published.context, boundary: "maskable" as const } },
  ]) {
    const ids = buildLanguageModelTable({ ...input, evaluations: [changed] }).rows.map(({ id }) => id)
    t.notOk(ids.some((id) => /boundary|charged/.test(id)))
  }
  t.end()
})

const evaluation = (id: string, length: number, count: number) => ({ id, windows: { length, count } })

test("what differs from the published experiment is named, the most telling first", (t) => {
  const differences = [
    { pointer: "/data/tokenizer/model", paper: "corpus", profile: "embedded" },
    { pointer: "/data/corpus/kind", paper: "parameter-golf", profile: "speeches" },
    { pointer: "/model/mlpRatio", paper: 4, profile: 2 },
    { pointer: "/model/width", paper: 512, profile: 128 },
    { pointer: "/model/layers", paper: 11, profile: 4 },
    { pointer: "/training/stepsPerGroup", paper: 6000, profile: 200 },
    { pointer: "/training/emaDecay", profile: 0.999 },
  ]
  t.same(
    groupDifferences(differences).map(({ subject, differences: members }) => [subject, members[0]?.pointer]),
    [
      ["data", "/data/corpus/kind"],
      ["network", "/model/width"],
      ["training", "/training/stepsPerGroup"],
    ],
  )
  t.equal(
    comparabilitySentence("laptop", differences),
    "Not a reproduction of the published numbers: profile laptop differs from the published experiment in data (corpus kind parameter-golf → speeches, model corpus → embedded); network (width 512 → 128, layers 11 → 4, mlpRatio 4 → 2); training (stepsPerGroup 6000 → 200, emaDecay none → 0.999).",
  )
  t.match(comparabilitySentence("paper", []), /is the published one/)
  const lists = (profile: unknown) => [
    { pointer: "/evaluations", paper: [evaluation("elbo", 2048, 500)], profile },
  ]
  t.match(
    comparabilitySentence("laptop", lists([evaluation("elbo", 64, 128), evaluation("more", 64, 128)])),
    /in evaluation \(length 2048 → 64, windows count 500 → 128, estimators 1 → 2\)\.$/,
  )
  t.match(comparabilitySentence("laptop", lists([])), /in evaluation \(estimators 1 → 0\)\.$/)
  t.end()
})
