/** Schedules over the whole run, parameter groups and the warm-up of the average. All host arithmetic in float64. */
import { readFile } from "node:fs/promises"
import { test } from "tap"
import { learningRateFactor } from "../../src/model/learning-rate.js"
import { applyUpdate, describeUpdate } from "../../src/model/optimizer.js"
import { optimizerState, rateOf, updateScalars } from "../../src/model/optimizer-state.js"
import type { ParameterSpec } from "../../src/model/parameters.js"
import * as tf from "../../src/model/tf.js"
import type { AdamWOptimizer, LearningRateSchedule } from "../../src/spec/training.js"
import { decodeSpec, type LoadedSpec } from "../../src/spec/spec-file.js"
import { SpecError } from "../../src/spec/spec-error.js"

await tf.useCpuBackend()

const near = (a: number, b: number, tolerance = 1e-12): boolean => Math.abs(a - b) <= tolerance

const at = (schedule: LearningRateSchedule, steps: number, step: number): number =>
  learningRateFactor({ schedule, stepsPerGroup: steps }, step, 1)

test("fall and rise: the factors of transformers with five whole periods", async (t) => {
  // Written by transformers 4.49.0 itself; its float64 arithmetic differs from ours in the order of products.
  const { runs } = JSON.parse(await readFile("test/model/oracle/cosine-cycles.json", "utf8")) as {
    readonly runs: readonly {
      readonly steps: number
      readonly warmup: number
      readonly factor: Readonly<Record<string, number>>
    }[]
  }
  t.equal(runs.length, 3)
  for (const { steps, warmup, factor } of runs) {
    const schedule = {
      kind: "cosine",
      warmup,
      warmupFrom: 0,
      cycles: 5,
      cycle: "fall-and-rise",
      floor: 0,
    } as const
    const wrong = Object.entries(factor).filter(
      ([step, expected]) => !near(at(schedule, steps, Number(step)), expected, 1e-9),
    )
    t.same(wrong, [], `${steps} steps`)
  }
})

test("fall: one cycle is a plain cosine; ten begin at the peak again", (t) => {
  const one = { kind: "cosine", warmup: 10, warmupFrom: 1e-6, cycles: 1, cycle: "fall", floor: 0 } as const
  t.equal(at(one, 110, 0), 1e-6)
  t.ok(near(at(one, 110, 5), 0.5 + 0.5e-6), "half of the warm-up: 1e-6 + (1 - 1e-6) / 2")
  t.equal(at(one, 110, 10), 1)
  t.ok(near(at(one, 110, 60), 0.5))
  t.ok(near(at(one, 110, 110), 0))
  const ten = { ...one, warmup: 0, cycles: 10, floor: 0.1 } as const
  t.equal(at(ten, 100, 0), 1)
  t.ok(near(at(ten, 100, 5), 0.55), "0.1 + 0.9 / 2")
  t.equal(at(ten, 100, 10), 1, "a warm restart")
  t.ok(near(at(ten, 100, 100), 0.1), "the end of the run is that of the last cycle")
  t.end()
})

test("constant after a warm-up", (t) => {
  const schedule = { kind: "constant", warmup: 2000, warmupFrom: 0 } as const
  t.equal(at(schedule, 5000, 0), 0)
  t.equal(at(schedule, 5000, 500), 0.25)
  t.equal(at(schedule, 5000, 2000), 1)
  t.equal(at(schedule, 5000, 4999), 1)
  t.end()
})

const spec = (name: string, frozen?: true): ParameterSpec => ({
  name,
  shape: [1],
  init: { kind: "constant", value: 1 },
  group: "rest",
  ...(frozen === undefined ? {} : { frozen }),
})

const grouped: AdamWOptimizer = {
  kind: "adamw",
  learningRate: 0.1,
  betas: [0.9, 0.99],
  eps: 1e-8,
  weightDecay: 0.5,
  groups: [
    { match: "\\.lora_", weightDecay: 0 },
    { match: "norm|bias", learningRate: 0.01, weightDecay: 0.25 },
  ],
}

test("a parameter has the settings of the first group that its name matches", (t) => {
  const names = ["w", "q.lora_A", "norm.lora_B", "x.bias"]
  t.same(
    names.map((name) => rateOf(grouped, spec(name))),
    ["adamw", "group0", "group0", "group1"],
  )
  const scalars = updateScalars({ optimizer: grouped }, 0, 0.5)
  // The learning rate over Adam's first bias correction 1 - 0.9.
  t.ok(near(scalars["rate/adamw"]!, 0.05 / 0.1) && near(scalars["rate/group0"]!, 0.05 / 0.1))
  t.ok(near(scalars["rate/group1"]!, 0.005 / 0.1))
  t.ok(near(scalars["keep/adamw"]!, 1 - 0.05 * 0.5) && near(scalars["keep/group1"]!, 1 - 0.005 * 0.25))
  t.equal(scalars["keep/group0"], undefined, "nothing decays there")
  t.equal(describeUpdate({ optimizer: grouped, clipNorm: 0 }), undefined, "one rate does not describe it")
  t.end()
})

const tensors = (names: readonly string[], value: number) =>
  Object.fromEntries(names.map((name) => [name, tf.tensor1d([value])]))
const value = async (tensor: tf.Tensor): Promise<number> => (await tensor.data())[0]!

test("one step: groups, a frozen parameter and the average's warm-up", async (t) => {
  const specs = [spec("w"), spec("q.lora_A"), spec("x.bias"), spec("base", true)]
  const training = { optimizer: grouped, clipNorm: 0, emaDecay: 0.9999, emaWarmup: true } as const
  const state = optimizerState(specs, training)
  t.same(
    state.map(({ name }) => name).filter((name) => name.endsWith("base")),
    [],
  )
  const scalars = updateScalars(training, 0, 1)
  const next = applyUpdate(specs, training, {
    parameters: tensors(["w", "q.lora_A", "x.bias", "base"], 1),
    gradients: tensors(["w", "q.lora_A", "x.bias"], 2),
    state: Object.fromEntries(
      state.map(({ name }) => [name, tf.tensor1d([name.startsWith("ema/") ? 1 : 0])]),
    ),
    scalars: Object.fromEntries(Object.entries(scalars).map(([name, value]) => [name, tf.scalar(value)])),
  })
  // Adam's first step is the learning rate whatever the gradient; decay is learning rate times weight decay. Float32.
  const expected = { w: 1 - 0.05 - 0.1, "q.lora_A": 1 - 0.1, "x.bias": 1 - 0.0025 - 0.01 }
  for (const [name, wanted] of Object.entries(expected)) {
    t.ok(near(await value(next.parameters[name]!), wanted, 1e-6), name)
    // After one update the average keeps (1 + 1) / (10 + 1).
    const average = (2 / 11) * 1 + (9 / 11) * wanted
    t.ok(near(await value(next.state[`ema/${name}`]!), average, 1e-6), `average of ${name}`)
  }
  t.equal(next.parameters["base"], undefined, "a frozen parameter is not updated")
  // Three gradients of 2.
  t.ok(near(await value(next.gradNorm), Math.sqrt(12), 1e-6))
  t.equal(updateScalars(training, 1e6, 1)["average/keep"], 0.9999)
})

/** A published configuration alone: its profiles set optimiser and schedule of their own. */
const publishedSpec = async (name: string): Promise<LoadedSpec> => {
  const document = JSON.parse(await readFile(`specs/${name}.json`, "utf8")) as object
  return decodeSpec(JSON.stringify({ ...document, profiles: {} }), `${name}.json`, "paper")
}

test("a spec may say all of it, and mistakes are named", async (t) => {
  const base = await publishedSpec("ar_matched")
  const { kind, learningRate, betas, eps, weightDecay } = base.experiment.training.optimizer as AdamWOptimizer
  t.equal(kind, "adamw")
  const schedule = {
    warmdown: null,
    shape: null,
    restart: null,
    kind: "cosine",
    warmup: 5,
    warmupFrom: 0,
    cycles: 2,
    cycle: "fall",
    floor: 0,
  }
  const groups = [{ match: "head", weightDecay: 0 }]
  const changed = base.with({
    training: {
      schedule,
      emaDecay: 0.99,
      emaWarmup: true,
      optimizer: { kind, learningRate, betas, eps, weightDecay, groups },
    },
  })
  t.equal(changed.experiment.training.schedule.kind, "cosine")
  t.not(changed.fingerprint, base.fingerprint)
  const problems = (patch: Readonly<Record<string, unknown>>): string => {
    try {
      base.with({ training: patch })
      return ""
    } catch (error) {
      if (error instanceof SpecError) return error.message
      throw error
    }
  }
  t.match(problems({ emaWarmup: true, emaDecay: null }), /\/training\/emaDecay: expected the decay/)
  t.match(problems({ schedule: { ...schedule, cycles: 0 } }), /\/training\/schedule\/cycles/)
  t.match(
    problems({ schedule: { ...schedule, warmup: 1e9 } }),
    /\/training\/schedule\/warmup: expected at most/,
  )
  t.match(problems({ schedule: { warmup: "x" } }), /\/training\/schedule\/warmup/, "no kind: the first form")
  t.match(
    problems({ optimizer: { groups: [{ match: "(" }] } }),
    /\/training\/optimizer\/groups\/0\/match: expected a regular expression/,
  )
})

test("a network stands under its own system", async (t) => {
  const base = await publishedSpec("mdlm_eos")
  const patch = {
    system: "flexmdm-8b",
    data: { tokenizer: { vocabSize: 126_464, maskId: 126_464, padId: 126_465 } },
    model: { tableRows: 126_466 },
  }
  t.throws(
    () => base.with(patch),
    /\/system: expected "mdlm" for a network of kind "mdlm", found "flexmdm-8b"/,
  )
  const smaller = {
    data: { tokenizer: { vocabSize: 60_000, maskId: 60_000, padId: 60_001 } },
    model: { tableRows: 60_002 },
  }
  t.equal(base.with({ ...smaller, system: "mdlm" }).experiment.data.tokenizer.vocabSize, 60_000)
})
