/** Training rows of GSM8K and opc-sft from small files of the same columns, as the specs of LLaDA name them. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import t from "tap"
import {
  loadTokenizer,
  prepareCorpus,
  readTokens,
  type CorpusSpec,
} from "../../../src/data/corpora/corpus.js"
import type { Pairs } from "../../../src/data/corpora/pairs/schema.js"
import { buildDocumentIndex, documentParts, documentRule } from "../../../src/data/rows/documents.js"
import { modelTokenizer } from "../../../src/data/tokenizers/tokenizer.js"
import { byteLevelTokenizer } from "../byte-level.js"

t.setTimeout(540_000)

const root = await mkdtemp(join(tmpdir(), "templates-"))
t.teardown(() => rm(root, { recursive: true }))

const SPECIALS = [
  "<|endoftext|>",
  "<|startoftext|>",
  "<|start_header_id|>",
  "<|end_header_id|>",
  "<|eot_id|>",
  "<|mdm_mask|>",
]
const tokenizer = join(root, "tokenizer.json")
await writeFile(tokenizer, byteLevelTokenizer(SPECIALS))
/** MASK, as in the specs: no text holds it. */
const SEPARATOR = 262

const published = async (id: string): Promise<Pairs> => {
  const { data } = JSON.parse(await readFile(`specs/${id}.json`, "utf8")) as { data: { corpus: Pairs } }
  return data.corpus
}

/** The published corpus of a spec, over a file of one's own. */
const specOf = async (id: string, file: string, change: Partial<Pairs> = {}): Promise<CorpusSpec> => {
  const { files: _files, revision: _revision, ...corpus } = await published(id)
  return {
    corpus: {
      ...corpus,
      source: `file:${file}`,
      tokenizer: `file:${tokenizer}`,
      holdOut: { share: 0.25, seed: 42 },
      ...change,
    },
    tokenizer: {
      id: "bytes",
      model: "corpus",
      vocabSize: 263,
      boundaryId: 257,
      separatorId: SEPARATOR,
      maskId: 262,
      padId: 257,
    },
  }
}

const write = async (name: string, rows: readonly object[]): Promise<string> => {
  const path = join(root, name)
  await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
  return path
}

/** Texts of all rows, prompt and target, in order. */
const textsOf = async (spec: CorpusSpec, cacheDir: string) => {
  const corpus = await prepareCorpus(spec, { cacheDir, workers: 1 })
  const own = modelTokenizer("bytes", await loadTokenizer(spec, { cacheDir }))
  const found: { prompt: string; target: string; ids: readonly number[] }[] = []
  for (const split of ["train", "validation"] as const) {
    const tokens = await readTokens(corpus[split])
    const index = buildDocumentIndex(tokens, documentRule({ ...spec, batching: { length: 2000 } }))
    for (let i = 0; i < index.starts.length; i++) {
      const { prompt, target } = documentParts(tokens, index, i)
      found.push({
        prompt: own.decode(prompt ?? []),
        target: own.decode(target),
        ids: Array.from(prompt ?? []),
      })
    }
  }
  return found
}

const GSM = [
  { question: "Ann has 3 pens and gets 4 more. How many?", answer: "She has 3+4=<<3+4=7>>7 pens.\n#### 7" },
  { question: "What is 1000 + 234?", answer: "Added up: #### is not the end.\n1000+234=1,234\n#### 1,234" },
  { question: "What is left of 2 after 5 are taken?", answer: "2-5=-3\n#### -3" },
  { question: "Braces {answer} {prompt}?", answer: "None {target}.\n#### 0" },
]

void t.test(
  "GSM8K: a chat with the published system text, annotations kept, the answer in a box",
  async (t) => {
    const spec = await specOf("flexmdm_8b_math", await write("gsm.jsonl", GSM))
    const texts = await textsOf(spec, join(root, "gsm"))
    t.equal(texts.length, 4)
    const of = (question: string) => texts.find(({ prompt }) => prompt.includes(question))!
    const { prompt, target, ids } = of("Ann has 3 pens")
    // reference/llada.md: the chat form of 13 190 stored prompts; system text of d1's eval/gsm8k.py.
    // Control pieces have no text: start of text, header and its end; the end of the turn, and a header again.
    t.same(
      ids.filter((id) => id >= 257),
      [258, 259, 260, 261, 259, 260],
    )
    t.same(ids.slice(0, 2), [258, 259])
    t.match(prompt, /^user\n\nYou are a math expert\./)
    t.match(prompt, /\\boxed\{\}\. \nRespond in the following format:\n/, "its first line ends with a blank")
    t.ok(prompt.endsWith(`\n\n${GSM[0]!.question}assistant\n\n<reasoning>`))
    t.equal(target, "She has 3+4=<<3+4=7>>7 pens.</reasoning>\n<answer>\\boxed{7}</answer>")
    t.match(
      of("1000").target,
      /is not the end\.\n1000\+234=1,234<\/reasoning>\n<answer>\\boxed\{1,234\}<\/answer>$/,
    )
    t.match(of("left of 2").target, /\\boxed\{-3\}<\/answer>$/)
    t.match(
      of("Braces {answer} {prompt}?").target,
      /^None \{target\}\.<\/reasoning>/,
      "braces of a text stay",
    )
    const evaluated = JSON.parse(await readFile("specs/flexmdm_8b_gsm8k.json", "utf8")) as {
      readonly evaluations: readonly { readonly from: { readonly template: string } }[]
    }
    t.equal((await published("flexmdm_8b_math")).promptTemplate, evaluated.evaluations[0]!.from.template, "trained and asked alike") // prettier-ignore
  },
)

void t.test("opc-sft: instruction and output as they are, blanks too", async (t) => {
  const rows = Array.from({ length: 4 }, (_, i) => ({
    seq_id: i,
    instruction: `Write a function of ${i}.\n`,
    output: `\n    def f(x):\n        return x + ${i}\n`,
    code: "",
    entry_point: "f",
  }))
  const spec = await specOf("llada_8b_code", await write("opc.jsonl", rows))
  const texts = await textsOf(spec, join(root, "opc"))
  t.equal(texts.length, 4)
  for (const { instruction, output } of rows)
    t.ok(texts.some(({ prompt, target }) => prompt === instruction && target === output))
})

void t.test("what does not fit is told with its row and its cure", async (t) => {
  const bare = await write("bare.jsonl", [{ question: "q", answer: "no mark" }])
  await t.rejects(prepareCorpus(await specOf("llada_8b_math", bare), { cacheDir: join(root, "bare"), workers: 1 }), /bare\.jsonl, line 1: its target has no "####"; correct data\.corpus\.targetSplit/) // prettier-ignore
  const spec = await specOf("llada_8b_math", await write("sep.jsonl", GSM))
  const chat = { ...spec, tokenizer: { ...spec.tokenizer, separatorId: 261 } }
  await t.rejects(prepareCorpus(chat, { cacheDir: join(root, "sep"), workers: 1 }), /line \d: its prompt holds the piece 261/) // prettier-ignore
})
