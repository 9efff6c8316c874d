/** A family that no line of `src` names is decoded, planned and trained like the others. */
import { readFile } from "node:fs/promises"
import t from "tap"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import type { TrainingRows } from "../../src/data/rows/training-rows.js"
import { FAMILIES, networkKinds, objectiveKinds } from "../../src/families/index.js"
import { networkOf, registerTraced } from "../../src/families/traced.js"
import { makePlan } from "../../src/plan/plan.js"
import type { Experiment } from "../../src/spec/experiment.js"
import { mergePatch } from "../../src/spec/merge-patch.js"
import { SpecError } from "../../src/spec/spec-error.js"
import { decodeSpec, type LoadedSpec } from "../../src/spec/spec-file.js"
import { train } from "../../src/train/loop.js"
import { initialState } from "../../src/train/state.js"
import { tinyData, tinyExperiment } from "../train/tiny.js"
import { toy } from "../toy/family.js"

t.setTimeout(540_000)

const published = JSON.parse(await readFile("specs/mdlm_eos.json", "utf8")) as Record<string, unknown>

const decode = (patch: object = {}): LoadedSpec => {
  const { model: _model, objective: _objective, ...rest } = published
  const file = mergePatch(
    {
      ...rest,
      model: { kind: "two-tables", width: 8, tableRows: 1088 },
      objective: { kind: "denoise", rate: 0.5 },
    },
    { profiles: { laptop: null, ci: null }, sweep: null, ...patch },
  )
  return decodeSpec(JSON.stringify(file), "toy.json", "paper")
}

const problemsOf = (patch: object): string => {
  try {
    decode(patch)
    return ""
  } catch (error) {
    if (error instanceof SpecError) return error.message
    throw error
  }
}

void t.test("the registered kinds are those of the families, each once", (t) => {
  const networks = FAMILIES.flatMap((family) => family.networks.map(({ kind }) => kind))
  const objectives = FAMILIES.flatMap((family) => family.objectives.map(({ kind }) => kind))
  t.same(networkKinds(), networks)
  t.same(objectiveKinds(), objectives)
  t.equal(new Set(networks).size, networks.length)
  t.equal(new Set(objectives).size, objectives.length)
  t.end()
})

void t.test(
  "a toy family: unknown before, decoded and planned while it is registered, unknown after",
  (t) => {
    t.match(problemsOf({}), /\/model\/kind/)
    const remove = registerTraced(toy)
    const { experiment, fingerprint } = decode()
    t.equal((experiment.model as { kind: string }).kind, "two-tables")
    t.match(fingerprint, /^repro-fp1:/)
    t.match(problemsOf({ model: { width: 7 } }), /\/model\/width: expected an even width, found 7/)
    t.match(problemsOf({ model: { tableRows: 1024 } }), /\/model\/tableRows: expected at least/)
    t.match(problemsOf({ objective: { rate: 2 } }), /\/objective\/rate/)
    const plan = makePlan(decode(), { cores: 2, memory: 8 * 2 ** 30 })
    t.equal(plan.parameters.total, 2 * 1088 * 8 + 8)
    t.same(plan.parameters.groups, [
      { name: "tables", count: 2 * 1088 * 8, blockMatrices: 0 },
      { name: "frozen", count: 8, blockMatrices: 0 },
    ])
    t.equal(plan.memory.gradients, 4 * 2 * 1088 * 8, "a frozen parameter has no gradient")
    t.same(
      plan.streams.map(({ name }) => name).filter((name) => name === "time" || name === "mask"),
      ["mask"],
    )
    t.throws(() => registerTraced(toy), /the kind "two-tables" of the family toy is taken/)
    remove()
    t.match(problemsOf({}), /\/model\/kind/)
    t.end()
  },
)

void t.test("a toy family trains, and what is frozen stays", async (t) => {
  const remove = registerTraced(toy)
  const data = await tinyData()
  let rows: TrainingRows | undefined
  const executor = await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  try {
    const experiment = {
      ...tinyExperiment({
        training: {
          stepsPerGroup: 10,
          optimizer: { kind: "adamw", learningRate: 0.05, betas: [0.9, 0.99], eps: 1e-8, weightDecay: 0.1 },
          schedule: { kind: "constant", warmup: 2, warmupFrom: 0 },
          emaDecay: 0.9,
          emaWarmup: true,
        },
      }),
      ...({
        model: { kind: "two-tables", width: 8, tableRows: 1088 },
        objective: { kind: "denoise", rate: 0.5 },
      } as unknown as Pick<Experiment, "model" | "objective">),
    }
    rows = await data.rows(experiment)
    const losses: number[] = []
    const { state } = await train({
      experiment,
      executor,
      rows,
      onStep: ({ loss }) => void losses.push(loss),
      onCheckpoint: () => Promise.resolve(),
      shouldStop: () => false,
    })
    t.equal(losses.length, 30)
    // Two tables of small random numbers predict the 1024 classes about equally: ln 1024 nats.
    t.ok(Math.abs(losses[0]! - Math.log(1024)) < 0.05, `first loss ${losses[0]}`)
    t.ok(losses.at(-1)! < losses[0]! - 0.02, `last loss ${losses.at(-1)}`)
    const start = initialState(networkOf(experiment), experiment.training)
    t.same(state["scale"]!.data, start["scale"]!.data)
    const [before, after] = [start, state].map((each) => each["table.in"]!.data as Float32Array)
    t.ok(
      before!.some((value, i) => value !== after![i]),
      "what is not frozen moves",
    )
    t.same(
      Object.keys(state).filter((key) => key.endsWith("scale")),
      ["scale"],
      "no moments and no average of what is frozen",
    )
  } finally {
    await rows?.close()
    await data.remove()
    await executor.dispose()
    remove()
  }
})
