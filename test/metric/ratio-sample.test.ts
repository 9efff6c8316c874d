import t from "tap"
import { canonicalContract } from "../../src/metric/contract/builders.js"
import { rescoreClaim } from "../../src/audit/rescore-claim.js"

/** The re-scored interval of one bit per byte over a constant 4.3, for 1 024 000 tokens in windows of this length. */
const intervalOf = (length: number) => {
  const canonical = canonicalContract()
  const claim = {
    id: "x",
    printed: "1.000000",
    value: 1,
    contract: {
      ...canonical,
      denominator: { kind: "constant", bytesPerToken: 4.3, tokens: 1_024_000, source: "test" },
      window: { length, stride: length, alignment: "raw-stream", tail: "dropped" },
    } as const,
  }
  return rescoreClaim(claim, { windowTokens: 2048, standardDeviation: 0.182 })!.number!.interval
}

t.test("a sample of windows speaks of windows of its own length", (test) => {
  // 1 024 000 tokens in windows of 512 are 2000 windows, but the standard deviation is of windows of 2048.
  test.same(intervalOf(512), intervalOf(2048))
  // derived: 4.3 / (2.43593 +- 1.96 * 0.182 / sqrt(500))
  test.ok(Math.abs(intervalOf(512).lo - 4.3 / (2.43593 + 0.015953)) < 1e-4, String(intervalOf(512).lo))
  test.end()
})
