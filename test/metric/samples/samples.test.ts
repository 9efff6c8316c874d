/** What samples say. Expected values are worked out by hand beside each case. */
import t from "tap"
import {
  chunksOf,
  generativePerplexity,
  type Judged,
} from "../../../src/metric/samples/generative-perplexity.js"
import { kolmogorovSmirnov, lengthCurve, wasserstein } from "../../../src/metric/samples/lengths.js"
import { exactMatch, rowShares, validShare } from "../../../src/metric/samples/rows.js"
import { isBalanced } from "../../../src/tasks/brackets/words.js"

const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-12

t.test("distances of lengths", (t) => {
  t.equal(kolmogorovSmirnov([3, 1, 2], [2, 3, 1]), 0)
  t.equal(wasserstein([3, 1, 2], [2, 3, 1]), 0)
  t.equal(kolmogorovSmirnov([1, 2], [5, 6]), 1, "apart")
  t.equal(wasserstein([1, 2], [5, 6]), 4, "a shift of 4")
  // F jumps to 1/2 at 0 and to 1 at 4; G to 1 at 1: |F - G| is 1/2 on [0, 1) and 1/2 on [1, 4).
  t.ok(near(wasserstein([0, 4], [1]), 2))
  t.ok(near(kolmogorovSmirnov([0, 4], [1]), 0.5))
  // Sets of unlike sizes: W1 of {0, 0, 3} and {0, 3} is |2/3 - 1/2| * 3.
  t.ok(near(wasserstein([0, 0, 3], [0, 3]), 0.5))
  t.throws(() => wasserstein([], [1]), /both sets/)
  t.same(lengthCurve([2, 1, 2, 5]), [
    { length: 1, share: 0.25 },
    { length: 2, share: 0.75 },
    { length: 5, share: 1 },
  ])
  t.end()
})

t.test("rows", (t) => {
  const [padId, maskId] = [0, 9]
  const rows = [
    { row: [1, 2, 3, 4], given: 1 },
    { row: [1, 0, 0, 0], given: 1 },
    { row: [1, 0, 2, 0], given: 1 },
    { row: [1, 9, 2, 0], given: 1 },
  ]
  t.same(rowShares(rows, { padId, maskId }), {
    texts: 4,
    empty: 0.25,
    capped: 0.25,
    broken: 0.25,
    masked: 0.25,
  })
  t.equal(exactMatch([[1, 2], [3], [4]], [[1, 2], [3, 3], [5]]), 1 / 3)
  t.throws(() => exactMatch([[1]], []), /one for each/)
  t.equal(validShare([[0, 1], [0, 0], [], [0, 1, 0, 1]], isBalanced), 0.75)
  t.end()
})

t.test("generative perplexity", (t) => {
  const ln = Math.log
  const judged: Judged = {
    judgeDigest: "a".repeat(64),
    unit: "text",
    nats: [[ln(2), ln(8)], [ln(16)], []],
  }
  // Per text exp of the mean: 4 and 16.
  const mean = generativePerplexity(judged, "mean-of-perplexities")
  t.ok(near(mean.perplexity, 10))
  t.same([mean.scored, mean.left, mean.tokens], [2, 1, 3])
  // ln 256 / 3 over all tokens.
  t.ok(near(generativePerplexity(judged, "corpus").perplexity, 256 ** (1 / 3)))
  t.ok(near(generativePerplexity({ ...judged, unit: "chunk" }, "chunks").perplexity, 10))
  t.throws(() => generativePerplexity(judged, "chunks"), /over chunks/)
  t.throws(() => generativePerplexity({ ...judged, judgeDigest: "" }, "corpus"), /SHA-256 of the judge/)
  t.throws(() => generativePerplexity({ ...judged, nats: [[]] }, "corpus"), /no token was scored/)
  t.same(
    chunksOf([[1, 2], [3]], 0, 2).map((chunk) => [...chunk]),
    [[1, 2], [0, 3], [0]],
  )
  t.end()
})
