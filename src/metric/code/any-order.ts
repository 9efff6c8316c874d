/**
 * The any-order bound: the NELBO of the absorbing process with the mask rate integrated out.
 *
 * For a window of L maskable tokens, in nats:
 *
 *   sum over k = 1..L of (1/k) E_{|S| = k}[ CE(S) ]  =  L E_{k ~ U{1..L}}[ CE(S_k) / k ]
 *
 * where S is a uniform set of k masked positions and CE(S) the sum over S of -ln p(x_i | the rest). It equals the
 * mean over all L! orders of the chain-rule code length, so it is an upper bound on the code length of the mixture
 * of orders, and it is the limit T -> infinity, eps -> 0 of the T-step NELBO. Derivation: a mask rate u contributes
 * (1/u) du, and the integral of (1/u) C(L,k) u^k (1-u)^(L-k) over 0..1 is C(L,k) B(k, L-k+1) = 1/k.
 *
 * Positions that are never masked (boundary tokens, PAD) are not maskable: they cost nothing here and must be
 * charged on their own (`boundary.ts`).
 */

export interface AnyOrderInput {
  readonly windows: number
  /** Mask sets drawn per window. */
  readonly draws: number
  /** [windows] maskable tokens, L */
  readonly maskable: ArrayLike<number>
  /** [windows, draws] size of the mask set, 1..L; ignored where L is 0 */
  readonly masked: ArrayLike<number>
  /** [windows, draws] sum of the masked tokens' cross-entropies, nats */
  readonly nats: ArrayLike<number>
}

export interface AnyOrderBits {
  readonly bits: number
  readonly perWindowBits: Float64Array
  /**
   * Variance of `bits` over mask draws alone, bits squared; undefined with fewer than two draws. Sizes are stratified:
   * from the differences of successive draws, the estimator v2 of systematic sampling (Wolter 2007, Introduction to
   * Variance Estimation, section 8.2), for which the trend over sizes is no noise.
   */
  readonly monteCarloVariance: number | undefined
}

/**
 * Stratified sizes of `draws` mask sets of a window of `maskable` tokens: k_j = ceil(L (j - offset) / K), j = 1..K.
 * Over a uniform offset each size is equally likely, so the estimate stays unbiased.
 *
 * @param offset in [0, 1)
 */
export const stratifiedSizes = (maskable: number, draws: number, offset: number): Int32Array =>
  Int32Array.from({ length: draws }, (_, j) =>
    Math.min(maskable, Math.max(1, Math.ceil((maskable * (j + 1 - offset)) / draws))),
  )

/** @throws RangeError when the evidence's sizes do not fit together, or a mask set is empty or too large */
export const anyOrder = (input: AnyOrderInput): AnyOrderBits => {
  const { windows, draws, maskable, masked, nats } = input
  for (const [name, array, expected] of [
    ["maskable", maskable, windows],
    ["masked", masked, windows * draws],
    ["nats", nats, windows * draws],
  ] as const) {
    if (array.length !== expected)
      throw new RangeError(`any-order bound: ${name} has ${array.length} entries, expected ${expected}`)
  }
  const perWindowBits = new Float64Array(windows)
  let [bits, variance] = [0, 0]
  for (let w = 0; w < windows; w++) {
    const length = maskable[w]!
    if (length === 0) continue
    let [sum, squares, previous] = [0, 0, 0]
    for (let j = 0; j < draws; j++) {
      const k = masked[w * draws + j]!
      if (!(k >= 1 && k <= length))
        throw new RangeError(
          `any-order bound: draw ${j} of window ${w} masks ${k} tokens, expected 1 to ${length}`,
        )
      const estimate = (length * nats[w * draws + j]!) / k / Math.LN2
      sum += estimate
      if (j > 0) squares += (estimate - previous) ** 2
      previous = estimate
    }
    const mean = sum / draws
    perWindowBits[w] = mean
    bits += mean
    if (draws > 1) variance += squares / 2 / (draws - 1) / draws
  }
  return { bits, perWindowBits, monteCarloVariance: draws > 1 ? variance : undefined }
}

/** C(n, k) p^k (1-p)^(n-k) for k = 0..n, by the ratio of neighbours from the mode (no underflow at n = 2048). */
export const binomialProbabilities = (n: number, p: number): Float64Array => {
  const out = new Float64Array(n + 1)
  if (p <= 0 || p >= 1) {
    out[p <= 0 ? 0 : n] = 1
    return out
  }
  const odds = p / (1 - p)
  const mode = Math.min(n, Math.floor((n + 1) * p))
  out[mode] = 1
  for (let k = mode; k < n; k++) out[k + 1] = (out[k]! * odds * (n - k)) / (k + 1)
  for (let k = mode; k > 0; k--) out[k - 1] = (out[k]! * k) / (odds * (n - k + 1))
  const total = out.reduce((x, y) => x + y, 0)
  return out.map((x) => x / total)
}

/**
 * Weight of E_{|S| = k}[CE(S)] in the T-step NELBO of L maskable tokens, k = 0..L: sum over t of r_t P(Bin(L, 1 -
 * alpha_t) = k). Evidence drawn by size k gives L_T with the mask-count noise integrated out; the prior term
 * `content * alpha_T * ln V` comes on top.
 *
 * @param alphas alpha_0 .. alpha_T
 */
export const discreteSizeWeights = (alphas: ArrayLike<number>, maskable: number): Float64Array => {
  const weights = new Float64Array(maskable + 1)
  for (let t = 1; t < alphas.length; t++) {
    const reveal = (alphas[t - 1]! - alphas[t]!) / (1 - alphas[t]!)
    binomialProbabilities(maskable, 1 - alphas[t]!).forEach((p, k) => (weights[k]! += reveal * p))
  }
  weights[0] = 0
  return weights
}

/**
 * The same of the continuous-time NELBO down to alpha = eps: P(Bin(L, 1 - eps) >= k) / k; 1/k at eps = 0, the
 * any-order bound. The prior term `content * eps * ln V` comes on top.
 */
export const continuousSizeWeights = (eps: number, maskable: number): Float64Array => {
  const weights = binomialProbabilities(maskable, 1 - eps)
  let tail = 0
  for (let k = maskable; k >= 1; k--) {
    tail += weights[k]!
    weights[k] = Math.min(1, tail) / k
  }
  weights[0] = 0
  return weights
}
