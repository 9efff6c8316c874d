import { test } from "tap"
import { blockBound, blockLengths } from "../../../src/metric/code/block.js"
import { alongOrder, close, crossEntropy, popCount, strings, total, TOY, X } from "../toy.js"

/** Exact expectation of the toy's block bound: each block's sizes equally often, each size's sets equally often. */
const toyBlocks = (x: readonly number[], blocks: readonly (readonly number[])[]): number => {
  const draws = 4
  const maskable: number[] = []
  const masked: number[] = []
  const nats: number[] = []
  let left = 0
  for (const block of blocks) {
    const sets = Array.from({ length: 2 ** block.length - 1 }, (_, i) => i + 1)
    const bySize = block.map((_, k) => sets.filter((s) => popCount(s) === k + 1))
    // 4 draws are a multiple of sizes x sets of a size, for blocks of one and of two tokens.
    const drawn = bySize.flatMap((of) =>
      of.flatMap((s) => Array<number>(draws / block.length / of.length).fill(s)),
    )
    maskable.push(block.length)
    for (const set of drawn) {
      const hidden = block.filter((_, at) => (set >> at) & 1)
      const visible = left | total(block.filter((i) => !hidden.includes(i)).map((i) => 1 << i))
      masked.push(hidden.length)
      nats.push(total(hidden.map((i) => crossEntropy(TOY, x, i, visible))))
    }
    left |= total(block.map((i) => 1 << i))
  }
  return blockBound({ windows: 1, blocks: blocks.length, draws, maskable, masked, nats }).bits * Math.LN2
}

void test("blocks of one token are the left-to-right chain rule", (t) => {
  // Toy order 012, computed independently by enumeration in float64.
  t.ok(close(toyBlocks(X, [[0], [1], [2]]), 3.2512712377568183, 1e-13))
  t.end()
})

void test("blocks of two tokens are the mean over the orders that respect them", (t) => {
  const orders = [
    [0, 1, 2],
    [1, 0, 2],
  ]
  // (3.2512712377568183 + 3.5380698680203793) / 2
  t.ok(close(toyBlocks(X, [[0, 1], [2]]), 3.394670552888599, 1e-13))
  for (const x of strings())
    t.ok(
      close(toyBlocks(x, [[0, 1], [2]]), total(orders.map((o) => total(alongOrder(TOY, x, o)))) / 2, 1e-13),
    )
  t.ok(total(strings().map((x) => Math.exp(-toyBlocks(x, [[0, 1], [2]])))) <= 1, "a code")
  t.end()
})

void test("windows, short and empty blocks, a uniform model", (t) => {
  // Lengths by hand: 7 positions in blocks of 3, positions 1 and 6 free.
  t.strictSame([...blockLengths([0, 1, 0, 0, 0, 0, 1], 3)], [2, 3, 0])
  const masked = [1, 3, 0, 2, 1, 1]
  const result = blockBound({
    windows: 2,
    blocks: 3,
    draws: 1,
    maskable: [2, 3, 0, 2, 3, 1],
    masked,
    nats: masked.map((k) => k * Math.log(1024)),
  })
  t.ok(close(result.perWindowBits[0]!, 50, 1e-13))
  t.ok(close(result.perWindowBits[1]!, 60, 1e-13))
  t.equal(result.monteCarloVariance, undefined)
  t.end()
})
