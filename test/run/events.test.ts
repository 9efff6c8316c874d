/** Which events of a log count. */
import { test } from "tap"
import { effectiveEvents, type StoredEvent } from "../../src/run/events.js"

const step = (at: number): StoredEvent => ({ type: "step", step: at }) as StoredEvent

test("a run of 300 000 steps that was resumed keeps each step once, in order", (t) => {
  const first = Array.from({ length: 300_000 }, (_, i) => step(i + 1))
  const again = Array.from({ length: 5 }, (_, i) => step(200_001 + i))
  const resumed = { type: "resumed", step: 200_000 } as StoredEvent
  const kept = effectiveEvents([...first, resumed, ...again])
  t.equal(kept.length, 200_000 + 1 + 5)
  t.same(kept.slice(199_999, 200_002), [step(200_000), resumed, step(200_001)])
  t.end()
})
