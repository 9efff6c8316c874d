import { test } from "tap"
import { auditWeight, sequenceWeightMoments } from "../../src/audit/findings-objective.js"
import { close } from "../metric/toy.js"

const EPS = 1e-3

void test("where the mass lies", (t) => {
  const [published, nelbo] = [auditWeight("dsigma", EPS), auditWeight("nelbo", EPS)]
  // Closed form (ln(a/eps) - (a - eps)) / mass, evaluated independently in float64.
  for (const [alpha, share, nelboShare] of [
    [0.002, 0.11713925317265415, 0.001001001001001001],
    [0.005, 0.2717049254256234, 0.004004004004004004],
    [0.01, 0.3881672170706564, 0.00900900900900901],
    [0.02, 0.5037833068061626, 0.019019019019019017],
    [0.05, 0.6537794887476883, 0.049049049049049054],
    [0.1, 0.762625963206982, 0.0990990990990991],
    [0.25, 0.8923132993198695, 0.24924924924924924],
    [0.5, 0.9673116973980994, 0.4994994994994995],
  ] as const) {
    t.ok(close(published.below(alpha), share, 1e-12), `below ${alpha}`)
    t.ok(close(nelbo.below(alpha), nelboShare, 1e-12), `NELBO below ${alpha}`)
  }
  t.ok(close(published.median, 0.019549049951962803, 1e-10))
  t.ok(close(published.mass, 5.908755278982137, 1e-13))
  t.ok(close(auditWeight("dsigma", 0.1).mass, Math.LN10 - 0.9, 1e-13), "1.4026 at eps = 0.1")
  const moments = sequenceWeightMoments(EPS)
  t.ok(close(moments.mean, 5.914669948931068, 1e-12))
  t.ok(close(moments.sd, 30.857532945738708, 1e-12))
  t.ok(close(sequenceWeightMoments(0.1).mean, 1.558427881104495, 1e-12))
  t.end()
})
