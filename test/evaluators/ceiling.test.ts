/** How often a sampler could be right at best, where one row is all that there is. */
import t from "tap"
import { openSpec } from "../../src/app/open-spec.js"
import { ceilingOf } from "../../src/evaluators/samples/ceiling.js"
import { ceilingIn, sampleFigures } from "../../src/evaluators/samples/figures.js"
import type { SampleItem } from "../../src/evaluators/samples/item.js"
import type { Samples } from "../../src/evaluators/samples/schema.js"

const { experiment } = await openSpec("flexmdm_tinygsm_overfit", "laptop")
const { boundaryId } = experiment.data.tokenizer
const start = (target: readonly number[]) => ({
  index: 0,
  prefix: [30, 31],
  suffix: [boundaryId],
  prompt: [30, 31],
  target,
})
const TEXTS = 600
const evaluation = (steps?: number): Samples => ({
  kind: "samples",
  id: "s",
  count: 1,
  seeds: [0, ...Array.from({ length: TEXTS - 1 }, (_, k) => k + 1)],
  from: "validation",
  sampling: {
    sampler: steps === undefined ? "events" : "tau",
    temperature: 0,
    ...(steps === undefined ? {} : { steps, rule: "exactly-one" }),
  },
})

void t.test("a faultless network with the random numbers of the texts", async (t) => {
  for (const length of [1, 3]) {
    const target = [5, 6, 7].slice(0, length)
    const { ceiling } = await ceilingOf(evaluation(2), { experiment }, [start(target)])
    const [exact, arrival, known] = ceiling!.data as Float64Array
    // Of two steps the first inserts Poisson(m / 2) and the last nothing: exp(-m / 2) (m / 2)^m / m!.
    const chance = length === 1 ? Math.exp(-0.5) / 2 : (Math.exp(-1.5) * 1.5 ** 3) / 6
    t.ok(Math.abs(exact! - chance) < 1e-15)
    t.ok(Math.abs(arrival! - 0.5 ** length) < 1e-15, "each token on its own: half of them")
    // Nothing is revealed before the end, so it is exact where its length is; four standard errors.
    const error = 4 * Math.sqrt((chance * (1 - chance)) / TEXTS)
    t.ok(Math.abs(known! / TEXTS - chance) < error, `${known} of ${TEXTS}, ${chance}`)
    t.same(ceilingIn(ceiling), { ceiling: { exact, arrival, known } })
    const again = await ceilingOf(evaluation(2), { experiment }, [start(target)])
    t.same(again.ceiling!.data, ceiling!.data)
  }
})

void t.test("none of several rows, of rows without a target, of samplers without steps", async (t) => {
  const one = start([5, 6, 7])
  const { target: _target, ...open } = one
  t.same(await ceilingOf(evaluation(2), { experiment }, [one, { ...one, index: 1 }]), {})
  t.same(await ceilingOf(evaluation(2), { experiment }, [open]), {})
  t.same(await ceilingOf(evaluation(), { experiment }, [one]), {})
})

const item = (text: string): SampleItem => ({
  item: 0,
  seed: 0,
  tokens: [5],
  text,
  prompt: "p",
  target: "y",
  given: 3,
  room: 20,
  forwards: 2,
  exit: "complete",
})

const notes = (data: readonly number[]): string =>
  sampleFigures(evaluation(2), [item("y"), item("x")], undefined, {
    dataset: "synthetic",
    tokenizer: { id: "t" },
    padId: 9,
    maskId: 8,
    ...ceilingIn({ dtype: "F64", shape: [data.length], data: Float64Array.from(data) }),
  })
    .find(({ name }) => name === "exact")!
    .notes.join(" ")

void t.test("stands beside the share of exact texts; evidence of before it says less", (t) => {
  t.match(notes([0.3033, 0.5, 1]), /1 of 2 texts\..* at most 30\.3 % .* it is exact in 1 of 2\.$/)
  t.match(notes([0.3033, 0.5]), /at most 30\.3 % .*on its own, 50\.0 %\)\.$/)
  t.same(ceilingIn(undefined), {})
  t.end()
})
