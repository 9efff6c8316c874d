import { test } from "tap"
import { chainRule } from "../../../src/metric/code/chain-rule.js"
import { alongOrder, CAUSAL_TOY, close, permutations, strings, total, TOY, X } from "../toy.js"

const along = (order: readonly number[], x: readonly number[] = X, toy = TOY): number =>
  chainRule({ offsets: [0, x.length], nats: alongOrder(toy, x, order) }).bits * Math.LN2

void test("every order of the toy", (t) => {
  // Computed independently by enumeration in float64, nats.
  const expected = {
    "012": 3.2512712377568183,
    "021": 2.83976035837509,
    "102": 3.5380698680203793,
    "120": 3.7538500722368546,
    "201": 2.983543983288155,
    "210": 3.2388910541721287,
  }
  for (const [order, nats] of Object.entries(expected))
    t.ok(close(along([...order].map(Number)), nats, 1e-13), order)
  t.end()
})

void test("each order is a probability: over all strings it sums to one", (t) => {
  for (const order of permutations([0, 1, 2])) {
    const sum = total(strings().map((x) => Math.exp(-along(order, x))))
    t.ok(close(sum, 1, 1e-13), order.join(""))
  }
  t.end()
})

void test("left to right with a causal model is the autoregressive code length", (t) => {
  // By hand: logits 0.3; -0.4 + 0.8; 0.1 - 0.2 - 1.5 for x = 1, 0, 1.
  const ar = Math.log1p(Math.exp(-0.3)) + Math.log1p(Math.exp(0.4)) + Math.log1p(Math.exp(1.6))
  t.ok(close(along([0, 1, 2], X, CAUSAL_TOY), ar, 1e-13))
  // Another order asks a causal model for something else.
  t.notOk(close(along([2, 1, 0], X, CAUSAL_TOY), ar, 1e-3))
  t.end()
})

void test("windows of unequal length", (t) => {
  const result = chainRule({ offsets: [0, 2, 2, 3], nats: [1, 2, 4].map((b) => b * Math.LN2) })
  t.strictSame(
    [...result.perWindowBits].map((b) => Math.round(b * 1e12) / 1e12),
    [3, 0, 4],
  )
  t.equal(result.tokens, 3)
  t.ok(close(result.bits, 7, 1e-14))
  t.throws(() => chainRule({ offsets: [0, 2], nats: [1, 2, 3] }), /end at 3/)
  t.throws(() => chainRule({ offsets: [0, 3, 2, 3], nats: [1, 2, 3] }), /window 1 ends before it starts/)
  t.end()
})
