/** What samplers with steps cannot exceed, by hand and by simulation. */
import t from "tap"
import { arrivalChance, exactLengthChance, type Steps } from "../../../src/diffusion/insertion/ceiling.js"
import { LINEAR } from "../../../src/diffusion/insertion/schedule.js"
import { splitMix32 } from "../../../src/metric/statistics/bootstrap.js"

const by = (steps: number, rest: Partial<Steps> = {}): Steps => ({
  grid: "even",
  steps,
  rule: "poisson",
  schedule: LINEAR.insertion,
  ...rest,
})

void t.test("two steps, by hand: the first inserts Poisson(m / 2), the second nothing", (t) => {
  // Poisson probability of m at mean m / 2: exp(-m / 2) (m / 2)^m / m!
  t.equal(exactLengthChance(0, by(2)), 1)
  t.ok(Math.abs(exactLengthChance(1, by(2)) - Math.exp(-0.5) / 2) < 1e-15)
  t.ok(Math.abs(exactLengthChance(2, by(2)) - Math.exp(-1) / 2) < 1e-15)
  t.ok(Math.abs(exactLengthChance(3, by(2)) - (Math.exp(-1.5) * 1.5 ** 3) / 6) < 1e-15)
  t.end()
})

void t.test("each token on its own: (1 - 1/N)^L, and (1 - 2/(N + 1))^L on the short grid", (t) => {
  for (const [length, steps] of [
    [1, 2],
    [9, 128],
    [512, 1024],
  ] as const) {
    t.ok(Math.abs(arrivalChance(length, by(steps)) - (1 - 1 / steps) ** length) < 1e-12)
    t.ok(Math.abs(arrivalChance(length, by(steps, { rule: "survival" })) - (1 - 1 / steps) ** length) < 1e-12)
    // The grid is shorter by 1e-5 of its length, which the formula leaves out.
    const short = arrivalChance(length, by(steps, { grid: "short" }))
    t.ok(Math.abs(short / (1 - 2 / (steps + 1)) ** length - 1) < 1.01e-5 * length)
  }
  t.end()
})

void t.test("a simulated sampler with a faultless network is right as often", (t) => {
  const next = splitMix32(7)
  const uniform = (): number => next() / 2 ** 32
  const poisson = (mean: number): number => {
    let [k, p] = [0, uniform()]
    for (const end = Math.exp(-mean); p > end; k++) p *= uniform()
    return k
  }
  const [length, steps, texts] = [9, 32, 20_000]
  let right = 0
  for (let i = 0; i < texts; i++) {
    let m = length
    for (let step = 0; step < steps - 1 && m >= 0; step++) m -= poisson(m / steps / (1 - step / steps))
    if (m === 0) right++
  }
  const chance = exactLengthChance(length, by(steps))
  // Four standard errors.
  t.ok(Math.abs(right / texts - chance) < 4 * Math.sqrt((chance * (1 - chance)) / texts), `${chance}`)
  t.end()
})
