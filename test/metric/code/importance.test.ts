import { test } from "tap"
import { chain } from "../../../src/diffusion/reveal.js"
import { importanceBound, mixtureNats, pathNats } from "../../../src/metric/code/importance.js"
import { alongOrder, close, crossEntropy, LENGTH, permutations, strings, total, TOY, X } from "../toy.js"

const orderNats = (x: readonly number[]): readonly number[] =>
  permutations([0, 1, 2]).map((order) => pathNats(alongOrder(TOY, x, order), 0, 2))

interface Path {
  readonly probability: number
  readonly nats: number
}

/** Every path of the T-step chain of the toy: each position's reveal step 1..T, or T + 1 = visible at the end. */
const pathsOf = (x: readonly number[], steps: number): readonly Path[] => {
  const alphas = [1, ...chain({ kind: "log-linear", eps: 1e-3 }, steps).map((s) => s.alpha)]
  const share = (k: number): number => (k > steps ? alphas[steps]! : alphas[k - 1]! - alphas[k]!)
  const all: Path[] = []
  for (let code = 0; code < (steps + 1) ** LENGTH; code++) {
    const at = Array.from(
      { length: LENGTH },
      (_, i) => (Math.floor(code / (steps + 1) ** i) % (steps + 1)) + 1,
    )
    // Revealed at step k from x_k: the positions with a later reveal step are visible there.
    const nats = at.flatMap((k, i) => {
      const visible = total(at.map((other, j) => (other > k ? 1 << j : 0)))
      return k > steps ? [] : [crossEntropy(TOY, x, i, visible)]
    })
    all.push({
      probability: at.reduce((p, k) => p * share(k), 1),
      nats: pathNats(nats, at.filter((k) => k > steps).length, 2),
    })
  }
  return all
}

void test("a mixture of all orders", (t) => {
  const nats = orderNats(X)
  // Computed independently by enumeration in float64: mixture 3.221037, mean 3.267564.
  t.ok(close(mixtureNats(nats), 3.2210370514015128, 1e-13))
  t.ok(close(importanceBound({ windows: 1, paths: 6, nats }).bits * Math.LN2, 3.2210370514015128, 1e-13))
  t.ok(
    close(
      importanceBound({ windows: 1, paths: 6, nats, samples: 1 }).bits * Math.LN2,
      3.267564428974904,
      1e-13,
    ),
    "one path at a time is the any-order bound",
  )
  const best = Math.min(...nats)
  t.ok(
    best <= mixtureNats(nats) && mixtureNats(nats) <= best + Math.log(6),
    "between the best and best + ln K",
  )
  t.ok(close(total(strings().map((x) => Math.exp(-mixtureNats(orderNats(x))))), 1, 1e-13), "a probability")
  t.end()
})

void test("paths of the T-step chain", (t) => {
  // One path: the T-step bound, computed independently (see the any-order test).
  for (const [steps, expected] of [
    [1, 1.7149999939276694],
    [2, 2.476265409829755],
    [4, 2.8682980591583482],
  ] as const) {
    const paths = pathsOf(X, steps)
    t.ok(close(total(paths.map((p) => p.probability)), 1, 1e-12))
    t.ok(close(total(paths.map((p) => p.probability * p.nats)), expected, 1e-12), `L_1 at T = ${steps}`)
    // The model's own length is the mixture of all paths; two paths lie between it and L_1.
    const exact = -Math.log(total(paths.map((p) => p.probability * Math.exp(-p.nats))))
    let two = 0
    for (const p of paths)
      for (const q of paths) two += p.probability * q.probability * mixtureNats([p.nats, q.nats])
    t.ok(exact <= two && two <= expected + 1e-12, `${exact} <= ${two} <= ${expected} at T = ${steps}`)
  }
  // exp(-exact) is a probability over strings.
  const mass = total(strings().flatMap((x) => pathsOf(x, 2).map((p) => p.probability * Math.exp(-p.nats))))
  t.ok(close(mass, 1, 1e-12))
  t.end()
})

void test("large code lengths, groups and refusals", (t) => {
  t.ok(close(mixtureNats([6000, 6000]), 6000, 1e-15), "no underflow at the size of a window")
  t.equal(mixtureNats([Infinity, Infinity]), Infinity)
  // By hand: groups (1, 1) and (3, 3) nats: mean 2, variance of the mean 1.
  const result = importanceBound({ windows: 1, paths: 4, nats: [1, 1, 3, 3], samples: 2 })
  t.ok(close(result.bits * Math.LN2, 2, 1e-14))
  t.ok(close(result.monteCarloVariance! * Math.LN2 ** 2, 1, 1e-12))
  t.ok(close(pathNats([1, 2], 3, 4), 3 + 3 * Math.log(4), 1e-15))
  t.throws(() => importanceBound({ windows: 1, paths: 4, nats: [1, 1, 3, 3], samples: 3 }), /groups of 3/)
  t.throws(() => importanceBound({ windows: 2, paths: 4, nats: [1] }), /expected 2 windows of 4 paths/)
  t.end()
})
