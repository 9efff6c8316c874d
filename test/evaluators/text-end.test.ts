/** Where a network has learned the end of a text in every place behind it, those places are coded as in training. */
import { test } from "tap"
import { measureContinuous } from "../../src/evaluators/continuous-nelbo/measure.js"
import { contractOf } from "../../src/evaluators/index.js"
import { codedRow } from "../../src/inference/masking.js"
import type { Scorer, ScoreRow } from "../../src/inference/scorer.js"
import type { ScoredWindows } from "../../src/inference/windows.js"
import { continuousElbo } from "../../src/metric/code/continuous-elbo.js"
import { PAGE_CONTEXT } from "../../src/metric/contract/page-context.js"

const [END, MASK, PAD] = [20, 22, 23]
const LENGTH = 6
const rule = { maskId: MASK, padId: PAD, boundaryId: END, boundary: "maskable" } as const

const of = (rows: readonly (readonly number[])[], more: Partial<ScoredWindows> = {}): ScoredWindows => ({
  tokens: Int32Array.from(rows.flat()),
  count: rows.length,
  length: LENGTH,
  starts: new Int32Array(rows.length),
  available: rows.length,
  ...more,
})

/** Chunks of documents: a text with its end and PAD behind it, and one that fills its row. */
const chunks = of([
  [1, 2, END, PAD, PAD, PAD],
  [1, 2, 3, 4, 5, 6],
])

/** A whole document without its end, whose first two tokens are a prompt. */
const documents = of([[1, 2, 3, 4, PAD, PAD]], {
  rows: {
    fixed: Uint8Array.from([1, 1, 0, 0, 0, 0]),
    lengths: Int32Array.from([4]),
    places: new Int32Array(LENGTH),
  },
})

const freeOf = (windows: ScoredWindows, w: number, textEnd?: number) => {
  const { tokens, free } = codedRow(windows, w, rule, textEnd)
  return { tokens: [...tokens], free: [...tokens.keys()].filter(free) }
}

void test("rows are those of training", async (t) => {
  t.same(freeOf(chunks, 0, END), { tokens: [1, 2, END, END, END, END], free: [0, 1, 2, 3, 4, 5] })
  t.same(freeOf(chunks, 0), { tokens: [1, 2, END, PAD, PAD, PAD], free: [0, 1, 2] }, "never trained: PAD")
  t.same(freeOf(chunks, 1, END), { tokens: [1, 2, 3, 4, 5, 6], free: [0, 1, 2, 3, 4, 5] })
  t.same(
    freeOf(documents, 0, END),
    { tokens: [1, 2, 3, 4, END, END], free: [2, 3, 4, 5] },
    "a prompt is given",
  )
  t.same(freeOf(documents, 0), { tokens: [1, 2, 3, 4, PAD, PAD], free: [2, 3] })
  t.same([...chunks.tokens.subarray(3, 6)], [PAD, PAD, PAD], "the windows stay as they are stored")
})

void test("PAD that is the end of text itself, as LLaDA has it, is coded too", async (t) => {
  const same = { ...rule, padId: END }
  const { tokens, free } = codedRow(of([[END, 1, END, 2, END, END]]), 0, same, END)
  t.same([...tokens], [END, 1, END, 2, END, END], "a boundary within a row ends nothing")
  t.same([...tokens.keys()].filter(free), [0, 1, 2, 3, 4, 5])
})

/** Every class is as likely, of 8. Keeps what it was given. */
const uniform = (): Scorer & { readonly seen: ScoreRow[] } => {
  const seen: ScoreRow[] = []
  return {
    seen,
    score: async (rows) => {
      seen.push(...rows)
      return rows.map(({ columns }) => new Float32Array(columns.length).fill(Math.log(8)))
    },
    forwards: () => seen.length,
    dispose: async () => undefined,
  }
}

void test("what a network that knows nothing pays is ln V for each coded place, and PAD never reaches it", async (t) => {
  // By hand: 6, 6 and 4 places, three bits each. The masked count over t has variance n (1 - t) / t, so that J strata
  // leave 3 sqrt(n ln(J) / J) bits: 0.16 with n = 6 and J = 20 000, and 0.7 is four of these.
  for (const [windows, textEnd, bits] of [
    [chunks, END, [18, 18]],
    [chunks, undefined, [9, 18]],
    [documents, END, [12]],
  ] as const) {
    const scorer = uniform()
    const draws = 20_000
    const evidence = await measureContinuous(scorer, windows, {
      schedule: { kind: "log-linear", eps: 0 },
      rule,
      ...(textEnd === undefined ? {} : { textEnd }),
      draws,
      seed: 3,
    })
    const content = new Int32Array(windows.count).fill(LENGTH)
    const { perWindowBits } = continuousElbo({
      ...evidence,
      windows: windows.count,
      draws,
      eps: 0,
      content,
      vocabSize: 8,
    })
    bits.forEach((expected, w) =>
      t.ok(Math.abs(perWindowBits[w]! - expected) < 0.7, `${perWindowBits[w]} bits, expected ${expected}`),
    )
    if (textEnd !== undefined)
      t.notOk(
        scorer.seen.some(({ inputIds }) => inputIds.includes(PAD)),
        "no PAD among the inputs",
      )
    if (windows === documents)
      t.ok(
        scorer.seen.every(({ inputIds }) => inputIds[0] === 1 && inputIds[1] === 2),
        "the prompt is never masked",
      )
  }
})

const contractAt = (alignment: "document-chunks" | "raw-stream", textEnd?: "coded") =>
  contractOf(
    {
      kind: "continuous-nelbo",
      windows: { length: 64, count: 4, alignment },
      draws: 4,
      seed: 0,
    } as never,
    { ...PAGE_CONTEXT, boundary: "maskable", ...(textEnd === undefined ? {} : { textEnd }) },
  )

void test("the contract says that the length is in the code", async (t) => {
  t.same(contractAt("document-chunks").sideInformation, ["document-lengths"])
  t.same(contractAt("document-chunks", "coded").sideInformation, [])
  t.same(contractAt("document-chunks", "coded").specials, {
    ...(contractAt("document-chunks").specials as object),
    pad: { numerator: "charged", denominator: "zero" },
  })
  t.same(contractAt("raw-stream", "coded"), contractAt("raw-stream"))
})
