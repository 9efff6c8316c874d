/** Identities that hold for every estimator of a code length, whatever the model. */
import { test } from "tap"
import { chain } from "../../src/diffusion/reveal.js"
import { anyOrder } from "../../src/metric/code/any-order.js"
import { blockBound } from "../../src/metric/code/block.js"
import { enumerativeWindowBits } from "../../src/metric/code/boundary.js"
import { chainRule } from "../../src/metric/code/chain-rule.js"
import { discreteElbo, uniformElboBits } from "../../src/metric/code/elbo.js"
import { importanceBound } from "../../src/metric/code/importance.js"
import { close, strings, total } from "./toy.js"

const EPS = 1e-3
const alphasOf = (steps: number): number[] => [
  1,
  ...chain({ kind: "log-linear", eps: EPS }, steps).map((s) => s.alpha),
]

void test("a uniform model gives exactly log2 V bits per maskable token under every estimator", (t) => {
  // Arithmetic: 16 tokens of log2 1024 = 10 bits.
  const [length, nat] = [16, Math.log(1024)]
  const expected = 160
  t.ok(
    close(
      anyOrder({ windows: 1, draws: 1, maskable: [length], masked: [5], nats: [5 * nat] }).bits,
      expected,
      1e-13,
    ),
  )
  t.ok(
    close(chainRule({ offsets: [0, length], nats: Array<number>(length).fill(nat) }).bits, expected, 1e-13),
  )
  t.ok(
    close(
      blockBound({
        windows: 1,
        blocks: 2,
        draws: 2,
        maskable: [8, 8],
        masked: [1, 8, 3, 6],
        nats: [nat, 8 * nat, 3 * nat, 6 * nat],
      }).bits,
      expected,
      1e-13,
    ),
  )
  t.ok(
    close(
      importanceBound({ windows: 1, paths: 4, nats: Array<number>(4).fill(length * nat) }).bits,
      expected,
      1e-13,
    ),
  )
  // The T-step bound holds in expectation: evidence with every mask count at its expected value.
  const alphas = alphasOf(8)
  const nats = alphas.slice(1).map((alpha) => length * (1 - alpha) * nat)
  t.ok(
    close(
      discreteElbo({
        windows: 1,
        steps: 8,
        draws: 1,
        alphas,
        nats,
        masked: new Int32Array(8),
        content: [length],
        vocabSize: 1024,
      }).bits,
      expected,
      1e-12,
    ),
  )
  t.end()
})

void test("boundary tokens given free are no code; charged they are", (t) => {
  // V = 3, L = 2, a uniform model that never masks id 1 and pays only its prior term. By hand: strings with 0, 1, 2
  // boundaries: 4 * 3^-2 + 4 * 3^-(1 + eps) + 3^-(2 eps) = 2.77412.
  const alphas = alphasOf(128)
  const bits = (x: readonly number[]): number => {
    const free = x.filter((id) => id === 1).length
    return uniformElboBits(2 - free, free, alphas, 3)
  }
  const all = strings(3, 2)
  t.ok(close(total(all.map((x) => 2 ** -bits(x))), 2.7741189532845465, 1e-11), "sums to more than one")
  const charged = total(
    all.map((x) => 2 ** -(bits(x) + enumerativeWindowBits(2, x.filter((id) => id === 1).length))),
  )
  t.ok(charged <= 1, `the enumerative charge makes it a code: ${charged}`)
  t.ok(
    close(total(all.map(() => 2 ** -uniformElboBits(2, 0, alphas, 3))), 1, 1e-11),
    "masked like any token: one",
  )
  t.end()
})
