/** Normal and Student-t distributions in float64. */
import { logGamma } from "../code/boundary.js"

/** Continued fraction of the incomplete beta function (Lentz). */
const betaFraction = (x: number, a: number, b: number): number => {
  const tiny = 1e-300
  let c = 1
  let d = 1 - ((a + b) * x) / (a + 1)
  d = 1 / (Math.abs(d) < tiny ? tiny : d)
  let result = d
  for (let m = 1; m <= 500; m++) {
    for (const numerator of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 + numerator * d
      d = 1 / (Math.abs(d) < tiny ? tiny : d)
      c = 1 + numerator / c
      if (Math.abs(c) < tiny) c = tiny
      result *= d * c
    }
    if (Math.abs(d * c - 1) < 1e-16) break
  }
  return result
}

/** Regularised incomplete beta function I_x(a, b). */
export const incompleteBeta = (x: number, a: number, b: number): number => {
  if (x <= 0) return 0
  if (x >= 1) return 1
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x))
  return x < (a + 1) / (a + b + 2)
    ? (front * betaFraction(x, a, b)) / a
    : 1 - (front * betaFraction(1 - x, b, a)) / b
}

/** P(T <= t) with `freedom` degrees of freedom. */
export const studentCdf = (t: number, freedom: number): number => {
  const tail = incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2
  return t > 0 ? 1 - tail : tail
}

/** P(|T| >= |t|): the two-sided p-value, without the cancellation of 1 - studentCdf. */
export const studentTail = (t: number, freedom: number): number =>
  incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5)

/** P(F >= f) with `between` and `residual` degrees of freedom. */
export const fisherTail = (f: number, between: number, residual: number): number =>
  f <= 0 ? 1 : incompleteBeta(residual / (residual + between * f), residual / 2, between / 2)

/** P(Z <= z): series near zero, continued fraction in the tail. */
export const normalCdf = (z: number): number => {
  const x = Math.abs(z) / Math.SQRT2
  let tail: number
  if (x < 2) {
    let [term, sum] = [x, x]
    for (let n = 1; n < 60; n++) {
      term *= (-x * x) / n
      sum += term / (2 * n + 1)
    }
    tail = 0.5 - sum / Math.sqrt(Math.PI)
  } else {
    let fraction = 0
    for (let n = 60; n >= 1; n--) fraction = n / 2 / (x + fraction)
    tail = Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction) / 2
  }
  return z > 0 ? 1 - tail : tail
}

/** Where an increasing distribution function reaches p, by bisection. */
const invert = (cdf: (x: number) => number, p: number): number => {
  if (!(p > 0 && p < 1)) throw new RangeError(`a quantile needs a probability between 0 and 1, found ${p}`)
  if (p === 0.5) return 0
  if (p < 0.5) return -invert(cdf, 1 - p)
  let [lo, hi] = [0, 1]
  while (cdf(hi) < p && hi < 1e12) hi *= 2
  for (let i = 0; i < 200 && lo < hi; i++) {
    const middle = (lo + hi) / 2
    if (middle === lo || middle === hi) break
    if (cdf(middle) < p) lo = middle
    else hi = middle
  }
  return (lo + hi) / 2
}

export const normalQuantile = (p: number): number => invert(normalCdf, p)

/** @throws RangeError for less than one degree of freedom or a probability outside (0, 1) */
export const studentQuantile = (p: number, freedom: number): number => {
  if (!(freedom >= 1))
    throw new RangeError(`Student's t needs one degree of freedom at least, found ${freedom}`)
  return invert((t) => studentCdf(t, freedom), p)
}
