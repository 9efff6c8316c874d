/** The benchmark's GPU rows: utilisation, the search for the largest batch, the report, and a dry run on the CPU. */
import { readFile } from "node:fs/promises"
import { execa } from "execa"
import t from "tap"
import { GPU_SIDES, searchBatches } from "../../bench/gpu.js"
import { bf16Peak } from "../../bench/machine.js"
import type { Measured, Timing } from "../../bench/measure.js"
import { FORMAT, resultsMarkdown, type Results } from "../../bench/results.js"
import { gpuShape, trainFlops } from "../../bench/shapes.js"
import { disagreements, gpuVerdicts, OURS_GPU, PUBLISHED, utilisation } from "../../bench/targets.js"
import { nodeArguments } from "../../scripts/node-arguments.js"
import { testWithTorch } from "../engine/torch/available.js"

// The dry run starts PyTorch eight times.
t.setTimeout(540_000)

const H200 = "NVIDIA H200"

const timing = (id: string, seconds: number, group = 0): Timing => ({
  id,
  group,
  median: seconds,
  low: seconds,
  high: seconds,
  count: 3,
  rounds: [seconds, seconds, seconds],
  peakBytes: 20e9,
})

const measured = (batch: number, steps: readonly Timing[], over: Partial<Measured> = {}): Measured => ({
  shape: gpuShape(batch),
  masked: 8000,
  capacity: 9000,
  parity: [],
  steps,
  elbo: [],
  elboSteps: 128,
  failures: [],
  ...over,
})

void t.test("model FLOPs utilisation: tokens/s times FLOPs a token by the dense peak", async (t) => {
  // The #1241 network takes 315 MFLOP a token and step (counted by hand from its shapes), to 1 %.
  const flops = trainFlops(gpuShape(8))
  t.ok(Math.abs(flops / 315e6 - 1) < 0.01, `${flops}`)
  t.equal(trainFlops(gpuShape(64)), flops, "a token's FLOPs do not depend on the batch")
  // NVIDIA states 1979 TFLOP/s with sparsity, which is twice the dense rate.
  t.equal(bf16Peak(H200)?.flops, 989e12)
  t.equal(bf16Peak("NVIDIA H100 80GB HBM3")?.flops, 989e12)
  t.equal(bf16Peak("NVIDIA H100 PCIe")?.flops, 756e12)
  t.equal(bf16Peak("NVIDIA A10G")?.flops, 70e12)
  t.equal(bf16Peak("a GPU of tomorrow"), undefined)
  // 8 x 2048 tokens in 10 ms are 1.6384 M tokens/s; by 315 MFLOP 516 TFLOP/s, 52.2 % of 989.
  const m = measured(8, [timing(OURS_GPU, 0.01)])
  t.ok(Math.abs(utilisation(m, m.steps[0]!, H200)! - (1.6384e6 * flops) / 989e12) < 1e-12)
  t.ok(Math.abs(utilisation(m, m.steps[0]!, H200)! - 0.522) < 0.006)
  t.equal(utilisation(m, m.steps[0]!, "a GPU of tomorrow"), undefined)
})

void t.test("the batch doubles until ours runs out of memory", async (t) => {
  const asked: { name: string; groups: readonly (readonly string[])[]; first: boolean }[] = []
  const all = await searchBatches(GPU_SIDES, (shape, groups, first) => {
    asked.push({ name: shape.name, groups: groups.map((g) => g.map(({ id }) => id)), first })
    const failures = [
      ...(shape.batch >= 16 ? [{ id: PUBLISHED, why: "out of memory" }] : []),
      ...(shape.batch >= 64 ? [{ id: OURS_GPU, why: "out of memory" }] : []),
    ]
    return Promise.resolve(measured(shape.batch, [], { failures }))
  })
  t.same(
    asked,
    [
      { name: "paper x 8", groups: [GPU_SIDES.map(({ id }) => id)], first: true },
      { name: "paper x 16", groups: [[OURS_GPU], [PUBLISHED]], first: false },
      { name: "paper x 32", groups: [[OURS_GPU]], first: false },
      { name: "paper x 64", groups: [[OURS_GPU]], first: false },
    ],
    "what failed once is not tried at a larger batch",
  )
  t.equal(all.length, 4)
  const capped = await searchBatches(GPU_SIDES, (s) => Promise.resolve(measured(s.batch, [])), 16)
  t.same(
    capped.map(({ shape }) => shape.batch),
    [8, 16],
    "the search has an end",
  )
})

const results = (all: readonly Measured[]): Results => ({
  format: FORMAT,
  date: "2026-01-01",
  hardware: "a machine",
  gpu: H200,
  load: 0,
  versions: { node: "v20", torch: "2.13.0", tensorflow: undefined, onnxruntime: "1.30", commit: "abc" },
  command: "npm run bench -- --gpu",
  measured: all,
  other: [],
})

void t.test("the report: tokens/s, ratio, utilisation, memory, and what failed", async (t) => {
  const all = [
    measured(8, [timing(OURS_GPU, 0.02), timing(PUBLISHED, 0.06)]),
    measured(16, [timing(OURS_GPU, 0.025), timing(PUBLISHED, 0.1, 1)]),
    measured(32, [], { failures: [{ id: OURS_GPU, why: "torch: out of the GPU's memory\nmore" }] }),
  ]
  // 3x where they took turns; 32 768 tokens in 25 ms against 16 384 in 60 ms are 4.8x; 41.7 % of the peak.
  t.match(gpuVerdicts(all, H200), [
    { what: "GPU train step, paper x 8", result: "3.00x", met: true },
    { what: "GPU tokens/s, paper x 16", result: "4.80x", met: true },
    { what: "GPU model FLOPs utilisation, paper x 16", result: /^4[12]\.\d\d %$/, met: false },
  ])
  const text = resultsMarkdown(undefined, results(all), undefined)
  t.match(text, "| its dense bf16 peak | 989 TFLOP/s (NVIDIA H200 data sheet: 1979 TFLOP/s with sparsity) |")
  t.match(text, /\| torch executor bf16 \| 819200 \| 20 \(20-20\) \| 3 \| 20\.00 GB \| 26\.\d % \| 3\.00x/)
  t.match(text, /\| torch published step \| 273067 \| 60 \(60-60\) \| 3 \| 20\.00 GB \| 8\.\d % \| 1 \|/)
  t.match(text, "Not measured: torch executor bf16 (torch: out of the GPU's memory).")
  t.same(
    gpuVerdicts([], undefined).map(({ result, met }) => [result, met]),
    Array.from({ length: 3 }, () => ["not measured", undefined]),
  )
})

const at = (over: Partial<Measured>): readonly string[] => disagreements([measured(8, [], over)], ["a fp32"])

void t.test("a parity that misses or could not be made is named", async (t) => {
  const close = {
    id: "a fp32",
    loss: 1,
    lossDifference: 1e-7,
    worstGradient: 1e-6,
    worstParameter: "w",
    parameters: 1,
  }
  t.same(at({ parity: [close] }), [])
  for (const miss of [{ lossDifference: 2e-4 }, { worstGradient: 2e-3 }, { elboDifference: Number.NaN }])
    t.same(at({ parity: [{ ...close, ...miss }] }), ["paper x 8: a fp32 and torch eager fp32 disagree"])
  t.same(at({ failures: [{ id: "a fp32", why: "died" }] }), [
    "paper x 8: a fp32 was not compared: a fp32: died",
  ])
  t.same(at({ failures: [{ id: "torch eager fp32", why: "died" }] }), [
    "paper x 8: a fp32 was not compared: torch eager fp32: died",
  ])
  t.same(at({}), [], "shapes without a comparison")
})

testWithTorch("npm run bench -- --gpu, with a tiny network on the CPU in the GPU's place", async (t) => {
  const kept = await readFile(new URL("../../bench/RESULTS.md", import.meta.url), "utf8")
  const run = await execa(process.execPath, [...nodeArguments("bench/run.ts"), "--gpu", "--cpu-smoke"], {
    reject: false,
  })
  t.equal(run.exitCode, 0, run.stderr) // 1 where the fp32 executor and PyTorch disagree
  for (const batch of [8, 16])
    for (const id of [OURS_GPU, PUBLISHED]) {
      const section = run.stdout.split("\n## ").find((part) => part.startsWith(`tiny x ${batch}:`))
      // Tokens a second, milliseconds and quartiles, and two rounds of one step.
      t.match(section, new RegExp(`\\| ${id} \\| \\d+ \\| \\d+ \\(\\d+-\\d+\\) \\| 2 \\|`), `${id}, ${batch}`)
    }
  t.match(
    run.stdout,
    /\| torch executor fp32 \| [\d.]+ \| [\d.]+e-\d+ \| [\d.]+e-\d+ \| `[^`]+` \| \d+ parameters \|/,
  )
  t.match(run.stdout, /GPU train step, tiny x 8 .* >= 2.5x \| \d+\.\d\dx/)
  t.notMatch(run.stdout, "Not measured:")
  t.equal(
    await readFile(new URL("../../bench/RESULTS.md", import.meta.url), "utf8"),
    kept,
    "nothing is written",
  )
})

testWithTorch("--cpu-smoke by itself says what it belongs to", async (t) => {
  const run = await execa(process.execPath, [...nodeArguments("bench/run.ts"), "--cpu-smoke"], {
    reject: false,
  })
  t.equal(run.exitCode, 2)
  t.match(run.stderr, /give it with --gpu/)
})
