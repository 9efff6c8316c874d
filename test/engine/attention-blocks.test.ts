import { test } from "tap"
import { blocksOf, sizesOf } from "../../src/engine/attention-blocks.js"

void test("blocks cover every head and query once, and none is larger than asked", (t) => {
  // 2 * 6 heads of 8 queries over 5 keys: one query's scores take 20 bytes, one head's 160.
  for (const [bytes, blockHeads, blockQueries] of [
    [12 * 160, 12, 8],
    [1000, 6, 8],
    [160, 1, 8],
    [159, 1, 4],
    [20, 1, 1],
    [1, 1, 1],
  ] as const) {
    const sizes = sizesOf([2, 8, 6, 3], [2, 5, 6, 3], bytes)
    t.match(sizes, { heads: 12, queries: 8, keys: 5, width: 3, blockHeads, blockQueries }, `${bytes} bytes`)
    const seen = blocksOf(sizes).flatMap(({ group, part, first }) => {
      t.equal(first, part * blockQueries)
      return Array.from(
        { length: blockHeads * blockQueries },
        (_, i) => (group * blockHeads + Math.floor(i / blockQueries)) * 8 + first + (i % blockQueries),
      )
    })
    t.same(
      seen.sort((a, b) => a - b),
      Array.from({ length: 96 }, (_, i) => i),
    )
  }
  t.end()
})
