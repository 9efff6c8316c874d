import t from "tap"
import { revealSteps } from "../../src/diffusion/reveal-steps.js"
import { chain } from "../../src/diffusion/reveal.js"

const schedule = { kind: "log-linear", eps: 1e-3 } as const

void t.test("quarters of [0, 1) for four steps: alpha is linear in the step", (t) => {
  const below = 1 - 2 ** -53
  const found = revealSteps(schedule, 4, [0, 0.2499, 0.2501, 0.4999, 0.5001, 0.7499, 0.7501, below])
  t.same([...found], [1, 1, 2, 2, 3, 3, 4, 4])
  t.same([...revealSteps(schedule, 1, [0, 0.5, below])], [1, 1, 1], "one step reveals everything")
  t.throws(() => revealSteps(schedule, 0, []), /at least one step/)
  t.throws(() => revealSteps(schedule, 1.5, []), /at least one step/)
  t.end()
})

void t.test("the law is that of revealing step by step", (t) => {
  // P(step = k) = r_k * prod over j > k of (1 - r_j), from the chain of the T-step bound; grid of 10^5 uniforms, so
  // each share is off by at most 1e-5.
  for (const steps of [2, 3, 7, 50]) {
    const grid = Float64Array.from({ length: 100_000 }, (_, i) => (i + 0.5) / 100_000)
    const shares = new Float64Array(steps + 1)
    for (const k of revealSteps(schedule, steps, grid)) shares[k]! += 1e-5
    let masked = 1
    for (const { k, reveal } of [...chain(schedule, steps)].reverse()) {
      if (Math.abs(shares[k]! - masked * reveal) > 1.1e-5) t.fail(`T=${steps}, k=${k}: ${shares[k]}`)
      masked *= 1 - reveal
    }
    t.equal(masked, 0)
  }
  t.end()
})
