import { test } from "tap"
import type { Batching } from "../../../src/spec/data.js"
import { openRowSource } from "../../../src/data/rows/row-source.js"

const BOUNDARY = 126_081
/** Two documents of ids that two bytes cannot hold, between boundaries. */
const tokens = Uint32Array.of(BOUNDARY, 70_000, 70_001, 70_002, BOUNDARY, 100_000, 100_001, BOUNDARY, 65_536)

const rowsOf = async (kind: Batching["kind"], count: number) => {
  const source = openRowSource(
    { group: (index) => Promise.resolve({ tokens, index, shards: ["shard"] }) },
    {
      batching: { kind, length: 4, shardsInMemory: 1, rotation: false },
      tokenizer: {
        id: "wide",
        model: "embedded",
        vocabSize: 126_349,
        boundaryId: BOUNDARY,
        maskId: 126_349,
        padId: 126_350,
      },
      seed: 1,
      stepsPerGroup: 10,
    },
  )
  return source.rows(0, count)
}

test("rows hold token ids above 65535 as they are", async (t) => {
  const sequential = await rowsOf("sequential-windows", 2)
  t.same([...sequential.tokens], [...tokens.subarray(0, 8)])
  t.equal(sequential.length, 4)
  const chunks = await rowsOf("document-chunks", 16)
  const rows = Array.from({ length: 16 }, (_, i) => chunks.tokens.subarray(4 * i, 4 * i + 4).join(" "))
  t.same(
    [...new Set(rows)].sort(),
    [`100000 100001 ${BOUNDARY} 126350`, `70000 70001 70002 ${BOUNDARY}`],
    "both documents are drawn, the shorter filled with PAD",
  )
})
