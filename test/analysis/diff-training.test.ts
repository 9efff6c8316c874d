import { test } from "tap"
import { diffTraining, type Losses } from "../../src/analysis/diff-training.js"

const curve = (of: (step: number) => number): Losses =>
  new Map([1, 16, 32, 48, 64, 96, 128, 400, 800].map((step) => [step, of(step)]))

const loss = (step: number): number => 30 - step / 100

void test("rounding that training amplified: the first steps agree, later ones part", (t) => {
  // As two executions of the laptop profile did: 1e-7 for a hundred steps, 1e-6 by 200, 2e-3 by 400.
  const other = curve((step) => loss(step) * (1 + (step <= 128 ? 2e-7 : 2e-3)))
  const found = diffTraining(curve(loss), other, 1e-4)
  t.match(found, { earlySteps: 64, partedAt: 400, amplified: true })
  t.ok(Math.abs(found!.early - 2e-7) < 1e-9)
  t.end()
})

void test("a fault shows in the first steps and is not amplification", (t) => {
  const faulty = curve((step) => loss(step) * (1 + 1e-5 * step))
  t.match(diffTraining(curve(loss), faulty, 1e-4), { partedAt: 16, amplified: false })
  const subtle = curve((step) => loss(step) * (1 + 2e-5))
  t.match(diffTraining(curve(loss), subtle, 1e-4), { partedAt: undefined, amplified: false })
  t.end()
})

void test("losses that never part need no such excuse, and too few show nothing", (t) => {
  t.match(diffTraining(curve(loss), curve(loss), 1e-4), { early: 0, partedAt: undefined, amplified: false })
  const few = new Map([
    [1, 30],
    [400, 20],
  ])
  t.match(diffTraining(few, new Map([...few, [400, 21]]), 1e-4), { partedAt: 400, amplified: false })
  t.equal(diffTraining(new Map(), curve(loss), 1e-4), undefined)
  t.end()
})
