/** Masking: which tokens of a sequence are replaced by MASK. */

/** Special ids of a corpus, and whether boundary tokens may be masked. */
export interface MaskRule {
  readonly maskId: number
  readonly padId: number
  readonly boundaryId: number
  /** free: boundary tokens are never masked, so a model gets them as side information. */
  readonly boundary: "free" | "maskable"
}

/** Whether a token takes part in the diffusion. PAD never does. */
export const isMaskable = ({ padId, boundaryId, boundary }: MaskRule, token: number): boolean =>
  token !== padId && (boundary === "maskable" || token !== boundaryId)

/** Positions of `tokens` that may be masked. */
export const maskablePositions = (rule: MaskRule, tokens: ArrayLike<number>): readonly number[] => {
  const positions: number[] = []
  for (let i = 0; i < tokens.length; i++) if (isMaskable(rule, tokens[i]!)) positions.push(i)
  return positions
}

/** Positions of the first `length` that are masked independently with the given probability: free, and uniform below it. */
export const drawnPositions = (
  length: number,
  free: (position: number) => boolean,
  probability: number,
  uniforms: ArrayLike<number>,
): readonly number[] => {
  const positions: number[] = []
  for (let i = 0; i < length; i++) if (uniforms[i]! < probability && free(i)) positions.push(i)
  return positions
}

/** The same of the maskable tokens of a row. */
export const maskByProbability = (
  rule: MaskRule,
  tokens: ArrayLike<number>,
  probability: number,
  uniforms: ArrayLike<number>,
): readonly number[] =>
  drawnPositions(tokens.length, (i) => isMaskable(rule, tokens[i]!), probability, uniforms)

/** Exactly k maskable positions, a uniform choice: those with the k smallest uniforms. Ascending. */
export const maskByCount = (
  rule: MaskRule,
  tokens: ArrayLike<number>,
  k: number,
  uniforms: ArrayLike<number>,
): readonly number[] => {
  const maskable = maskablePositions(rule, tokens)
  if (k < 0 || k > maskable.length)
    throw new RangeError(`cannot mask ${k} of ${maskable.length} maskable tokens`)
  return maskable
    .toSorted((a, b) => uniforms[a]! - uniforms[b]! || a - b)
    .slice(0, k)
    .toSorted((a, b) => a - b)
}

/** The count for a time in [0, 1]: uniform on 1..n when the time is uniform; 0 when nothing is maskable. */
export const countOfTime = (maskable: number, t: number): number =>
  maskable === 0 ? 0 : Math.min(maskable, Math.floor(t * maskable) + 1)
