import { test } from "tap"
import {
  bfloat16Spacing,
  frozenFrom,
  toBfloat16,
  updatedBfloat16,
} from "../../../src/metric/statistics/bfloat16.js"

void test("stored values and updates", (t) => {
  // Computed independently in bfloat16 arithmetic: stored, after + 6e-4, after + 6e-5.
  for (const [value, stored, large, small] of [
    [0.01, 0.010009765625, 0.0106201171875, 0.01007080078125],
    [0.02, 0.02001953125, 0.0206298828125, 0.02001953125],
    [0.04, 0.0400390625, 0.04052734375, 0.0400390625],
    [0.1, 0.10009765625, 0.1005859375, 0.10009765625],
    [0.2, 0.2001953125, 0.201171875, 0.2001953125],
    [0.25, 0.25, 0.25, 0.25],
    [0.3, 0.30078125, 0.30078125, 0.30078125],
    [0.5, 0.5, 0.5, 0.5],
    [1, 1, 1, 1],
    [2, 2, 2, 2],
  ] as const) {
    t.equal(toBfloat16(value), stored)
    t.equal(updatedBfloat16(value, 6e-4), large, `${value} + 6e-4`)
    t.equal(updatedBfloat16(value, 6e-5), small, `${value} + 6e-5`)
  }
  t.end()
})

void test("rounding at the edges", (t) => {
  // By hand: 1 + 2^-8 lies midway between 1 and 1 + 2^-7: to the even one; 1 + 3 * 2^-8 likewise goes up.
  t.equal(toBfloat16(1 + 2 ** -8), 1)
  t.equal(toBfloat16(1 + 3 * 2 ** -8), 1 + 2 ** -6)
  t.equal(toBfloat16(-0.3), -0.30078125)
  t.equal(toBfloat16(3.4e38), Infinity, "rounds past the largest value")
  t.equal(toBfloat16(Infinity), Infinity)
  t.ok(Number.isNaN(toBfloat16(Number.NaN)))
  t.ok(Object.is(toBfloat16(-0), -0))
  t.end()
})

void test("which parameters stay where they were drawn", (t) => {
  t.equal(frozenFrom(6e-4), 0.25, "half a unit at 0.25 is 2^-10 = 9.8e-4")
  for (const update of [6e-4, 6e-5, 3e-3, 2 ** -10]) {
    const from = frozenFrom(update)
    t.equal(updatedBfloat16(from, update), from)
    const below = toBfloat16(from * 0.75)
    t.not(updatedBfloat16(below, update * 1.0001), below, `${update} moves ${below}`)
  }
  // The next number above 1 is 1 + 2^-7, above 0.25 is 0.25 + 2^-9.
  for (const value of [1, 0.25, 0.75]) {
    const next = value + bfloat16Spacing(value)
    t.equal(toBfloat16(next), next)
    t.equal(
      toBfloat16(value + bfloat16Spacing(value) / 4),
      value,
      `nothing lies between ${value} and ${next}`,
    )
  }
  t.end()
})
