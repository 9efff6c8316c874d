import t from "tap"
import { LLADA_SMALL, LLADA_TINY } from "../../bench/llada/job.js"
import { measureLlada, type LladaMeasured } from "../../bench/llada/measure.js"
import { LLADA_FORMAT, lladaSection, lladaVerdicts } from "../../bench/llada/section.js"
import { testWithTorch } from "../engine/torch/available.js"

const both = (...values: readonly number[]) => values.map((cpu) => ({ cpu, wall: 2 * cpu }))

const measured: LladaMeasured = {
  shape: LLADA_SMALL,
  threads: 1,
  losses: [{ id: "onnxruntime fp32", difference: 2e-7 }],
  steps: [
    { id: "torch eager fp32", rounds: both(6, 9, 6) },
    { id: "torch compile fp32", rounds: both(1) },
    { id: "onnxruntime fp32", rounds: both(4, 4) },
    { id: "tensorflow fp32", rounds: both(2, 2) },
  ],
  sampling: {
    texts: 8,
    response: 96,
    block: 32,
    times: [
      { id: "torch eager fp32", rounds: both(8) },
      { id: "onnxruntime fp32", rounds: both(4) },
    ],
    agreement: [{ id: "onnxruntime fp32", share: 1 }],
  },
  failures: [{ id: "tensorflow fp32", why: "no library" }],
}

t.test("targets of the LLaDA bench: the best of ours against eager", (t) => {
  t.same(
    lladaVerdicts([measured]).map(({ measuredAs, target, result, met, remark }) => [
      measuredAs,
      target,
      result,
      met,
      remark,
    ]),
    [
      ["tensorflow fp32 against torch eager fp32", ">= 2x", "3.00x", true, ""],
      ["onnxruntime fp32 against the published sampler", ">= 3x", "2.00x", false, "missed by 33 %"],
    ],
  )
  t.same(lladaVerdicts(undefined), [])
  const page = lladaSection(
    {
      format: LLADA_FORMAT,
      date: "2026-01-01",
      hardware: "h",
      load: 0,
      commit: "abc",
      command: "npm run bench -- --llada",
      measured: [measured],
    },
    "Why.",
  )
  for (const said of [
    /^# LLaDA/,
    /Why\./,
    /differs by 2\.0e-7/,
    /1\.50x/,
    /no library/,
    /onnxruntime fp32 100\.0 %/,
  ])
    t.match(page, said)
  t.end()
})

t.setTimeout(300_000)
testWithTorch("both sides start from one loss and write the same texts", async (t) => {
  const plan = {
    rounds: 1,
    stepsPerRound: 1,
    threads: 1,
    modes: ["eager"],
    engines: ["onnxruntime"],
    texts: 2,
  } as const
  const found = await measureLlada(LLADA_TINY, plan, () => undefined)
  t.same(found.failures, [])
  // float32 sums over 24 scored positions
  t.ok(found.losses[0]!.difference < 1e-6, `losses differ by ${found.losses[0]!.difference}`)
  t.same(found.sampling.agreement, [{ id: "onnxruntime fp32", share: 1 }])
  t.equal(found.steps.length, 2)
})
