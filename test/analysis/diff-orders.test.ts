import { test } from "tap"
import type { StoredTensor } from "../../src/files/safetensors.js"
import { diffChosenOrders } from "../../src/analysis/diff-orders.js"

const F64 = (data: number[]): StoredTensor => ({ dtype: "F64", shape: [2, 3], data: Float64Array.from(data) })
const side = (rank: number[], nats: number[], margin: number[]): ReadonlyMap<string, StoredTensor> =>
  new Map([
    ["rank", { dtype: "I32", shape: [2, 3], data: Int32Array.from(rank) }],
    ["nats", F64(nats)],
    ["margin", F64(margin)],
  ])

// Window 0 reveals 2, 0, 1; window 1 reveals 0 and 1 and never 2.
const rank = [1, 2, 0, 0, 1, -1]
const nats = [1, 2, 3, 4, 5, 0]
const margin = [0.5, Infinity, 0.2, 1e-5, Infinity, 0]
const a = side(rank, nats, margin)

void test("the same order: rounding of the nats, and nothing else", (t) => {
  t.same(
    [...diffChosenOrders(a, a, 1e-4)!.values()].map(({ agreement }) => agreement),
    ["identical", "identical", "identical"],
  )
  const near = diffChosenOrders(a, side(rank, [1, 2, 3.00015, 4, 5, 0], margin), 1e-4)!
  t.match(near.get("rank"), { agreement: "identical" })
  // 0.00015 of the 15.00015 nats in all
  t.equal(near.get("nats")?.agreement, "within-rounding")
  t.ok(Math.abs(near.get("nats")!.relative! - 0.00015 / 15.00015) < 1e-12)
  const far = diffChosenOrders(a, side(rank, [1, 2, 3.003, 4, 5, 0], margin), 1e-4)!
  t.match(far.get("nats"), { agreement: "differs" })
  t.end()
})

void test("orders may part at a tie; what follows is not compared", (t) => {
  const found = diffChosenOrders(
    a,
    side([1, 2, 0, 1, 0, -1], [1, 2, 3, 9, 8, 0], [0.5, Infinity, 0.2, Infinity, 2e-5, 0]),
    1e-4,
  )!
  t.match(found.get("rank"), { agreement: "within-rounding", note: /1 of 2 windows .* 2\.0e-5 nats/ })
  t.match(found.get("nats"), { agreement: "within-rounding", relative: 0 })
  t.match(found.get("margin"), { agreement: "within-rounding" })
  t.end()
})

void test("orders that part at a clear lead are no rounding", (t) => {
  // Window 0 now begins with position 0, though position 2 led by 0.2 nats.
  const found = diffChosenOrders(
    a,
    side([0, 2, 1, 0, 1, -1], nats, [1e-5, Infinity, 0.5, 1e-5, Infinity, 0]),
    1e-4,
  )!
  for (const name of ["rank", "nats", "margin"]) t.match(found.get(name), { agreement: "differs" }, name)
  t.end()
})

void test("without leads, or with other positions, it does not speak", (t) => {
  t.equal(diffChosenOrders(new Map([...a].filter(([name]) => name !== "margin")), a, 1e-4), undefined)
  t.equal(diffChosenOrders(a, side([1, 2, 0, 0, 1, 2], nats, margin), 1e-4), undefined)
  t.end()
})
