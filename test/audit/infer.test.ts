import { test } from "tap"
import { inferRatio, judgeRatio } from "../../src/audit/infer.js"

const SCORED = 62_021_632

void test("bytes per token and byte totals behind public logs", (t) => {
  // parameter-golf records: val_loss, val_bpb, tokens as printed in the logs; bytes = loss / (ln 2 * bpb) * tokens.
  for (const [name, loss, bpb, tokens, ratio, bytes] of [
    ["2026-03-18_LongContextSeq2048", "2.03588345", "1.20576485", SCORED, "2.435930", 151_080_364],
    ["2026-03-18_Quasi10Bfrom50B_SP1024", "2.03860961", "1.20737944", SCORED, "2.435930", 151_080_363],
    ["2026-03-29_HNet_ByteVsSubword_Study", "2.31900849", "1.37344745", SCORED, "2.435930", 151_080_363],
    ["2026-04-30_Random_Linear_Adapter", "2.05718253", "1.21837937", SCORED, "2.435930", 151_080_363],
    ["2026-03-18_LowerLR", "2.06492760", "1.22296644", SCORED, "2.435930", 151_080_363],
    ["2026-04-04_GDN_Hybrid_LongContext", "2.48252747", "1.47025754", 61_997_056, "2.435988", 151_024_099],
    ["2026-03-17_NaiveBaseline", "2.07269931", "1.22436570", 63_779_840, "2.442304", 155_769_746],
  ] as const) {
    const inferred = inferRatio({ loss, bpb, tokens })
    t.equal(inferred.bytesPerToken.toFixed(6), ratio, name)
    t.equal(Math.round(inferred.bytes!.value), bytes, `${name}: bytes`)
    t.ok(inferred.bytes!.interval.hi - inferred.bytes!.interval.lo < 4, "known to about one byte either way")
    t.equal(judgeRatio(inferred, tokens).verdict, "agrees", name)
  }
  t.end()
})

void test("the same text under other tokenizers", (t) => {
  // parameter-golf records, as above; the text is the same, so the bytes are, up to what the last window drops.
  for (const [name, loss, bpb, tokens, bytes] of [
    ["bytes and boundary tokens", "0.94198807", "1.35945128", 151_130_112, 151_080_112],
    ["bytes", "0.93547291", "1.34960213", 151_076_864, 151_076_864],
    ["SP-4096", "2.52641240", "1.09794973", 45_508_608, 151_074_052],
    ["SP-8192", "2.80405024", "1.08553523", 40_540_160, 151_078_222],
  ] as const) {
    const { bytes: inferred } = inferRatio({ loss, bpb, tokens })
    t.ok(Math.abs(inferred!.value - bytes) < 2, `${name}: ${inferred!.value}`)
    t.ok(inferred!.interval.lo - 1 <= bytes && bytes <= inferred!.interval.hi + 1, name)
  }
  t.match(judgeRatio(inferRatio({ loss: "2.80405024", bpb: "1.08553523" }), 40_540_160), {
    verdict: "agrees",
    matches: [{ name: /another tokenizer/ }],
  })
  // By hand: 40 540 160 tokens at 4.3 bytes are 174.3 million bytes, not the text's 151.1.
  t.equal(judgeRatio(inferRatio({ loss: "3.23549", bpb: "1.08553523" }), 40_540_160).verdict, "differs")
  t.end()
})

void test("repeated tails are told apart from a clean count", (t) => {
  // Logs of 2026-03-19_SlidingWindowEval (windows of 1024) and two of windows of 2048; they print the split's tokens.
  for (const [loss, bpb, ratio, name] of [
    ["2.01348383", "1.19250007", "2.435927", /windows of 1024.*16 times/],
    ["1.92987577", "1.14298416", "2.435924", /windows of 2048.*32 times/],
    ["1.88156874", "1.11437394", "2.435924", /windows of 2048.*32 times/],
  ] as const) {
    const inferred = inferRatio({ loss, bpb, tokens: SCORED })
    t.equal(inferred.bytesPerToken.toFixed(6), ratio)
    const judged = judgeRatio(inferred, SCORED)
    t.equal(judged.verdict, "agrees")
    t.equal(judged.matches.length, 1)
    t.match(judged.matches[0]?.name, name)
  }
  t.end()
})

void test("a constant denominator is flagged", (t) => {
  // 4.25743466 bits/token (2.95102883 nats) beside 0.99010108 bits/byte: the published constant 4.3.
  const inferred = inferRatio({ loss: "2.95102883", bpb: "0.99010108" })
  t.equal(inferred.bytesPerToken.toFixed(6), "4.300000")
  const judged = judgeRatio(inferred, SCORED)
  t.match(judged, { verdict: "differs", constant: 4.3, matches: [] })
  t.equal(judged.factor!.toFixed(5), "1.76524")
  t.match(judgeRatio(inferRatio({ loss: "4.25743466", lossUnit: "bits/token", bpb: "0.99010108" }), SCORED), {
    constant: 4.3,
  })
  // Coarse figures leave 4.3 possible, but not remarkable.
  t.equal(judgeRatio(inferRatio({ loss: "2.95", bpb: "0.99" })).constant, undefined)
  t.end()
})

void test("the interval is what rounding hid", (t) => {
  // By hand: 2.07 in 2.065..2.075, 1.22 in 1.215..1.225.
  const { interval } = inferRatio({ loss: "2.07", bpb: "1.22" })
  t.ok(Math.abs(interval.lo - 2.065 / Math.LN2 / 1.225) < 1e-14)
  t.ok(Math.abs(interval.hi - 2.075 / Math.LN2 / 1.215) < 1e-14)
  // Trailing zeros are digits: 2.0700 is known better than 2.07.
  const fine = inferRatio({ loss: "2.0700", bpb: "1.2200" }).interval
  t.ok(fine.lo > interval.lo && fine.hi < interval.hi)
  t.equal(
    judgeRatio(inferRatio({ loss: "2.07", bpb: "1.22" })).verdict,
    "agrees",
    "coarse figures exclude little",
  )
  t.throws(() => inferRatio({ loss: "abc", bpb: "1" }), /loss must be a positive number, found "abc"/)
  t.throws(() => inferRatio({ loss: "1", bpb: "-1" }), /bits per byte must be a positive number/)
  t.throws(
    () => inferRatio({ loss: "1", bpb: "0.0" }),
    /bits per byte must be a positive number, found "0.0"/,
  )
  t.end()
})

void test("held against the present split, not against whichever export lies nearest", (t) => {
  // parameter-golf PR #1241: 4.3 bytes per token over the first 500 windows of 2048 tokens; derived: 4.3 / 2.4359302.
  const inferred = inferRatio({ loss: "2.95102883", bpb: "0.990101" })
  for (const tokens of [undefined, 1_024_000]) {
    const judged = judgeRatio(inferred, tokens, { vocabulary: 1024 })
    t.match(judged, { verdict: "differs", constant: 4.3, reference: { tokens: 62_021_846 } }, String(tokens))
    t.equal(judged.factor!.toFixed(5), "1.76524")
    t.equal(judged.reference!.bytesPerToken.toFixed(6), "2.435930")
    // Nothing says whose the ratio is: what it is can be said, and no tokenizer is presumed.
    const alone = judgeRatio(inferred, tokens)
    t.match(alone, { verdict: "constant", constant: 4.3 })
    t.same(
      [alone.heldAgainst.tokenizer, alone.reference, alone.factor, alone.plausible],
      [undefined, undefined, undefined, undefined],
    )
  }
  // By hand: 7 * 0.182 / sqrt(500) = 0.05697 on either side.
  const { plausible } = judgeRatio(inferred, 1_024_000, { vocabulary: 1024 })
  t.ok(Math.abs(plausible!.hi - 2.4359302 - 0.05697) < 1e-4, String(plausible!.hi))
  const near = inferRatio({ loss: "1.6900000", bpb: "1.00000000" })
  // 1.69 / ln 2 = 2.43815: an unlisted slice may have it at 500 windows, the scored split cannot.
  t.equal(judgeRatio(near, 1_024_000).verdict, "unknown")
  t.equal(judgeRatio(near, SCORED).verdict, "differs")
  t.end()
})

void test("figures too coarse to tell, and counts that are none", (t) => {
  // By hand: 2 +- 0.5 nats over 1 +- 0.5 bits per byte leave 1.44 to 7.21 bytes per token.
  const inferred = inferRatio({ loss: "2", bpb: "1" })
  t.ok(Math.abs(inferred.interval.lo - 1.4427) < 1e-4 && Math.abs(inferred.interval.hi - 7.2135) < 1e-4)
  for (const tokens of [undefined, 1_024_000, SCORED])
    t.match(judgeRatio(inferred, tokens), { verdict: "coarse", matches: [] })
  for (const tokens of [-5, 0, 1.5, Number.NaN])
    t.throws(() => inferRatio({ loss: "2.1", bpb: "1.2", tokens }), /tokens must be a whole number above 0/)
  t.end()
})
