import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import t from "tap"
import { writeShard } from "../../src/data/rows/shards.js"
import { WireWriter } from "../../src/files/wire.js"
import { invoke } from "./harness.js"
import { smallSpec } from "./small.js"

const folder = await mkdtemp(join(tmpdir(), "repro-check-"))
t.teardown(() => rm(folder, { recursive: true, force: true }))

const TYPE = { normal: 1, unknown: 2, control: 3, byte: 6 } as const

/** A SentencePiece model file of some pieces. */
const model = async (
  name: string,
  pieces: readonly (readonly [piece: string, type: keyof typeof TYPE])[],
): Promise<string> => {
  const writer = new WireWriter()
  for (const [piece, type] of pieces)
    writer.message(1, (w) => w.string(1, piece).float(2, 0).varint(3, TYPE[type]))
  const path = join(folder, name)
  await writeFile(path, writer.message(2, (w) => w.varint(3, 2)).finish())
  return path
}

const shard = async (name: string, ...tokens: number[]): Promise<string> => {
  await writeShard(join(folder, name), Uint16Array.from(tokens))
  return join(folder, name)
}

/** As the vocabulary of parameter-golf issue #897: no lone U+2581, so a lone space becomes three byte tokens. */
const WITHOUT_SPACE = [
  ["<unk>", "unknown"],
  ["<s>", "control"],
  ["\u2581the", "normal"],
  ["cat", "normal"],
  ["<0xE2>", "byte"],
  ["<0x96>", "byte"],
  ["<0x81>", "byte"],
] as const

t.test("a vocabulary without U+2581 counts three bytes for a space, and that is said", async (test) => {
  const tokenizer = await model("without.model", WITHOUT_SPACE)
  // "<s>the cat the" with a space spelled E2 96 81. By hand: text " the" 4, " " 1, "cat" 3, " the" 4 = 12 bytes; the
  // table leaves out the space after <s> (3 bytes) and counts 3 bytes for the spelled one: 3 + 3 + 3 + 4 = 13.
  const tokens = await shard("without.bin", 1, 2, 4, 5, 6, 3, 2)
  const { code, stdout } = await invoke("check", "--tokenizer", tokenizer, "--tokens", tokens)
  test.equal(code, 3)
  test.match(stdout, /does not conserve the text: 13 bytes counted, 12 bytes of text/)
  test.match(stdout, /space-spelled-in-bytes +1 times +2/)
  test.match(stdout, /leading-space-after-boundary +1 times +-1/)
  test.match(stdout, /boundary tokens +1 times +0/)
  test.match(stdout, /byte +3 +3 +1 +2/, "surplus by piece type")
  const json = JSON.parse(
    (await invoke("check", "--tokenizer", tokenizer, "--tokens", tokens, "--json")).stdout,
  ) as object
  test.match(json, { conserved: false, tableBytes: 13, textBytes: 12, surplus: 1 })
})

t.test("with a piece of its own for the space the table conserves", async (test) => {
  const tokenizer = await model("with.model", [...WITHOUT_SPACE, ["\u2581", "normal"]])
  const tokens = await shard("with.bin", 1, 2, 7, 3, 2)
  const { code, stdout } = await invoke("check", "--tokenizer", tokenizer, "--tokens", tokens)
  test.equal(code, 0)
  // By hand: 3 + 1 + 3 + 4 bytes against 4 + 1 + 3 + 4; the one is the space after <s>.
  test.match(stdout, /conserves the text: 11 bytes counted, 12 bytes of text/)
})

t.test("wrong uses end with a sentence", async (test) => {
  const tokenizer = await model("few.model", WITHOUT_SPACE)
  const tokens = await shard("many.bin", 1, 99)
  const outside = await invoke("check", "--tokenizer", tokenizer, "--tokens", tokens)
  test.equal(outside.code, 2)
  test.match(outside.stderr, /token 99 at position 1 is outside the 7 pieces/)
  for (const [args, said] of [
    [["--tokenizer", tokenizer], /go together/],
    [["mdlm_eos", "--tokenizer", tokenizer, "--tokens", tokens], /not both/],
    [[], /Give a spec/],
  ] as const) {
    const { code, stderr } = await invoke("check", ...args)
    test.equal(code, 2)
    test.match(stderr, said)
  }
  const empty = await invoke("check", "--tokenizer", tokenizer, "--tokens", await shard("empty.bin"))
  test.match(empty.stderr, /holds no tokens/)
})

t.test("check of a spec sums the table over the scored slice", async (test) => {
  const small = await smallSpec(20)
  test.teardown(() => rm(small.folder, { recursive: true, force: true }))
  const { stdout } = await invoke("check", small.spec, "--json")
  const { parts } = JSON.parse(stdout) as { parts: readonly { readonly name: string }[] }
  // 8 windows of 32 tokens and the target behind them.
  test.match(
    parts.find(({ name }) => name === "bytes"),
    { ready: true, conservation: { tokens: 257 } },
  )
  const tokenizer = await model("foreign.model", WITHOUT_SPACE)
  const shards = await shard("spaces.bin", ...Array.from({ length: 100 }, () => [1, 4, 5, 6, 3]).flat())
  const foreign = await smallSpec(20, {
    data: {
      corpus: { kind: "files", train: [`file:${shards}`], validation: [`file:${shards}`] },
      tokenizer: { model: `file:${tokenizer}`, vocabSize: 7, maskId: 7, padId: 8 },
    },
  })
  test.teardown(() => rm(foreign.folder, { recursive: true, force: true }))
  const wrong = await invoke("check", foreign.spec)
  test.equal(wrong.code, 3)
  test.match(wrong.stdout, /bytes +wrong .*does not conserve.*space-spelled-in-bytes/)
  const ran = await invoke("run", foreign.spec, "--runs", join(foreign.folder, "runs"), "--json")
  test.equal(ran.code, 0, "a run without a denominator reports bits per token")
  const { rows } = JSON.parse(ran.stdout) as {
    readonly rows: readonly {
      readonly id: string
      readonly value: number | null
      readonly notes: readonly string[]
    }[]
  }
  const row = (id: string) => rows.find((each) => each.id === id)!
  test.equal(row("elbo-t128/bits-per-byte").value, null)
  test.match(row("elbo-t128/bits-per-byte").notes.join(" "), /No bits per byte.*does not conserve the text/)
  test.ok(row("elbo-t128/bits-per-token").value! > 0)
  test.equal(row("floor/unigram/bits-per-byte").value, null)
  test.ok(row("floor/unigram/bits-per-token").value! > 0)
})
