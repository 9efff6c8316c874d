import t from "tap"
import { fc } from "../fuzz.js"
import { drawDistribution, drawToken, invertDistribution, nucleus } from "../../src/diffusion/categorical.js"

const logs = (...p: readonly number[]): Float64Array => Float64Array.from(p, Math.log)
const near = (found: ArrayLike<number>, expected: readonly number[]): boolean =>
  found.length === expected.length && expected.every((x, i) => Math.abs(found[i]! - x) < 1e-15)
const rule = { temperature: 1, topP: 1, banned: [] }

void t.test("temperature", (t) => {
  t.ok(near(drawDistribution(logs(0.5, 0.25, 0.25), rule), [0.5, 0.25, 0.25]), "1 leaves the distribution")
  // Powers 1/2 of 0.64, 0.32, 0.04 over their sum, and squares over theirs (by hand).
  const root = [0.8, Math.sqrt(0.32), 0.2]
  const sum = root[0]! + root[1]! + root[2]!
  t.ok(
    near(
      drawDistribution(logs(0.64, 0.32, 0.04), { ...rule, temperature: 2 }),
      root.map((x) => x / sum),
    ),
  )
  t.ok(near(drawDistribution(logs(0.5, 0.3, 0.2), { ...rule, temperature: 0.5 }), [25 / 38, 9 / 38, 4 / 38]))
  t.ok(
    near(drawDistribution(logs(0.2, 0.4, 0.4), { ...rule, temperature: 0 }), [0, 1, 0]),
    "0: the first of equals",
  )
  const tiny = drawDistribution(logs(0.2, 0.4, 0.4), { ...rule, temperature: 1e-300 })
  t.ok(near(tiny, [0, 0.5, 0.5]), "no overflow near 0")
  t.end()
})

void t.test("nucleus", (t) => {
  const p = Float64Array.of(0.25, 0.5, 0.125, 0.125) // exact in binary
  t.ok(near(nucleus(p, 0.5), [0, 1, 0, 0]), "a sum that equals the mass ends it")
  t.ok(near(nucleus(p, 0.5000001), [1 / 3, 2 / 3, 0, 0]), "the token that crosses the mass is kept")
  t.ok(near(nucleus(p, 0.75), [1 / 3, 2 / 3, 0, 0]))
  t.ok(near(nucleus(p, 0.8), [2 / 7, 4 / 7, 1 / 7, 0]), "of equals the lower id comes first")
  t.ok(near(nucleus(p, 1e-9), [0, 1, 0, 0]), "one token always remains")
  t.equal(nucleus(p, 1), p, "1 keeps all")
  t.ok(
    near(drawDistribution(logs(0.5, 0.3, 0.2), { ...rule, temperature: 0.5, topP: 0.65 }), [1, 0, 0]),
    "of the tempered distribution: 25/38 = 0.658 reaches 0.65, 0.5 would not",
  )
  t.end()
})

void t.test("banned ids are never drawn, the others keep their proportions", (t) => {
  const p = drawDistribution(logs(0.5, 0.3, 0.2), { ...rule, banned: [0, 1024] })
  t.ok(near(p, [0, 0.6, 0.4]))
  t.equal(drawToken(logs(0.9, 0.1), { temperature: 0, topP: 1, banned: [0] }, 0), 1)
  t.throws(() => drawDistribution(logs(1, 0), { ...rule, banned: [0] }), /no token can be drawn/)
  t.throws(() => drawDistribution([Number.NaN, Number.NaN], rule), /no token can be drawn/)
  t.end()
})

void t.test("inversion of the cumulative distribution", (t) => {
  const p = Float64Array.of(0, 0.25, 0, 0.75, 0)
  t.equal(invertDistribution(p, 0), 1)
  t.equal(invertDistribution(p, 0.2499999), 1)
  t.equal(invertDistribution(p, 0.25), 3)
  t.equal(invertDistribution(p, 1 - 2 ** -53), 3, "the largest uniform")
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -30, max: 0, noNaN: true }), { minLength: 2, maxLength: 40 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (logProbs, uniform, topP) => {
        const given = { temperature: 0.7, topP, banned: [0] }
        const kept = drawDistribution(logProbs, given)
        const token = drawToken(logProbs, given, uniform)
        return token !== 0 && kept[token]! > 0 && Math.abs(kept.reduce((a, b) => a + b, 0) - 1) < 1e-12
      },
    ),
  )
  t.end()
})
