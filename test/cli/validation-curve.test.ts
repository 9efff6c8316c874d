/** The validation curve: fixed windows and masks, and not a bit of the training is changed by it. */
import { readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { test, type Test } from "tap"
import { curveEvaluation } from "../../src/app/validation-curve.js"
import { effectiveEvents } from "../../src/run/events.js"
import { readRun } from "../../src/run/directory.js"
import { loadSpec } from "../../src/spec/spec-file.js"
import { repro, runFolder, smallSpec } from "./small.js"

const STEPS = 15

const points = async (folder: string) =>
  effectiveEvents(await (await readRun(folder)).events()).flatMap((event) =>
    event.type === "validation"
      ? [{ step: event.step, nats: event.nats, tokens: event.tokens, windows: event.windows }]
      : [],
  )

const trained = async (t: Test, spec: string, runs: string, ...set: readonly string[]) => {
  const ended = await repro([
    "run",
    spec,
    "--profile",
    "paper",
    "--runs",
    runs,
    "--json",
    ...set.flatMap((each) => ["--set", each]),
  ])
  t.equal(ended.code, 0, ended.stderr)
  return { ended, folder: await runFolder(runs) }
}

void test("a curve is taken at the start, every N steps and at the end, and training is bit-identical", async (t) => {
  const { folder, spec } = await smallSpec(STEPS)
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const without = await trained(t, spec, join(folder, "without"))
  const curve = ["execution.validation.every=12", "execution.validation.windows=4"]
  const first = await trained(t, spec, join(folder, "with"), ...curve)
  const again = await trained(t, spec, join(folder, "again"), ...curve)

  t.same(await points(without.folder), [], "no curve unless it is asked for")
  const found = await points(first.folder)
  t.same(
    found.map(({ step }) => step),
    [0, 12, 24, 30],
    "2 groups of 15 steps",
  )
  t.same(await points(again.folder), found, "the same windows, masks and bits")
  for (const { nats, tokens, windows } of found) {
    t.equal(windows, 4)
    t.equal(tokens, 4 * 32, "tokens of four windows of 32")
    // A fresh network is near ln 1024 = 6.93 nats a token (a new one predicts nearly uniformly; 1024 pieces).
    t.ok(Math.abs(nats / tokens - Math.log(1024)) < 1, `${nats / tokens}`)
  }
  t.match(first.ended.stderr, /^training: 30 steps in .*, loss .*, validation \d\.\d{4} nats\/token$/m)

  const last = `checkpoints/step-${2 * STEPS}.safetensors`
  const weights = await Promise.all([without, first].map(({ folder: run }) => readFile(join(run, last))))
  t.equal(Buffer.compare(weights[0]!, weights[1]!), 0, "the same weights with and without a curve")
  const [a, b] = await Promise.all([without, first].map(({ folder: run }) => readRun(run)))
  t.equal(a!.manifest.fingerprint, b!.manifest.fingerprint, "no part of the identity")
})

void test("the cheapest evaluation that scores windows takes the points, on windows of the spec", async (t) => {
  const { experiment } = await loadSpec("specs/mdlm_eos.json", "laptop")
  t.match(curveEvaluation(experiment, 16), {
    kind: "discrete-elbo",
    id: "elbo-t8",
    steps: 8,
    seed: 42,
    windows: { length: 64, count: 16 },
  })
  t.match(curveEvaluation(experiment, 1000), { windows: { count: 128 } }, "no more than the evaluation has")
  const causal = await loadSpec("specs/ar_matched.json", "laptop")
  t.match(curveEvaluation(causal.experiment, 16), { kind: "autoregressive", windows: { count: 16 } })
})
