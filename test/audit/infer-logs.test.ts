import { test } from "tap"
import { customPreset, inferLog, LOG_PRESETS, readLog } from "../../src/audit/infer-logs.js"

const PRESET = LOG_PRESETS["parameter-golf"]

/** The shape of a parameter-golf log; figures of records/track_10min_16mb/2026-03-18_LowerLR/train.log. */
const LOG = `val_bpb:enabled tokenizer_kind=sentencepiece tokenizer_path=./data/tokenizers/fineweb_1024_bpe.model
val_loader:shards pattern=./data/datasets/fineweb10B_sp1024/fineweb_val_*.bin tokens:62021632
step:0/20000 val_loss:6.9357 val_bpb:4.1077 train_time:0ms step_avg:0.01ms
step:1/20000 train_loss:6.9370 train_time:33ms step_avg:33.21ms
final_int8_zlib_roundtrip val_loss:2.0649 val_bpb:1.2230 eval_time:1470ms
final_int8_zlib_roundtrip_exact val_loss:2.06492760 val_bpb:1.22296644
`

void test("a log: tokens, pairs, the most precise row", (t) => {
  const reading = readLog(LOG, PRESET)
  t.equal(reading.tokens, 62_021_632)
  t.strictSame(
    reading.pairs.map(({ line, label, loss, bpb }) => [line, label, loss, bpb]),
    [
      [3, "step:0/20000", "6.9357", "4.1077"],
      [5, "final_int8_zlib_roundtrip", "2.0649", "1.2230"],
      [6, "final_int8_zlib_roundtrip_exact", "2.06492760", "1.22296644"],
    ],
  )
  const rows = inferLog("LowerLR/train.log", LOG, PRESET)
  t.equal(rows.length, 1)
  t.match(rows[0], { file: "LowerLR/train.log", line: 6, judged: { verdict: "agrees" } })
  t.equal(Math.round(rows[0]!.inferred.bytes!.value), 151_080_363)
  t.equal(inferLog("a", LOG, PRESET, { all: true }).length, 3)
  t.equal(inferLog("a", LOG + LOG, PRESET).length, 1, "a figure printed twice is one row")
  t.end()
})

void test("other spellings, and lines that are no pair", (t) => {
  const pairs = (text: string) => readLog(text, PRESET).pairs.map(({ loss, bpb }) => `${loss} ${bpb}`)
  t.strictSame(pairs("legal_ttt_exact val_loss:2.79177797 val_bpb:1.08078425 eval_time:324216ms"), [
    "2.79177797 1.08078425",
  ])
  t.strictSame(pairs("ttt_sliding:done val_loss=2.791778 val_bpb=1.080784 elapsed=324.0s\r\n"), [
    "2.791778 1.080784",
  ])
  t.strictSame(pairs("quantized val_loss:2.84108                  val_bpb:1.09987"), ["2.84108 1.09987"])
  t.strictSame(pairs('log0(f"x val_loss:{v:.4f} val_bpb:{b:.4f}")'), [])
  t.strictSame(pairs("val_loss:nan val_bpb:nan\nval_loss:0.0 val_bpb:0.0\nval_loss:2.1"), [])
  t.strictSame(
    pairs(`${"x".repeat(3000)} val_loss:2.1 val_bpb:1.2`),
    [],
    "a line of source code, not of a log",
  )
  t.equal(readLog(`${LOG}val_loader:shards tokens:5\n`, PRESET).tokens, undefined, "two totals are none")
  t.strictSame(readLog("", PRESET), { preset: "parameter-golf", tokens: undefined, pairs: [] })
  t.end()
})

void test("figures of two events are shown, not judged", (t) => {
  const [row] = inferLog("a", "step:10 val_loss:2.6553 val_var_bpb:1.6252", LOG_PRESETS["mdlm-variational"])
  t.match(row, { unlike: /not the same event/, judged: undefined })
  t.end()
})

void test("a pattern of one's own", (t) => {
  const preset = customPreset(String.raw`NLL (?<loss>[\d.]+) / BPB (?<bpb>[\d.]+)`)
  // 2.95102883 nats beside 0.99010108: the constant 4.3.
  const [row] = inferLog("a", "NLL 2.95102883 / BPB 0.99010108", preset)
  t.match(row, { tokens: undefined, judged: { verdict: "constant", constant: 4.3 } })
  t.throws(() => customPreset("val (.*)"), /needs the named groups/)
  t.throws(() => customPreset("(?<loss>x)(?<bpb>["), /is no regular expression/)
  t.throws(() => inferLog("a", "NLL ... / BPB 1", preset), /loss must be a positive number, found "..."/)
  t.end()
})
