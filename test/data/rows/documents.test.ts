import { readFile } from "node:fs/promises"
import { test } from "tap"
import { predictionRow, targetRow, trainingRow, type RowShape } from "../../../src/data/rows/collate.js"
import {
  buildDocumentIndex,
  describeCut,
  documentPrompt,
  documentRow,
  documentRule,
  type DocumentRule,
} from "../../../src/data/rows/documents.js"
import { splitDocument } from "../../../src/data/rows/split-document.js"
import { parseTokenizerJson } from "../../../src/data/tokenizers/tokenizer-json.js"
import { byteLevelTokenizer } from "../byte-level.js"

// Made by running the public code: collators of dhruvdcoder/xlm-core 51c7813 (xlm-models/flexmdm/
// datamodule_flexmdm.py 595-841), the document splitter of brianlck/FlexMDM 99eb7b7. All values are exact.
const golden = async <A>(name: string): Promise<A> =>
  JSON.parse(await readFile(`test/data/rows/goldens/${name}.json`, "utf8")) as A

interface Expected {
  readonly input_ids: readonly (readonly number[])[]
  readonly fixed: readonly (readonly number[])[]
  readonly target_ids?: readonly (readonly number[])[]
}
interface Case extends Expected {
  readonly kind: string
  readonly bos: number | null
  readonly eos: number
  readonly pad: number
  readonly width: number
  readonly prompts: readonly (readonly number[])[] | null
  readonly targets: readonly (readonly number[])[]
}
interface More {
  readonly ids: { readonly pad: number; readonly eos: number; readonly bos: number }
  readonly cases: readonly (Expected & {
    readonly name: string
    readonly kind: "train" | "pred"
    readonly examples: readonly { readonly input_ids: number[]; readonly prompt_ids?: number[] }[]
    readonly add_bos: boolean
    readonly block_size: number
    readonly input_block_size: number
  })[]
}

test("training and prediction rows are those of the published collators", async (t) => {
  const first = (await golden<Case[]>("collators")).filter(({ kind }) => kind.startsWith("X_"))
  const more = await golden<More>("collators-more")
  const cases = [
    ...first.map((each) => ({
      name: `${each.kind} ${each.bos === null ? "without" : "with"} BOS`,
      training: each.kind.startsWith("X_train"),
      shape: {
        width: each.width,
        endId: each.eos,
        padId: each.pad,
        ...(each.bos === null ? {} : { separatorId: each.bos }),
      },
      rows: each.targets.map((target, i) => ({
        target,
        ...(each.prompts === null ? {} : { prompt: each.prompts[i]! }),
      })),
      expected: each as Expected,
    })),
    ...more.cases.map((each) => ({
      name: each.name,
      training: each.kind === "train",
      shape: {
        width: each.block_size + each.input_block_size,
        endId: more.ids.eos,
        padId: more.ids.pad,
        ...(each.add_bos ? { separatorId: more.ids.bos } : {}),
      },
      rows: each.examples.map(({ input_ids: target, prompt_ids: prompt }) => ({
        target,
        ...(prompt === undefined ? {} : { prompt }),
      })),
      expected: each as Expected,
    })),
  ]
  t.equal(cases.length, 14)
  for (const { name, training, shape, rows, expected } of cases) {
    const made = rows.map((row) => (training ? trainingRow(row, shape) : predictionRow(row, shape)))
    t.same(
      made.map(({ tokens }) => [...tokens]),
      expected.input_ids,
      name,
    )
    t.same(
      made.map(({ fixed }) => [...fixed]),
      expected.fixed,
      `${name}: fixed`,
    )
    if (expected.target_ids !== undefined)
      t.same(
        rows.map(({ target }) => [...targetRow(target, shape)]),
        expected.target_ids,
        `${name}: targets`,
      )
  }
})

test("a row that was cut says so; a target that does not fit and an end that is PAD are refused", async (t) => {
  const shape: RowShape = { width: 4, endId: 8, padId: 9 }
  t.match(trainingRow({ prompt: [1, 2], target: [3, 4] }, shape), { cut: 1, length: 4 })
  t.match(trainingRow({ target: [3] }, shape), { cut: 0, length: 2 })
  t.match(trainingRow({ target: [3] }, { width: 4, padId: 9 }), { cut: 0, length: 1, fixed: [0, 0, 0, 0] })
  t.throws(() => targetRow([1, 2, 3, 4], shape), /4 tokens and its end do not fit a row of 4; widen/)
  t.throws(() => trainingRow({ target: [3] }, { ...shape, padId: 8 }), /one id, 8.*<\|pad\|>/)
})

test("long documents are cut at the delimiter nearest the middle, as published", async (t) => {
  const cases =
    await golden<{ tokens: number[]; max_length: number; delimiter: number[]; chunks: number[][] }[]>(
      "splitter",
    )
  t.equal(cases.length, 8)
  for (const [i, { tokens, max_length, delimiter, chunks }] of cases.entries())
    t.same(
      splitDocument(tokens, [0, tokens.length], max_length, delimiter).map(([a, b]) => tokens.slice(a, b)),
      chunks,
      `case ${i}`,
    )
  t.same(splitDocument([1, 2, 3, 4, 5], [0, 5], 2), [
    [0, 2],
    [2, 4],
    [4, 5],
  ])
})

test("a delimiter as published, of ids, and as meant, a text that the tokenizer spells", async (t) => {
  const { encode } = parseTokenizerJson(Buffer.from(byteLevelTokenizer(["<|end|>"])), {
    id: "bytes",
    subject: "bytes",
  })
  const ruleOf = (delimiter: string | readonly number[], spell?: typeof encode): DocumentRule =>
    documentRule(
      {
        tokenizer: { boundaryId: 257, padId: 258 },
        batching: { length: 8, delimiter },
      },
      spell,
    )
  // Byte-level spelling: a line feed, byte 10, is one id. Two of them are the blank line.
  const feed = encode("\n")[0]!
  t.same(ruleOf("\n\n", encode).delimiter, [feed, feed])
  const tokens = Uint16Array.from([257, ...encode("one line\n\ntwo lines\nthree"), 257])
  const cut = (rule: DocumentRule): readonly number[] => {
    const { starts, ends } = buildDocumentIndex(tokens, rule)
    return Array.from(starts, (start, i) => ends[i]! - start)
  }
  // 8 characters stand before the blank line and 15 behind it, which have none and are cut into pieces of a row.
  t.same(cut(ruleOf("\n\n", encode)), [8, 8, 7])
  // The pair of GPT-2's ids is never met in a text of other ids: pieces of a row.
  t.same(cut(ruleOf([198, 198])), [8, 8, 8, 1])
  t.throws(
    () => ruleOf("\n\n"),
    /data\.batching\.delimiter.*cannot spell the mark "\\n\\n".*write one of its pieces, or the ids/s,
  )
})

const B = 90
const S = 91
const rule: DocumentRule = {
  boundaryId: B,
  separatorId: S,
  padId: 99,
  length: 5,
  end: "anchor",
  separator: "kept",
  delimiter: [],
}
// Counted by hand: the opening 7 has no boundary before it, the last 8 none after it, and the pair of boundaries
// holds nothing.
const stream = Uint16Array.of(7, B, 1, 2, S, 3, B, B, 4, 5, 6, 1, 2, 3, B, 1, 2, 3, S, 4, 5, B, 8)

test("rows of a stream: whole documents, given prompts, anchors, what is cut", async (t) => {
  const index = buildDocumentIndex(stream, rule)
  t.equal(index.documents, 3)
  const rows = Array.from({ length: index.starts.length }, (_, i) => documentRow(stream, index, i, rule))
  t.same(
    rows.map(({ tokens }) => [...tokens]),
    [
      [1, 2, S, 3, B],
      [4, 5, 6, 1, B],
      [2, 3, B, 99, 99],
      [1, 2, 3, S, B],
    ],
  )
  t.same(
    rows.map(({ fixed }) => [...fixed].join("")),
    ["11101", "00001", "00100", "11111"],
  )
  t.same(
    rows.map(({ length }) => length),
    [5, 5, 3, 5],
  )
  t.same(index.cut, { rows: 1, tokens: 2 })
  t.match(
    describeCut(index, rule),
    /1 of 4 rows do not fit 5 tokens: 2 tokens .* are left out.*batching\.length/,
  )
  t.same([...documentPrompt(stream, index, 0, rule).tokens], [1, 2, S, B, 99])

  const dropped: DocumentRule = { ...rule, separator: "dropped", length: 6 }
  const wide = buildDocumentIndex(stream, dropped)
  t.same(wide.cut, { rows: 0, tokens: 0 })
  t.equal(describeCut(wide, dropped), undefined)
  t.same([...documentRow(stream, wide, 0, dropped).tokens], [1, 2, 3, B, 99, 99])
  t.same([...documentRow(stream, wide, 0, dropped).fixed], [1, 1, 0, 1, 0, 0])

  const { separatorId: _none, ...plain } = rule
  const free: DocumentRule = { ...plain, end: "none" }
  const bare = documentRow(stream, buildDocumentIndex(stream, free), 0, free)
  t.same([[...bare.tokens], bare.length, [...bare.fixed]], [[1, 2, S, 3, 99], 4, [0, 0, 0, 0, 0]])
  t.throws(
    () => buildDocumentIndex(Uint16Array.of(1, B, 2), rule, "x.bin"),
    /x\.bin: there is no whole document/,
  )
})

test("a spec's rule has the defaults that it describes", async (t) => {
  t.same(documentRule({ tokenizer: { boundaryId: 1, padId: 3 }, batching: { length: 8 } }), {
    boundaryId: 1,
    padId: 3,
    length: 8,
    end: "none",
    separator: "kept",
    delimiter: [],
  })
})
