/** Our side of the FlexMDM measurements, in a process of its own, driven by JSON lines. */
import { stream } from "../../src/diffusion/philox.js"
import { openForward, type ExecutorForward } from "../../src/samplers/executor/forward.js"
import { EVENT_DEFAULTS, eventTexts } from "../../src/samplers/flexmdm/events.js"
import { leapTexts, type FlexModel, type FlexText } from "../../src/samplers/flexmdm/leap.js"
import { growingSettings } from "../../src/samplers/flexmdm/settings.js"
import type { FlexForward } from "../../src/samplers/forward.js"
import { answerLines } from "../answer-lines.js"
import { openSide, openSteps, timed, type Init, type Side } from "../our-side.js"
import { insertionExperiment, insertionRows, type InsertionShape } from "./job.js"

let side: Side & { readonly shape: InsertionShape }
let train: Awaited<ReturnType<typeof openSteps>> | undefined
let forward: ExecutorForward | undefined

/** Every slot expects its part of what is missing to `target` tokens, so that texts grow as data of that length do. */
const growingTo = (
  inner: FlexForward,
  target: number,
  spent: { wall: number; cpu: number },
): FlexForward => ({
  forward: async (states) => {
    const { result, wall, cpu } = await timed(() => inner.forward(states))
    spent.wall += wall
    spent.cpu += cpu
    const gaps = result.gaps.map((own) =>
      new Float64Array(own.length).fill(Math.max(0, target - own.length) / own.length),
    )
    return { ...result, gaps }
  },
})

const commands = {
  init: async (init: Init<InsertionShape>) => {
    const { shape } = init
    side = { shape, ...(await openSide(await insertionExperiment(shape), init)) }
    return { version: side.executor.version }
  },
  steps: async ({ count }: { readonly count: number }) => {
    const { shape, experiment } = side
    // The anchor is never noised.
    const typical = [{ length: shape.canvas, free: shape.canvas - 1 }]
    train ??= await openSteps(side, typical, (step) => insertionRows(shape, experiment, step))
    return train(count)
  },
  sample: async ({ how, texts, steps }: { how: "tau" | "events"; texts: number; steps: number }) => {
    const { shape, experiment, executor, network, values } = side
    const { boundaryId, maskId, padId } = experiment.data.tokenizer
    const sampled = network.sampled!
    forward ??= await openForward(executor, sampled, values, { canvas: shape.canvas, padId })
    const body = { wall: 0, cpu: 0 }
    const model: FlexModel = {
      schedules: { insertion: { kind: "linear" }, unmasking: { kind: "linear" } },
      padId,
      maskId,
      canvas: shape.canvas,
      given: [boundaryId],
      anchored: true,
    }
    const job = { forward: growingTo(forward, shape.canvas, body), model, source: stream(7, "sample") }
    const starts = Array.from({ length: texts }, (_, index) => ({ index, prefix: [], suffix: [boundaryId] }))
    const choice = { temperature: 1, topP: 1 }
    const { result, wall, cpu } = await timed(async (): Promise<readonly FlexText[]> => {
      if (how === "events") return eventTexts(starts, { ...EVENT_DEFAULTS, choice }, job)
      const asked = growingSettings({ sampler: "tau", steps, rule: "exactly-one", grid: "short", choice })
      if (asked.kind !== "steps") throw new Error("tau has steps")
      return leapTexts(starts, asked.settings, job)
    })
    const tokens = result.reduce((sum, { row }) => sum + row.filter((id) => id !== padId).length, 0)
    return {
      wall,
      cpu,
      body,
      passes: result.reduce((sum, { forwards }) => sum + forwards, 0),
      meanLength: tokens / texts,
    }
  },
} as const

await answerLines(commands)
await forward?.dispose()
process.exit(0)
