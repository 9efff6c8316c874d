import { test } from "tap"
import { auditWeight, sequenceWeightMoments } from "../../src/audit/findings-objective.js"
import {
  constantLoss,
  initialCrossEntropy,
  lossNoise,
  trainingSizeWeights,
  weightAt,
  weightRatio,
} from "../../src/audit/objective-audit.js"
import { close, meanNatsBySize, total, TOY, X } from "../metric/toy.js"

const EPS = 1e-3

void test("the two weights over time", (t) => {
  // Closed forms of alpha(t) = 1 - 0.999 t, evaluated independently in float64: t, published, NELBO, their ratio.
  for (const [time, published, nelbo, ratio] of [
    [0.001, 0.999998999000001, 1000.0000000000279, 0.000999998998999973],
    [0.1, 1.1098766803688478, 10.000000000000002, 0.11098766803688477],
    [0.25, 1.3315561479506832, 3.9999999999999996, 0.3328890369876708],
    [0.5, 1.9960039960039961, 1.9999999999999998, 0.9980019980019982],
    [0.75, 3.9840478564307076, 1.3333333333333335, 2.9880358923230306],
    [0.9, 9.900891972249752, 1.1111111111111112, 8.910802775024777],
    [0.99, 90.90081892629618, 1.0101010101010102, 89.9918107370332],
    [1, 998.9999999999991, 1, 998.9999999999991],
  ] as const) {
    t.ok(close(weightAt("dsigma", time, EPS), published, 1e-12), `published at ${time}`)
    t.ok(close(weightAt("nelbo", time, EPS), nelbo, 1e-12), `NELBO at ${time}`)
    t.ok(close(weightRatio(time, EPS), ratio, 1e-12), `ratio at ${time}`)
  }
  t.end()
})

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
  // Coefficient of variation 5.2171: 0.92 over 32 sequences, 0.092 over 3200.
  t.ok(close(lossNoise(EPS, 1), 5.217118319732355, 1e-12))
  t.equal(lossNoise(EPS, 32).toFixed(2), "0.92")
  t.equal(lossNoise(EPS, 3200).toFixed(3), "0.092")
  t.end()
})

void test("losses of models that know nothing", (t) => {
  // Mass times ln 1024; a head of logit variance 1/3 costs ln 1024 + 1/6.
  t.ok(close(constantLoss("dsigma", Math.log(1024), EPS), 40.956370622451615, 1e-12))
  t.ok(close(constantLoss("nelbo", Math.log(1024), EPS), 6.924540333793853, 1e-12))
  const initial = initialCrossEntropy(1024, 1 / 3)
  t.ok(close(initial, 7.09813847226612, 1e-12))
  t.ok(close(constantLoss("dsigma", initial, EPS), 41.94116316894864, 1e-12))
  t.end()
})

void test("losses of the toy", (t) => {
  const bySize = meanNatsBySize(TOY, X)
  const loss = (weights: Float64Array): number => total(weights.map((w, k) => w * bySize[k]!)) / 3
  // Computed independently by quadrature in float64.
  t.ok(close(loss(trainingSizeWeights("dsigma", EPS, 3)), 3.868787210554098, 1e-9))
  t.ok(close(loss(trainingSizeWeights("nelbo", 0, 3)), 1.0891881429916348, 1e-12))
  // A constant cost gives the mass: sum over k of weight * k / L.
  for (const length of [1, 3, 64, 200]) {
    const mass = total(trainingSizeWeights("dsigma", EPS, length).map((w, k) => (w * k) / length))
    t.ok(close(mass, 5.908755278982137, 1e-9), `L = ${length}: ${mass}`)
    const nelbo = total(trainingSizeWeights("nelbo", EPS, length).map((w, k) => (w * k) / length))
    t.ok(close(nelbo, 0.999, 1e-12), `NELBO, L = ${length}`)
  }
  t.end()
})
