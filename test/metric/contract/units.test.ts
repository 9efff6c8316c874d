import { fc, fuzz } from "../../fuzz.js"
import t from "tap"
import { UNITS } from "../../../src/metric/contract/fields.js"
import {
  compareExact,
  compareMarked,
  convert,
  estimate,
  exact,
  lowerBound,
  measured,
  upperBound,
} from "../../../src/metric/contract/bound.js"
import {
  ConversionError,
  conversionSteps,
  convertInterval,
  convertValue,
  type Unit,
} from "../../../src/metric/contract/units.js"

const unit = fc.constantFrom(...UNITS)
/** Values for which exp neither overflows nor loses the round trip: at most 40 nats/token. */
const bits = fc.double({ min: 0.01, max: 50, noNaN: true })
const ratio = fc.double({ min: 0.5, max: 20, noNaN: true })
const close = (a: number, b: number, relative = 1e-12) =>
  Math.abs(a - b) <= relative * Math.max(Math.abs(a), Math.abs(b))
/** A positive value in the given unit, from a value in bits/token or the unit itself. */
const within = (to: Unit, value: number, bytesPerToken: number) =>
  conversionSteps("bits/token", to) === undefined
    ? value
    : convertValue(value, "bits/token", to, { bytesPerToken })

t.test("known values", (test) => {
  // derived: 2.07269931 nats/token at 2.442304 bytes/token is the 1.22436570 BPB of the parameter-golf baseline log
  // (2026-03-17_NaiveBaseline/train.log); the ratio there is printed to seven digits, hence 1e-6.
  test.ok(
    close(convertValue(2.07269931, "nats/token", "bits/byte", { bytesPerToken: 2.442304 }), 1.2243657, 1e-6),
  )
  test.equal(convertValue(8, "bits/token", "nats/token"), 8 * Math.LN2)
  test.ok(close(convertValue(10, "bits/token", "ppl"), 1024), "a uniform model over 1024 tokens")
  test.equal(convertValue(0.58, "proportion", "percent"), 57.99999999999999)
  test.end()
})

t.test("round trip: there and back is the same number", (test) => {
  fc.assert(
    fc.property(unit, unit, bits, ratio, (from, to, x, bytesPerToken) => {
      if (conversionSteps(from, to) === undefined) return true
      const value = within(from, x, bytesPerToken)
      const back = convertValue(convertValue(value, from, to, { bytesPerToken }), to, from, { bytesPerToken })
      return close(back, value, 1e-9)
    }),
    fuzz(2000),
  )
  test.pass("2000 random values, 1e-9 relative (ln after exp)")
  test.end()
})

t.test("order: a conversion never swaps two numbers", (test) => {
  fc.assert(
    fc.property(unit, unit, bits, bits, ratio, (from, to, x, y, bytesPerToken) => {
      if (conversionSteps(from, to) === undefined) return true
      const a = convertValue(within(from, Math.min(x, y), bytesPerToken), from, to, { bytesPerToken })
      const b = convertValue(within(from, Math.max(x, y), bytesPerToken), from, to, { bytesPerToken })
      return a <= b
    }),
    fuzz(2000),
  )
  test.pass("2000 random pairs")
  test.end()
})

t.test("interval soundness: the image of every point lies in the image of the interval", (test) => {
  const share = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(unit, unit, bits, bits, ratio, ratio, share, share, (from, to, x, y, r, s, p, q) => {
      if (conversionSteps(from, to) === undefined) return true
      const bytesPerToken = { lo: Math.min(r, s), hi: Math.max(r, s) }
      const ends = [within(from, x, r), within(from, y, r)] as const
      const interval = { lo: Math.min(...ends), hi: Math.max(...ends) }
      const image = convertInterval(interval, from, to, { bytesPerToken })
      const point = interval.lo + p * (interval.hi - interval.lo)
      const at = bytesPerToken.lo + q * (bytesPerToken.hi - bytesPerToken.lo)
      const value = convertValue(point, from, to, { bytesPerToken: at })
      const slack = 1e-12 * Math.abs(value)
      return image.lo - slack <= value && value <= image.hi + slack
    }),
    fuzz(2000),
  )
  test.pass("2000 random intervals")
  test.end()
})

t.test("what is not lawful is refused", (test) => {
  test.throws(() => convertValue(1, "percent", "bits/byte"), ConversionError)
  test.throws(() => convertValue(1, "nats", "nats/token"), ConversionError, "a total has no denominator")
  test.throws(() => convertValue(1, "bits/token", "bits/byte"), /bytesPerToken/)
  test.throws(() => convertValue(1, "bits/token", "bits/byte", { bytesPerToken: 0 }), ConversionError)
  test.throws(() => exact("ppl", 5, { lo: 6, hi: 7 }), RangeError)
  test.end()
})

t.test("an upper bound and an exact value do not compare without a mark", (test) => {
  const bound = upperBound("bits/byte", 1.7478)
  const baseline = exact("bits/byte", 1.2244)
  // @ts-expect-error an upper bound is no exact value
  compareExact(bound, baseline)
  // @ts-expect-error nor the other way round
  compareExact(baseline, bound)
  // @ts-expect-error two units
  compareExact(baseline, exact("bits/token", 2.99))
  // @ts-expect-error an object literal is no exact value: only the constructors make one
  compareExact(baseline, { kind: "exact", unit: "bits/byte", value: 1, interval: { lo: 1, hi: 1 } })
  // @ts-expect-error marked comparison needs one unit too
  compareMarked(bound, exact("nats/token", 1))
  test.equal(compareExact(baseline, exact("bits/byte", 1.2284)), -1)
  test.equal(compareMarked(bound, baseline).relation, "undetermined", "the truth may lie below 1.2244")
  test.equal(compareMarked(upperBound("bits/byte", 1.1), baseline).relation, "below")
  test.equal(compareMarked(baseline, lowerBound("bits/byte", 1.3)).relation, "below")
  test.equal(compareMarked(estimate("bits/byte", 0.1), baseline).relation, "undetermined")
  test.equal(compareMarked(baseline, baseline).relation, "equal")
  test.end()
})

t.test("a conversion keeps the kind and widens by the ratio's uncertainty", (test) => {
  const bpb = convert(upperBound("bits/token", 4.25743), "bits/byte", {
    bytesPerToken: { lo: 2.42, hi: 2.452 },
  })
  test.equal(bpb.kind, "upper-bound")
  test.ok(bpb.interval.lo < bpb.value && bpb.value < bpb.interval.hi)
  // @ts-expect-error the kind survives the conversion in the type as well
  compareExact(bpb, exact("bits/byte", 1))
  fc.assert(
    fc.property(
      fc.constantFrom("exact", "upper-bound", "lower-bound", "estimate", "unknown" as const),
      bits,
      (kind, x) => {
        const number = convert(measured(kind, "bits/token", x), "ppl")
        return (
          number.kind === kind && number.interval.lo <= number.value && number.value <= number.interval.hi
        )
      },
    ),
  )
  test.end()
})
