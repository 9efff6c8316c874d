/**
 * Samplers over an executor: what a pass answers, against float64 arithmetic on the same logits, and texts that do not
 * depend on what they are sampled with.
 */
import t from "tap"
import { LINEAR } from "../../src/diffusion/insertion/schedule.js"
import { stream } from "../../src/diffusion/philox.js"
import { choiceDistribution, chooseToken, probabilitiesOf } from "../../src/samplers/choice.js"
import { CONFIDENCES, confidenceOf, softmaxOfRates } from "../../src/samplers/confidence.js"
import { batchesOf, roomFor, rowsOf, widthsOf } from "../../src/samplers/executor/batches.js"
import { openForward } from "../../src/samplers/executor/forward.js"
import { runTogether } from "../../src/samplers/executor/together.js"
import { EVENT_DEFAULTS, eventTexts } from "../../src/samplers/flexmdm/events.js"
import { leapTexts, type FlexJob, type LeapSettings } from "../../src/samplers/flexmdm/leap.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { cpu, flexmdmNetwork, tfjsExecutor } from "./networks.js"

t.setTimeout(300_000)
const [PAD, MASK, CLASSES, CANVAS] = [38, 39, 40, 12]
const { network, values } = await flexmdmNetwork("F")
const eager = await tfjsExecutor()
const compiled = await makeOnnxruntimeExecutor(cpu)

t.test("a pass answers as float64 arithmetic on its probabilities does", async (t) => {
  const forward = await openForward(eager, network, values, { canvas: CANVAS, padId: PAD })
  const states = [
    { tokens: Int32Array.of(MASK, 3, MASK, 7, MASK, 1, MASK), t: 0.3 },
    { tokens: Int32Array.of(MASK, MASK), t: 0.8 },
  ]
  const pass = await forward.forward(states)
  t.equal(forward.forwards(), 2)
  t.same(
    pass.gaps.map(({ length }) => length),
    [8, 3],
    "a gap for each slot, the last one after the row",
  )
  const at = states.flatMap(({ tokens }, row) =>
    [...tokens].flatMap((token, position) => (token === MASK ? [{ row, position }] : [])),
  )
  const byId = await Promise.all(Array.from({ length: CLASSES }, (_, id) => pass.probability(at, id)))
  t.same(await pass.probability(at, CLASSES + 3), new Float64Array(at.length), "no such class")
  const logits = at.map((_, k) => byId.map((p) => Math.log(p[k]!)))
  const banned = [PAD, MASK]
  for (const kind of CONFIDENCES) {
    for (const ranking of [{ of: "logits" }, { of: "rates", hazard: 3 }] as const) {
      const ours = await pass.confidence(at, kind, ranking, banned)
      at.forEach(({ position }, k) => {
        const p = probabilitiesOf(logits[k]!, banned)
        const of = ranking.of === "rates" ? softmaxOfRates(p, ranking.hazard) : p
        const expected = confidenceOf(kind, of, position)
        // float32 sums of 40 terms
        t.ok(
          Math.abs(ours[k]! - expected) < 1e-5 * Math.max(1, Math.abs(expected)),
          `${kind} of ${ranking.of}`,
        )
      })
    }
  }
  const uniforms = at.map((_, k) => (k + 0.37) / at.length)
  for (const rule of [
    { temperature: 1, topP: 1, banned },
    { temperature: 0.6, topP: 0.8, banned: [MASK] },
    { temperature: 1, topP: 0.7, nucleus: "strict", topK: 9, banned },
    { temperature: 0, topP: 1, banned },
  ] as const) {
    const { tokens, probabilities } = await pass.draw(
      at.map((place, k) => ({ ...place, uniform: uniforms[k]! })),
      rule,
    )
    at.forEach((_, k) => {
      t.equal(tokens[k], chooseToken(logits[k]!, rule, uniforms[k]!))
      t.ok(choiceDistribution(logits[k]!, rule)[tokens[k]!]! > 0)
      t.ok(Math.abs(probabilities[k]! - probabilitiesOf(logits[k]!, rule.banned)[tokens[k]!]!) < 1e-5)
    })
  }
  await forward.dispose()
})

const base: LeapSettings = {
  steps: 8,
  grid: "even",
  unmasking: { kind: "leap", fire: "survival" },
  insertion: "survival",
  overflow: "clip",
  last: "draw",
  choice: { temperature: 1, topP: 1 },
  specials: "excluded",
}
const confident: LeapSettings = {
  ...base,
  unmasking: { kind: "confidence", by: "prob_diff", hazard: true, ranking: "logits", tokens: "draw" },
}

const texts = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ index, prefix: [1 + (index % 3)], suffix: [] }))

t.test("text k is the same for any count and batch, on any executor", async (t) => {
  const sample = async (
    count: number,
    batch: number,
    executor: typeof eager,
    how: "leap" | "confidence" | "events",
    together?: number,
  ) => {
    const forward = await openForward(executor, network, values, { canvas: CANVAS, padId: PAD, batch })
    const job: FlexJob = {
      forward,
      model: { schedules: LINEAR, padId: PAD, maskId: MASK, canvas: CANVAS, anchored: false },
      source: stream(11, "sample"),
    }
    const found =
      how === "events"
        ? await eventTexts(
            texts(count),
            { ...EVENT_DEFAULTS, choice: base.choice, ...(together === undefined ? {} : { together }) },
            job,
          )
        : await leapTexts(texts(count), how === "leap" ? base : confident, job)
    t.equal(
      forward.forwards(),
      found.reduce((n, text) => n + text.forwards, 0),
      "forward passes of the network are those of the texts",
    )
    await forward.dispose()
    return found.map(({ row }) => row.join(" "))
  }
  for (const how of ["leap", "confidence", "events"] as const) {
    const five = await sample(5, 64, compiled, how)
    t.ok(new Set(five).size > 1)
    t.ok(five.every((row) => !row.includes(String(MASK))))
    t.same(await sample(1, 64, compiled, how), five.slice(0, 1), `${how}: one text`)
    t.same(await sample(2, 1, compiled, how), five.slice(0, 2), `${how}: two, one in a pass`)
    t.same(await sample(5, 3, compiled, how), five, `${how}: three in a pass`)
    t.same(await sample(2, 2, eager, how), five.slice(0, 2), `${how}: another executor`)
  }
  t.same(
    await sample(5, 64, compiled, "events", 2),
    await sample(5, 64, compiled, "events"),
    "with two texts open at a time",
  )
})

t.test("batches", (t) => {
  t.same(widthsOf(257), [40, 72, 136, 257])
  t.same(widthsOf(13), [8, 13])
  t.equal(rowsOf(4096, 8), 1)
  t.equal(roomFor(5, 128, 64), 8)
  t.equal(roomFor(5, 128, 6), 6)
  const widths = widthsOf(64)
  const lengths = [3, 60, 9, 30, 2, 17]
  const batches = batchesOf(lengths, (n) => widths.find((width) => width >= n)!, 2)
  t.same(batches, [
    { width: 64, rows: [1, 3] },
    { width: 32, rows: [5, 2] },
    { width: 8, rows: [0, 4] },
  ])
  t.end()
})

t.test("requests of one turn are answered by one run, and each of them fails with it", async (t) => {
  const runs: string[] = []
  const ask = runTogether<number, number>(async (key, items) => {
    runs.push(`${key} ${items.join(",")}`)
    if (key === "bad") throw new Error("no")
    return items.map((x) => 2 * x)
  })
  const all = await Promise.all([ask("a", [1, 2]), ask("b", [3]), ask("a", [4]), ask("a", [])])
  t.same(all, [[2, 4], [6], [8], []])
  t.same(runs, ["a 1,2,4", "b 3"])
  await t.rejects(Promise.all([ask("bad", [1]), ask("bad", [2])]), /no/)
})
