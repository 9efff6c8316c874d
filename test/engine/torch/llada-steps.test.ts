/** Steps of LLaDA's sampler inside the worker: the same texts as step by step, in fewer requests. */
import t from "tap"
import type { Evaluator, Executor } from "../../../src/engine/executor.js"
import { stream } from "../../../src/diffusion/philox.js"
import { openForward } from "../../../src/samplers/executor/forward.js"
import { lladaTexts, type LladaSettings, type LladaText } from "../../../src/samplers/llada/blocks.js"
import { LLADA_MASK, LLADA_PAD, lladaNetwork } from "../../samplers/networks.js"
import { openTorch, testWithTorch } from "./available.js"

t.setTimeout(300_000)
const { network, values } = await lladaNetwork(false)

const SETTINGS: LladaSettings = {
  length: 16,
  block: 8,
  steps: 16,
  remasking: "low_confidence",
  choice: { temperature: 0, topP: 1 },
  guidance: 0,
  specials: "excluded",
}

/** Prompts of three tokens; 40 of them go through the network in more than one batch of 32. */
const PROMPTS = Array.from({ length: 40 }, (_, index) => ({
  index,
  tokens: [(7 * index) % 190, (3 * index + 1) % 190, 5],
}))

/** The executor with a count of its requests; `most`: repeats are made of so many steps at most. */
const counted = (
  executor: Executor,
  { repeats = true, most = Infinity }: { repeats?: boolean; most?: number },
) => {
  const requests = { run: 0, repeat: 0 }
  const { repeats: _own, ...others } = executor
  const evaluator: Executor["evaluator"] = async (...given): Promise<Evaluator> => {
    const made = await executor.evaluator(...given)
    return {
      ...made,
      run: (feeds) => {
        requests.run++
        return made.run(feeds)
      },
      repeat: async ({ steps, feeds, each, carried }) => {
        let [now, result] = [feeds, (await Promise.resolve({})) as Awaited<ReturnType<Evaluator["run"]>>]
        for (let from = 0; from < steps; from += most) {
          const to = Math.min(steps, from + most)
          const own = Object.fromEntries(
            Object.entries(each).map(([name, { shape, data }]) => {
              const size = data.length / shape[0]!
              return [
                name,
                { shape: [to - from, ...shape.slice(1)], data: data.slice(from * size, to * size) },
              ]
            }),
          )
          requests.repeat++
          result = await made.repeat!({ steps: to - from, feeds: now, each: own, carried })
          now = { ...now, ...Object.fromEntries(Object.entries(carried).map(([o, f]) => [f, result[o]!])) }
        }
        return result
      },
    }
  }
  return { executor: { ...others, evaluator, ...(repeats ? { repeats } : {}) }, requests }
}

const sample = async (executor: Executor, change: Partial<LladaSettings> = {}) => {
  const forward = await openForward(executor, network, values, { canvas: 19, padId: LLADA_PAD, batch: 32 })
  const texts = await lladaTexts(
    PROMPTS,
    { ...SETTINGS, ...change },
    {
      forward: forward.masked,
      source: stream(5, "sample"),
      maskId: LLADA_MASK,
      banned: [LLADA_PAD],
    },
  )
  const forwards = forward.forwards()
  await forward.dispose()
  return { texts, forwards }
}
const rowsOf = ({ texts }: { readonly texts: readonly LladaText[] }) =>
  texts.map(({ row, forwards }) => [...row, forwards])

const CASES: Readonly<Record<string, Partial<LladaSettings>>> = {
  "the most probable": {},
  "two a step, a block as long as the response": { block: 16, steps: 8 },
  "more steps than masks": { steps: 40 },
  "random remasking": { remasking: "random" },
  "drawn at T = 0.7": { choice: { temperature: 0.7, topP: 1 } },
  "drawn from a nucleus, random remasking": { choice: { temperature: 1, topP: 0.9 }, remasking: "random" },
  "MASK and PAD may be candidates": { specials: "as-published", steps: 4 },
}

testWithTorch("texts are those of step by step, bit for bit, in one request a batch", async (t) => {
  const executor = await openTorch(t)
  for (const [name, change] of Object.entries(CASES)) {
    const [inside, outside] = [counted(executor, {}), counted(executor, { repeats: false })]
    const once = await sample(inside.executor, change)
    const stepwise = await sample(outside.executor, change)
    t.same(rowsOf(once), rowsOf(stepwise), name)
    t.equal(once.forwards, stepwise.forwards, `${name}: passes`)
    t.same(inside.requests, { run: 0, repeat: 2 }, `${name}: two batches, a request each`)
    const steps = stepwise.texts[0]!.forwards
    t.equal(outside.requests.run, 3 * steps, `${name}: two bodies and a head each step`)
    t.equal(outside.requests.repeat, 0)
  }
})

testWithTorch("how many steps a request makes changes no bit; guidance goes step by step", async (t) => {
  const executor = await openTorch(t)
  const whole = await sample(executor, CASES["drawn at T = 0.7"])
  for (const most of [1, 5]) {
    const cut = counted(executor, { most })
    t.same(rowsOf(await sample(cut.executor, CASES["drawn at T = 0.7"])), rowsOf(whole))
    t.equal(cut.requests.repeat, 2 * Math.ceil(16 / most))
  }
  const guided = counted(executor, {})
  await sample(guided.executor, { guidance: 0.5, steps: 2 })
  t.equal(guided.requests.repeat, 0)
})

testWithTorch("a stop is heard between requests", async (t) => {
  const executor = await openTorch(t)
  const forward = await openForward(executor, network, values, { canvas: 203, padId: LLADA_PAD })
  let asked = 0
  const texts = await lladaTexts(
    PROMPTS.slice(0, 1),
    { ...SETTINGS, length: 200, block: 100, steps: 200 },
    {
      forward: forward.masked,
      source: stream(5, "sample"),
      maskId: LLADA_MASK,
      banned: [LLADA_PAD],
      stopping: () => ++asked > 2,
    },
  )
  t.same(texts, [])
  t.equal(asked, 3, "after 128 of 200 steps")
  await forward.dispose()
})
