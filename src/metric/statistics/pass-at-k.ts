/** pass@k from n samples of an item, c of them right. */

/**
 * The unbiased estimate 1 - C(n-c, k) / C(n, k) as a product (Chen et al. 2021, arXiv 2107.03374, eq. 1); 1 where fewer
 * than k samples are wrong.
 *
 * @throws RangeError unless 0 <= c <= n and 1 <= k <= n
 */
export const passAtK = (n: number, c: number, k: number): number => {
  if (![n, c, k].every(Number.isInteger) || c < 0 || c > n || k < 1 || k > n)
    throw new RangeError(`pass@k needs 0 <= c <= n and 1 <= k <= n, found n ${n}, c ${c}, k ${k}`)
  if (n - c < k) return 1
  let wrong = 1
  for (let i = n - c + 1; i <= n; i++) wrong *= 1 - k / i
  return 1 - wrong
}
