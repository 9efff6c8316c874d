import { test } from "tap"
import { chain } from "../../../src/diffusion/reveal.js"
import {
  bytesPerToken,
  constantFactor,
  discretisationGap,
  predictedDiscrete,
  replaceConstant,
  sampledRatio,
} from "../../../src/metric/contract/rescore.js"
import { close, total } from "../toy.js"

/** FineWeb SP-1024 validation: published manifest and the byte table's total. */
const RATIO = bytesPerToken(151_080_891, 62_021_846)

void test("the ratio behind the constant", (t) => {
  // Division of the published totals: whole file; scored windows of 1024; without the 50 000 boundary tokens.
  t.ok(close(RATIO, 2.435930252704829, 1e-15))
  t.ok(close(bytesPerToken(151_080_363, 62_021_632), 2.435930144501841, 1e-15))
  t.ok(close(bytesPerToken(151_080_891, 62_021_846 - 50_000), 2.4378956050462013, 1e-15))
  t.ok(close(constantFactor(4.3, RATIO), 1.7652393763020633, 1e-14))
  t.end()
})

void test("published figures under the exact ratio, to the printed digits", (t) => {
  // derived: bits/token = published * 4.3; nats = bits * ln 2; canonical = bits / 2.435930252704829, in float64.
  for (const [name, published, bits, nats, canonical, digits] of [
    [
      "PR #1241, T = 128",
      0.990101083045782,
      4.257434657096862,
      2.9510288289848874,
      1.7477654183117335,
      "1.7478",
    ],
    [
      "PR #1241, one shard",
      1.222093209333198,
      5.255000800132751,
      3.642488988452273,
      2.1572870546263214,
      "2.1573",
    ],
    ["PR #1241, first commit", 1.2129, 5.21547, 3.6150883257949777, 2.1410588395167727, "2.1411"],
    ["PR #1106, T = 64", 1.1571, 4.97553, 3.4487745912914245, 2.0425584823191176, "2.0426"],
    ["PR #1106, T = 128", 1.1508, 4.94844, 3.4299972341700555, 2.0314374742484143, "2.0314"],
    ["PR #1106, T = 256", 1.1482, 4.93726, 3.4222478486913954, 2.0268478518700292, "2.0268"],
    ["PR #1106, T = 512", 1.1465, 4.92995, 3.4171809428015023, 2.0238469449303156, "2.0238"],
    ["2 heads", 2.212478, 9.5136554, 6.594363417328898, 3.9055532848020365, "3.9056"],
    ["4 heads", 2.211527, 9.5095661, 6.591528930563434, 3.903874542155173, "3.9039"],
    ["8 heads", 2.212416, 9.5133888, 6.594178624290561, 3.905443839960706, "3.9054"],
    ["16 heads", 2.212752, 9.5148336, 6.595180083337034, 3.906036960391143, "3.9060"],
    ["32 heads", 2.21217, 9.512331, 6.593445413202964, 3.9050095910741356, "3.9050"],
    ["learning-rate sweep", 1.9787, 8.50841, 5.897580402548043, 3.4928791538888926, "3.4929"],
  ] as const) {
    const result = replaceConstant(published, 4.3, RATIO)
    t.ok(close(result.bitsPerToken, bits, 1e-12), `${name}: bits/token`)
    t.ok(close(result.natsPerToken, nats, 1e-12), `${name}: nats/token`)
    t.ok(close(result.bitsPerByte, canonical, 1e-12), `${name}: bits/byte`)
    t.equal(result.bitsPerByte.toFixed(4), digits, name)
    t.strictSame(result.interval, { lo: result.bitsPerByte, hi: result.bitsPerByte })
  }
  // The baseline's own figures are consistent: 1.22436570 bits/byte at the older export's ratio.
  const baseline = replaceConstant(1.2243657, 155_769_746 / 63_779_840, 155_769_746 / 63_779_840)
  t.equal(baseline.bitsPerToken.toFixed(5), "2.99027")
  t.equal(baseline.natsPerToken.toFixed(5), "2.07270")
  t.equal(baseline.bitsPerByte.toFixed(4), "1.2244")
  t.end()
})

void test("500 windows of standard deviation 0.182: 1.748 (1.736 to 1.759)", (t) => {
  // PR author's 30 stored windows: standard deviation of bytes per token 0.182. 1.96 * 0.182 / sqrt(500) = 0.016.
  const ratio = sampledRatio(RATIO, 0.182, 500)
  t.equal((ratio.hi - RATIO).toFixed(3), "0.016")
  const { bitsPerByte, interval } = replaceConstant(0.990101083045782, 4.3, ratio, RATIO)
  t.equal(bitsPerByte.toFixed(3), "1.748")
  t.equal(interval.lo.toFixed(3), "1.736")
  t.equal(interval.hi.toFixed(3), "1.759")
  t.throws(() => replaceConstant(1, 4.3, { lo: 0, hi: 1 }), /bytesPerToken must be positive/)
  t.end()
})

void test("what T steps add", (t) => {
  // derived: (8.65 - 1.2) / (2T) bits per token.
  for (const [steps, bits, bpb] of [
    [32, 0.11640625, 0.04778718515061909],
    [64, 0.058203125, 0.023893592575309545],
    [128, 0.0291015625, 0.011946796287654772],
    [256, 0.01455078125, 0.005973398143827386],
    [512, 0.007275390625, 0.002986699071913693],
  ] as const) {
    t.ok(close(discretisationGap(steps, 8.65, 1.2), bits, 1e-14))
    t.ok(close(discretisationGap(steps, 8.65, 1.2) / RATIO, bpb, 1e-14))
  }
  // Exact where c is linear: the T-step sum minus the integral.
  const [eps, steps] = [1e-3, 16]
  const c = (alpha: number): number => 8.65 + ((1.2 - 8.65) * (alpha - eps)) / (1 - eps)
  const alphas = [1, ...chain({ kind: "log-linear", eps }, steps).map((s) => s.alpha)]
  const sum = total(alphas.slice(1).map((alpha, i) => (alphas[i]! - alpha) * c(alpha)))
  const integral = ((8.65 + 1.2) / 2) * (1 - eps)
  t.ok(close(sum - integral, discretisationGap(steps, 8.65, 1.2, eps), 1e-10))
  t.end()
})

void test("PR #820's own figures agree with each other at the exact ratio", (t) => {
  // Published: continuous NELBO 2.65530960 nats/token, 1.6252 bits/byte at T = 32 and 1.59 at T = 128. Assumed:
  // 8.65 bits with nothing visible (the unigram entropy) and 1.2 with all else visible.
  const continuous = 2.6553096 / Math.LN2
  // Over the 62 021 632 scored tokens, in float64.
  t.ok(close(continuous / bytesPerToken(151_080_363, 62_021_632), 1.5726239114825986, 1e-12))
  const at = (steps: number): number =>
    predictedDiscrete(continuous, steps, 8.65, 1.2, { eps: 1e-3, vocabSize: 1024 }) / RATIO
  t.equal(at(32).toFixed(4), "1.6245")
  t.equal(at(128).toFixed(2), "1.59")
  t.ok(Math.abs(at(32) - 1.6252) < 1e-3)
  t.ok(Math.abs(at(32) * (RATIO / 4.3) - 1.6252) > 0.5, "at 4.3 bytes per token they would not")
  t.end()
})
