import { mkdtemp, rm, truncate } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import tap, { test } from "tap"
import {
  checkCorpus,
  loadCorpus,
  prepareCorpus,
  readTokens,
  type CorpusSpec,
} from "../../../src/data/corpora/corpus.js"
import { generatedIds, generatedItem, generatedSource } from "../../../src/data/corpora/generated/sources.js"
import type { Generated } from "../../../src/data/corpora/generated/schema.js"
import { buildDocumentIndex, documentParts, documentRule } from "../../../src/data/rows/documents.js"
import { literalTokenizer } from "../../../src/data/tokenizers/literal.js"
import { textRulesOf } from "../../../src/data/tokenizers/text-rules.js"
import { isIntact } from "../../../src/metric/bytes/intact.js"
import { buildByteTable, bytesOf } from "../../../src/metric/bytes/byte-table.js"
import { openRowSource } from "../../../src/data/rows/row-source.js"

const root = await mkdtemp(join(tmpdir(), "generated-"))
tap.teardown(() => rm(root, { recursive: true }))

const specOf = (task: Generated["task"]): CorpusSpec & { readonly corpus: Generated } => {
  const ids = generatedIds(task)
  return {
    corpus: { kind: "generated", task, seed: 7, trainItems: 50, validationItems: 9 },
    tokenizer: { id: "own", model: "corpus", ...ids, maskId: ids.vocabSize, padId: ids.vocabSize + 1 },
  }
}

const TASKS: readonly Generated["task"][] = [
  { kind: "brackets", words: "opening" },
  { kind: "brackets", words: "balanced" },
  { kind: "star", level: "easy" },
  { kind: "star", level: "medium" },
  { kind: "star", level: "hard" },
  { kind: "word-problems" },
]

for (const task of TASKS)
  test(`${JSON.stringify(task)}: shards hold the items, whole, with every byte of their text`, async (t) => {
    const options = { cacheDir: join(root, "cache") }
    const spec = specOf(task)
    t.match(await checkCorpus(spec, options), { ready: false, missing: [{ problem: /repro prepare/ }, {}] })
    const corpus = await prepareCorpus(spec, options)
    t.same(await checkCorpus(spec, options), { ready: true, missing: [] })
    t.match(corpus.totals, { train: { documents: 50 }, validation: { documents: 9 } })

    const rule = documentRule({ tokenizer: spec.tokenizer, batching: { length: 400 } })
    const own = literalTokenizer(generatedSource(task).pieces)
    for (const split of ["train", "validation"] as const) {
      const tokens = await readTokens(corpus[split])
      const index = buildDocumentIndex(tokens, rule)
      t.equal(index.starts.length, corpus.totals[split].documents)
      for (let k = 0; k < index.starts.length; k++) {
        const { prompt, target } = documentParts(tokens, index, k)
        const item = generatedItem(spec.corpus, split, k)
        t.equal(own.decode(target), item.target)
        t.equal(prompt === undefined ? undefined : own.decode(prompt), item.prompt)
      }
      // Conservation: the byte table over the stream adds up to the bytes of the texts.
      const table = buildByteTable(corpus.tokenizer.pieces)
      const sum = Array.from(tokens).reduce(
        (n, id, i) => n + bytesOf(table, id, i === 0 ? -1 : tokens[i - 1]!),
        0,
      )
      t.equal(sum, corpus.totals[split].bytes)
      t.ok(
        isIntact(
          { pieces: corpus.tokenizer.pieces, text: textRulesOf(corpus.tokenizer) },
          tokens,
          corpus.totals[split].bytes,
        ),
      )
    }

    const before = corpus.validationDigests
    await truncate(corpus.validation[0]!, 1030)
    t.match(await checkCorpus(spec, options), { ready: false }, "a damaged shard is not taken")
    t.same((await prepareCorpus(spec, options)).validationDigests, before, "and is made again, bit for bit")
    const other = { ...spec, corpus: { ...spec.corpus, seed: 8 } }
    await t.rejects(loadCorpus(other, options), /repro prepare|prepare the data/)
  })

test("training rows are documents with lengths and given tokens; a step's depend on seed and step alone", async (t) => {
  const spec = specOf({ kind: "star", level: "easy" })
  const { train } = await prepareCorpus(spec, { cacheDir: join(root, "rows") })
  const tokens = await readTokens(train)
  const notices: string[] = []
  const source = (length: number) =>
    openRowSource(
      { group: (index) => Promise.resolve({ tokens, index, shards: train }) },
      {
        batching: { kind: "documents", length, shardsInMemory: 1, rotation: false, end: "anchor" },
        tokenizer: spec.tokenizer,
        seed: 1,
        stepsPerGroup: 100,
        onNotice: (sentence) => notices.push(sentence),
      },
    )
  const rows = await source(40).rows(3, 8)
  // Easy graphs: 3 arms of 4 edges (24 ids), source and goal, the separator, 4 edges of the path (8 ids), the end.
  t.same(
    [...rows.lengths!],
    Array.from({ length: 8 }, () => 24 + 2 + 1 + 8 + 1),
  )
  const { boundaryId, separatorId, padId } = spec.tokenizer
  for (let i = 0; i < 8; i++) {
    const [row, fixed] = [rows.tokens, rows.fixed!].map((all) => [...all.subarray(40 * i, 40 * (i + 1))])
    t.equal(row![26], separatorId)
    t.equal(row![35], boundaryId)
    t.same(row!.slice(36), [padId, padId, padId, padId])
    t.same(fixed, [...Array(27).fill(1), ...Array(8).fill(0), 1, 0, 0, 0, 0])
  }
  t.same(await source(40).rows(3, 8), rows)
  t.same(notices, [])
  await source(30).rows(0, 1)
  t.match(notices, [/50 of 50 rows do not fit 30 tokens: 300 tokens/])
})
