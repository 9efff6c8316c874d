/** Our side of the LLaDA measurements, in a process of its own, driven by JSON lines. */
import { stream } from "../../src/diffusion/philox.js"
import { openForward, type ExecutorForward } from "../../src/samplers/executor/forward.js"
import { lladaTexts } from "../../src/samplers/llada/blocks.js"
import { answerLines } from "../answer-lines.js"
import { openSide, openSteps, timed, type Init, type Side } from "../our-side.js"
import { lladaExperiment, lladaRows, type LladaShape } from "./job.js"

let side: Side & { readonly shape: LladaShape }
let train: Awaited<ReturnType<typeof openSteps>> | undefined
let forward: ExecutorForward | undefined

const commands = {
  init: async (init: Init<LladaShape>) => {
    const { shape } = init
    side = { shape, ...(await openSide(await lladaExperiment(shape), init)) }
    return { version: side.executor.version }
  },
  steps: async ({ count }: { readonly count: number }) => {
    const { shape } = side
    const typical = [{ length: shape.length, free: (3 * shape.length) / 4 }]
    train ??= await openSteps(side, typical, (step) => lladaRows(shape, step))
    return train(count)
  },
  sample: async ({
    prompts,
    response,
    block,
    banned,
  }: {
    readonly prompts: readonly (readonly number[])[]
    readonly response: number
    readonly block: number
    readonly banned: readonly number[]
  }) => {
    const { shape, experiment, executor, network, values } = side
    const { maskId, padId } = experiment.data.tokenizer
    forward ??= await openForward(executor, network.sampled!, values, { canvas: shape.length, padId })
    const { result, wall, cpu } = await timed(() =>
      lladaTexts(
        prompts.map((tokens, index) => ({ index, tokens })),
        {
          length: response,
          block,
          steps: response,
          remasking: "low_confidence",
          choice: { temperature: 0, topP: 1 },
          guidance: 0,
          specials: "excluded",
        },
        { forward: forward!.masked, source: stream(7, "sample"), maskId, banned },
      ),
    )
    return { wall, cpu, texts: result.map(({ row }) => Array.from(row)) }
  },
} as const

await answerLines(commands)
await forward?.dispose()
process.exit(0)
