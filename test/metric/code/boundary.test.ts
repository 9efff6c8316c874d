import { test } from "tap"
import {
  boundaryEntropyBits,
  documentLengthBits,
  enumerativeSplitBits,
  enumerativeWindowBits,
  log2Binomial,
  logGamma,
} from "../../../src/metric/code/boundary.js"

const close = (a: number, b: number, relative: number): boolean =>
  Math.abs(a - b) <= relative * Math.max(1, Math.abs(b))
const [TOKENS, DOCUMENTS, BYTES] = [62_021_846, 50_000, 151_080_891]

void test("boundaries of the FineWeb validation split", (t) => {
  // Computed independently in float64 from 50 000 boundaries in 62 021 846 tokens (published manifest).
  const entropy = boundaryEntropyBits(DOCUMENTS / TOKENS)
  t.ok(close(entropy, 0.009447272831821818, 1e-12))
  t.ok(close((entropy * TOKENS) / BYTES, 0.0038783018607908308, 1e-9), "0.0039 BPB")
  const bits = enumerativeSplitBits(TOKENS, DOCUMENTS)
  t.ok(Math.abs(bits / 585928.1707064717 - 1) < 1e-9)
  t.ok(close(bits / BYTES, 0.0038782414296621515, 1e-9))
  t.end()
})

void test("an enumerative code of one window", (t) => {
  // Computed independently in float64: log2 C(2048, e) + log2 2049.
  const expected = {
    0: 11.000704269011246,
    1: 22.000704269011358,
    2: 31.999999656032905,
    3: 41.413627585056894,
    5: 59.08676409893699,
  }
  for (const [count, bits] of Object.entries(expected))
    t.ok(close(enumerativeWindowBits(2048, Number(count)), bits, 1e-10), `e = ${count}`)
  let kraft = 0
  for (let e = 0; e <= 12; e++) kraft += 2 ** (log2Binomial(12, e) - enumerativeWindowBits(12, e))
  t.ok(close(kraft, 1, 1e-12), "the code of a window of 12 is complete: the sum over all sets is 1")
  t.end()
})

void test("log-binomials: the direct sum and the gamma function agree", (t) => {
  t.ok(close(log2Binomial(5, 2), Math.log2(10), 1e-14))
  t.equal(log2Binomial(3, 4), Number.NEGATIVE_INFINITY)
  t.ok(close(logGamma(171), 706.5730622457874, 1e-12), "ln 170! by Stirling's series to 14 digits")
  const n = 1_000_000
  const gamma = (logGamma(n + 1) - 2 * logGamma(n / 2 + 1)) / Math.LN2
  // Central binomial: n - log2(pi n / 2) / 2 up to 1/n (Stirling).
  t.ok(Math.abs(log2Binomial(n, n / 2) - (n - Math.log2((Math.PI * n) / 2) / 2)) < 1e-5)
  t.ok(Math.abs(log2Binomial(n, n / 2) - gamma) < 1e-6)
  t.same([...documentLengthBits([5, 5, 7, 9])], [1, 1, 2, 2], "lengths with shares 1/2, 1/4, 1/4")
  t.end()
})
