/** `infer` on logs as other programs write them: what is read, what is refused, and whose totals count. */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { test } from "tap"
import { infer, type InferOptions } from "../../src/app/infer.js"

const inferText = async (content: string | Uint8Array, options: Partial<InferOptions> = {}) => {
  const folder = await mkdtemp(join(tmpdir(), "repro-infer-"))
  try {
    const path = join(folder, "train.log")
    await writeFile(path, content)
    const outcome = await infer({ path, ...options })
    const { rows } = outcome.json as {
      rows: readonly { tokens: number | null; verdict: { verdict: string } }[]
    }
    return { ...outcome, rows, verdicts: rows.map(({ verdict }) => verdict.verdict) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

// parameter-golf records/track_10min_16mb/2026-03-18_LongContextSeq2048/train.log: 151 080 364 bytes.
const FIGURES = "step:100/200 val_loss:2.03588345 val_bpb:1.20576485 train_time:1ms\n"
const LOADER = "val_loader:shards pattern=./data/val_*.bin tokens:62021632\n"
const PLAIN = LOADER + FIGURES
// Derived: 2.95103 / (ln 2 * 4.3) bits per byte.
const CONSTANT = "step:1 val_loss:2.95103000 val_bpb:0.99010148\n"

const SAME: readonly (readonly [string, string | Uint8Array])[] = [
  ["plain", PLAIN],
  ["thousands", PLAIN.replace("62021632", "62,021,632")],
  ["underscores", PLAIN.replace("62021632", "62_021_632")],
  ["points", PLAIN.replace("62021632", "62.021.632")],
  ["hard spaces", PLAIN.replace("62021632", "62\u00a0021\u00a0632")],
  ["exponent of the count", PLAIN.replace("62021632", "6.2021632e7")],
  ["suffix to the last unit", PLAIN.replace("62021632", "62.021632M")],
  ["bold", PLAIN.replace("val_loss", "\u001b[1mval_loss")],
  ["coloured", PLAIN.replace("val_loss:2.03588345", "\u001b[32mval_loss:2.03588345\u001b[0m")],
  ["progress drawn over", LOADER + "eval 99%|####\r" + FIGURES],
  ["rank", PLAIN.replaceAll(/^/gm, "[rank0]: ")],
  ["timestamps", PLAIN.replaceAll(/^/gm, "[2026-03-20 10:00:01] ")],
  ["UTF-16", Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(PLAIN, "utf16le")])],
  ["UTF-16, big endian, no mark", Buffer.from(PLAIN, "utf16le").swap16()],
  ["byte order mark", `\ufeff${PLAIN}`],
  ["CRLF", PLAIN.replaceAll("\n", "\r\n")],
  ["equals and commas", LOADER + "val_loss=2.03588345, val_bpb=1.20576485\n"],
  ["exponents", LOADER + "val_loss:2.03588345e+00 val_bpb:1.20576485e+00\n"],
  ["the other order", LOADER + "val_bpb:1.20576485 val_loss:2.03588345\n"],
  ["another figure between", LOADER + "val_loss:2.03588345 val_ppl:7.65 val_bpb:1.20576485\n"],
  ["JSON", '{"val_loss": 2.03588345, "val_bpb": 1.20576485, "tokens": 62021632}\n'],
  ["JSON, other order", '{"tokens":62021632,"val_bpb":1.20576485,"step":5,"val_loss":2.03588345}\n'],
  ["of more", LOADER.replace("62021632", "62021632 (of 62021846)") + FIGURES],
  ["tokens of training", "train_loader: tokens:1000\n" + PLAIN],
  ["two pairs in a line", LOADER + FIGURES.replace("train_time:1ms", "best val_loss:1.5 val_bpb:0.5")],
  ["a broken evaluation before", LOADER + "val_loss:nan val_bpb:nan\n" + FIGURES],
]

void test("one log in other spellings is one log", async (t) => {
  for (const [name, content] of SAME) {
    const { rows, exitCode } = await inferText(content)
    t.match(rows, [{ tokens: 62_021_632, verdict: { verdict: "agrees" } }], name)
    t.equal(rows.length, 1, name)
    t.equal(exitCode, 0, name)
    if (typeof content !== "string" || !content.includes(FIGURES)) continue
    const constant = await inferText(content.replace(FIGURES, CONSTANT))
    t.equal(constant.exitCode, 3, `${name}, a constant of 4.3`)
    t.match(constant.text, /differs.*the constant 4\.3/, name)
  }
})

void test("a count that is not whole is named and not used", async (t) => {
  for (const count of ["62M", "62.0M", "62k", "62 021 632", "~62021632", "-62021632", "62,02,1632"]) {
    const { rows, notes, verdicts } = await inferText(PLAIN.replace("62021632", count))
    t.equal(rows[0]?.tokens, null, count)
    t.match(notes?.join("\n"), /train\.log:1: the count "[^"]*" is not used: .*--tokens/, count)
    t.same(verdicts, ["agrees"], "by the ratio alone")
    t.equal((await inferText(LOADER.replace("62021632", count) + CONSTANT)).exitCode, 3, `${count}, constant`)
  }
  const given = await inferText(PLAIN.replace("62021632", "62M"), { tokens: 62_021_632 })
  t.equal(given.rows[0]?.tokens, 62_021_632)
})

void test("figures that are no positive numbers are refused with their place", async (t) => {
  for (const [figures, said] of [
    ["val_loss:nan val_bpb:nan", /train\.log:2: the figure "nan"/],
    ["val_loss:-2.03588345 val_bpb:1.20576485", /"-2\.03588345" is not used: it is not above 0/],
    ["val_loss:2,03588345 val_bpb:1,20576485", /"2,03588345" is not used/],
    ["val_loss:inf val_bpb:1.2", /the figure "inf"/],
  ] as const)
    await t.rejects(inferText(`${LOADER}${figures}\n`), { name: "UsageError", message: said }, figures)
  await t.rejects(inferText(Buffer.from([0x80, 2, 0, 0x7d, 0x71, 0, 0x58, 1])), {
    message: /no text in UTF-8/,
  })
})

void test("each evaluation has the count that stands before it; two counts in one breath are none", async (t) => {
  const two = await inferText(
    PLAIN + "val_loader: tokens:61997056\nstep:9 val_loss:2.48252747 val_bpb:1.47025754\n",
  )
  t.match(two.rows, [
    { tokens: 62_021_632, verdict: { verdict: "agrees" } },
    { tokens: 61_997_056, verdict: { verdict: "agrees", matches: [{ name: /32768/ }] } },
  ])
  const both = await inferText(LOADER + "val_loader: tokens:61997056\n" + FIGURES)
  t.match(both.rows, [{ tokens: null, severalCounts: [62_021_632, 61_997_056] }])
})

// Logs of parameter-golf: SP-8192 (2026-04-05 train_seed1.log) and SP-8192 CaseOps (2026-04-30, q-aware n-gram runs).
const SP8192 = "  vocab_size: 8192\nval_tokens: 40540160\nquantized val_loss:2.80405024 val_bpb:1.08553523\n"
const CASE_OPS =
  "caseops_enabled: True\nvocab_size: 8192\nval_tokens: 47851520\nx val_loss:2.32093140 val_bpb:1.06057508\n"

void test("a log's own vocabulary and tokens decide whose totals count", async (t) => {
  const plain = await inferText(SP8192)
  t.match(plain.rows, [{ tokens: 40_540_160, vocabulary: 8192, verdict: { verdict: "agrees" } }])
  t.match(plain.text, /151078222 .*totals of SP-8192/)
  const cased = await inferText(CASE_OPS)
  t.match(cased.rows, [{ verdict: { verdict: "agrees", heldAgainst: { tokenizer: "SP-8192 CaseOps" } } }])
  // The source of the script stands in the log as well; its defaults state nothing.
  const source = `vocab_size = int(os.environ.get("VOCAB_SIZE", 1024))
    data_path = os.environ.get("DATA_PATH", "./data/datasets/fineweb10B_sp1024")
    log0(f"val_loader:shards pattern={args.val_files} tokens:{val_tokens.numel() - 1}")
    log0(f"val_loss:{val_loss:.4f} val_bpb:{val_bpb:.4f}")\n`
  t.same((await inferText(source + SP8192)).notes, [])
  t.match((await inferText(source + SP8192)).rows, [{ vocabulary: 8192, verdict: { verdict: "agrees" } }])
  // Without its count the ratio is still held against SP-8192.
  t.match((await inferText(SP8192.replace("val_tokens: 40540160\n", ""))).rows, [
    { tokens: null, verdict: { verdict: "agrees", heldAgainst: { tokenizer: /SP-8192/ } } },
  ])
})

void test("a count of another tokenizer's total that the figures contradict differs", async (t) => {
  // The bytes of the case-transformed text, 164.6 million, over the tokens of CaseOps (parameter-golf PR #2071).
  const bpb = (2.3209314 / Math.LN2 / 164_600_000) * 47_851_520
  const { verdicts, exitCode, text } = await inferText(
    `vocab_size: 8192\nval_tokens: 47851520\nx val_loss:2.32093140 val_bpb:${bpb.toFixed(8)}\n`,
  )
  t.same(verdicts, ["differs"])
  t.equal(exitCode, 3)
  t.match(text, /135\d\d\d\d\d bytes more/)
})

void test("a vocabulary without known totals is not held against SP-1024", async (t) => {
  const gpt2 = "step:1 val_loss:3.28000000 val_bpb:1.05834120\n"
  for (const log of [
    `vocab_size: 50257\nval_loader:shards tokens:9000000\n${gpt2}`,
    `val_loader:shards tokens:10485760\n${gpt2}`,
  ]) {
    const { verdicts, exitCode, text } = await inferText(log)
    t.same(verdicts, ["unknown"])
    t.equal(exitCode, 0)
    t.match(text, /no tokenizer's totals/)
    t.notMatch(text, /SP-1024/)
  }
  // Nothing stated: SP-1024 cannot have the ratio, and another may.
  const silent = await inferText(`val_loader:shards tokens:9000000\n${gpt2}`)
  t.same(silent.verdicts, ["unknown"])
  t.match(silent.text, /no vocabulary is stated.*--vocab/)
  t.notMatch(silent.text, /SP-1024|2\.4359/, "no tokenizer is presumed")
  // By hand: 3.28 / (1.0586 ln 2) = 4.47009, 4.46981 to 4.47037: too wide to call 4.47 a constant.
  const chance = await infer({ loss: "3.2800", bpb: "1.0586" })
  t.match(chance, { exitCode: 0, text: /4\.470092 .*not known: no totals to hold it against; say whose/ })
  t.same((await inferText(`val_loader:shards tokens:9000000\n${gpt2}`, { vocab: 1024 })).verdicts, [
    "differs",
  ])
})

void test("what the printed factor hides is said in bytes", async (t) => {
  // Derived: 500 bytes more than the slice holds; the factor prints as 1.00000.
  const bpb = ((2.03588345 / Math.LN2) * 62_021_632) / (151_080_363 + 500)
  const { text, exitCode } = await inferText(`${LOADER}x val_loss:2.03588345 val_bpb:${bpb.toFixed(8)}\n`)
  t.equal(exitCode, 3)
  t.match(text, /differs: 1\.00000 times 2\.435930 \(.*\), 50[01] bytes more/)
})

void test("stated windows decide which tails are possible", async (t) => {
  // 2026-03-19_SlidingWindowEval/train.log: windows of 1024 every 64 tokens, the last 64 targets 16 times.
  const sliding = "final val_loss:2.01348383 val_bpb:1.19250007\n"
  t.match((await inferText(LOADER + sliding)).rows, [
    { verdict: { verdict: "agrees", matches: [{ name: /windows of 1024.*16 times/ }] } },
  ])
  t.same((await inferText(`${LOADER}tail: C\n${sliding}`)).verdicts, ["differs"])
})

test("figures are held against what a person gives, and it is named", async (t) => {
  // computed: 2.03588345 / (1.20576485 ln 2) = 2.43593, as parameter-golf's log prints both
  const figures = { loss: "2.03588345", bpb: "1.20576485" }
  const verdictOf = async (options: object) => {
    const { json, text, exitCode = 0 } = await infer({ ...figures, ...options })
    const { rows } = json as { rows: { verdict: { verdict: string; heldAgainst: { why: string } } }[] }
    return { text, exitCode, verdict: rows[0]!.verdict.verdict, why: rows[0]!.verdict.heldAgainst.why }
  }
  t.match(await verdictOf({ bytesPerToken: "2.4359" }), { verdict: "agrees", exitCode: 0, why: /2\.4359/ })
  t.match(await verdictOf({ bytesPerToken: "2.4358" }), { verdict: "differs", exitCode: 3 })
  t.match(await verdictOf({ bytesPerToken: "4.3" }), {
    verdict: "differs",
    text: /0\.56650 times 4\.300000 \(4\.3 bytes per token, as given\)/,
  })
  const tokens = 62_021_632
  // the bytes of that split, as the known totals have them
  t.match(await verdictOf({ total: 151_080_363, tokens }), { verdict: "agrees", exitCode: 0 })
  t.match(await verdictOf({ total: 151_080_891, tokens }), { verdict: "differs", exitCode: 3 })
  await t.rejects(infer({ ...figures, total: 151_080_363 }), { exitCode: 2, message: /--tokens/ })
  const tokenizer = fileURLToPath(new URL("../../assets/sp1024.model", import.meta.url))
  t.match(await verdictOf({ tokenizer }), { why: /sp1024\.model has 1024 pieces, of at most \d+ bytes/ })
  t.match(await infer({ loss: "90.0", bpb: "1.00", tokenizer }), {
    exitCode: 3,
    text: /no text has so many bytes a token under this tokenizer/,
  })
  for (const wrong of [{ bytesPerToken: "0" }, { bytesPerToken: "x" }, { total: 0 }, { total: 5, tokenizer }])
    await t.rejects(infer({ ...figures, ...wrong }), { exitCode: 2, message: /./ }, JSON.stringify(wrong))
})

test("a log of 150 000 lines, each with its count, is read in time with its length", async (t) => {
  // By looking at every statement for every line, this took a quarter of an hour; as one call, it broke the stack.
  const lines = Array.from(
    { length: 150_000 },
    (_, i) =>
      `step:${i} val_tokens:${1000 + i} val_loss:2.${String(i % 90_000).padStart(5, "0")} val_bpb:1.20576485`,
  )
  const { rows } = await inferText(`${lines.join("\n")}\n`, { all: true })
  t.equal(rows.length, 150_000)
  for (const i of [0, 1, 77_777, 149_999]) t.equal(rows[i]!.tokens, 1000 + i)
})
