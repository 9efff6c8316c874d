/**
 * Where a training weight puts its mass, as a function of the visible fraction alpha.
 *
 * For the log-linear schedule alpha(t) = 1 - (1 - eps) t the expected loss per token is the integral over alpha of
 * density(alpha) * c(alpha), c being the cross-entropy of one masked token when a fraction alpha is visible:
 * the NELBO has density 1 and the weight dsigma has density (1 - alpha) / alpha.
 */

export interface WeightAudit {
  /** Integral of the density over [eps, 1]. */
  readonly mass: number
  /** Share of the mass where less than this fraction is visible. */
  readonly below: (alpha: number) => number
  /** Visible fraction that halves the mass. */
  readonly median: number
}

type AuditedWeight = "dsigma" | "nelbo"

const integral: Readonly<Record<AuditedWeight, (eps: number, alpha: number) => number>> = {
  dsigma: (eps, alpha) => Math.log(alpha / eps) - (alpha - eps),
  nelbo: (eps, alpha) => alpha - eps,
}

export const auditWeight = (weight: AuditedWeight, eps: number): WeightAudit => {
  const mass = integral[weight](eps, 1)
  const below = (alpha: number): number => integral[weight](eps, Math.min(1, Math.max(eps, alpha))) / mass
  let [lo, hi] = [eps, 1]
  for (let step = 0; step < 100; step++) {
    const middle = (lo + hi) / 2
    if (below(middle) < 0.5) lo = middle
    else hi = middle
  }
  return { mass, below, median: (lo + hi) / 2 }
}

/** Mean and standard deviation of one sequence's weight (1 - alpha) / alpha of the published objective, alpha uniform on [eps, 1]. */
export const sequenceWeightMoments = (eps: number): { readonly mean: number; readonly sd: number } => {
  const span = 1 - eps
  const mean = (-Math.log(eps) - span) / span
  const second = (1 / eps - 1 + 2 * Math.log(eps) + span) / span
  return { mean, sd: Math.sqrt(second - mean * mean) }
}
