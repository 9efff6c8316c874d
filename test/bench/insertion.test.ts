import t from "tap"
import { SMALL } from "../../bench/insertion/job.js"
import { mergeMeasured, type InsertionMeasured } from "../../bench/insertion/measure.js"
import { insertionSection, insertionVerdicts } from "../../bench/insertion/section.js"
import { medianOf } from "../../bench/turns.js"

const both = (...values: readonly number[]) => values.map((cpu) => ({ cpu, wall: 2 * cpu }))

const measured: InsertionMeasured = {
  shape: SMALL,
  threads: 1,
  losses: [{ id: "onnxruntime fp32", difference: 2e-7 }],
  steps: [
    { id: "torch eager fp32", rounds: both(6, 9, 6) },
    { id: "torch compile fp32", rounds: both(3) },
    { id: "onnxruntime fp32", rounds: both(2, 2) },
  ],
  sampling: {
    texts: 4,
    steps: 256,
    counted: 4,
    meanLength: 255,
    times: [
      { id: "published sampler", rounds: both(100), passes: both(40), passesPerText: 256 },
      {
        id: "onnxruntime fp32, steps as published",
        rounds: both(20),
        passes: both(16),
        passesPerText: 256,
      },
      { id: "onnxruntime fp32, event-driven", rounds: both(12.5), passes: both(10), passesPerText: 560 },
    ],
  },
  failures: [],
}

t.test("targets of the FlexMDM bench", (t) => {
  t.same(medianOf(both(1, 4, 2)), { cpu: 2, wall: 4 })
  t.same(
    insertionVerdicts([measured]).map(({ target, result, met, remark }) => [target, result, met, remark]),
    [
      [">= 2.5x", "3.00x", true, ""],
      [">= 2x", "1.50x", false, "missed by 25 %"],
      [">= 4x", "5.00x", true, ""],
      ["<= 1.3x", "1.25x", true, ""],
      [">= 10x", "8.00x", false, "missed by 20 %"],
    ],
  )
  const alone = { ...measured, steps: measured.steps.slice(0, 1) }
  t.equal(insertionVerdicts([alone])[0]!.met, undefined, "what was not measured is neither met nor missed")
  t.end()
})

t.test("parts of a shape that are measured again replace their own alone", (t) => {
  const { sampling: _, ...rest } = measured
  const again: InsertionMeasured = {
    ...rest,
    losses: [],
    steps: [{ id: "onnxruntime fp32", rounds: both(1) }],
  }
  const [merged, ...others] = mergeMeasured([measured], again)
  t.same(others, [])
  t.same(
    merged!.steps.map(({ id, rounds }) => [id, rounds.length]),
    [
      ["torch eager fp32", 3],
      ["torch compile fp32", 1],
      ["onnxruntime fp32", 1],
    ],
  )
  t.equal(merged!.sampling, measured.sampling)
  t.same(merged!.losses, measured.losses)
  t.end()
})

t.test("the section of RESULTS.md", (t) => {
  const text = insertionSection(
    {
      format: 1,
      date: "d",
      hardware: "h",
      load: 0.1,
      commit: "c",
      command: "npm run bench -- --flexmdm",
      measured: [measured],
    },
    "Why.",
  )
  for (const part of ["`npm run bench -- --flexmdm`", "Why.", "3.00x", "1.50x", "differs by 2.0e-7", "560"])
    t.ok(text.includes(part), part)
  t.end()
})
