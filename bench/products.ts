/** The matrix products of one train step, and how long they take by themselves. */
import type { Contender } from "./contender.js"
import { startReference } from "./contender.js"
import type { Shape } from "./shapes.js"

/** a [batch, m, k] b [batch, k, n]; an operand marked transposed lies in memory the other way round. */
export interface Product {
  readonly times: number
  readonly batch: number
  readonly m: number
  readonly k: number
  readonly n: number
  readonly transposeA: boolean
  readonly transposeB: boolean
}

export interface ProductsAlone {
  readonly seconds: number
  readonly flops: number
}

const VOCABULARY = 1024
const MLP_RATIO = 3

/**
 * Forward and backward products of PR #1241's network, with what follows the last attention at `scored` positions alone,
 * and attention's probabilities kept: the fewest that a step can do with. Products of the noise level's few rows are
 * left out.
 */
export const stepProducts = (
  { layers, width, heads, length, batch }: Shape,
  scored: number,
): readonly Product[] => {
  const positions = batch * length
  const hidden = MLP_RATIO * width
  const plain = { batch: 1, transposeA: false, transposeB: false }
  /** y = x W^T, dx = dy W, dW = dy^T x for x [rows, from] and W [to, from]. */
  const linear = (times: number, rows: number, from: number, to: number): readonly Product[] => [
    { ...plain, times, m: rows, k: from, n: to, transposeB: true },
    { ...plain, times, m: rows, k: to, n: from },
    { ...plain, times, m: to, k: rows, n: from, transposeA: true },
  ]
  const headWidth = width / heads
  const attention = { ...plain, times: layers, batch: batch * heads }
  const scores = { ...attention, m: length, k: headWidth, n: length, transposeB: true }
  const mixed = { ...attention, m: length, k: length, n: headWidth }
  return [
    ...linear(4 * layers - 1, positions, width, width),
    ...linear(layers - 1, positions, width, hidden),
    ...linear(layers - 1, positions, hidden, width),
    ...linear(1, scored, width, width),
    ...linear(1, scored, width, hidden),
    ...linear(1, scored, hidden, width),
    ...linear(1, scored, width, VOCABULARY),
    { ...scores, times: 2 * layers }, // scores; gradient of the probabilities
    { ...mixed, times: 2 * layers }, // output; gradient of the queries
    { ...mixed, times: 2 * layers, transposeA: true }, // gradients of the keys and the values
  ]
}

export const productFlops = (products: readonly Product[]): number =>
  products.reduce((sum, { times, batch, m, k, n }) => sum + 2 * times * batch * m * k * n, 0)

/** Each product by PyTorch in fp32 on operands that are in place, its median over some repetitions, summed. */
export const measureProducts = async (
  shape: Shape,
  scored: number,
  threads: number,
  start: (id: string, threads: number) => Contender = startReference,
): Promise<ProductsAlone> => {
  const products = stepProducts(shape, scored)
  const contender = start("products", threads)
  try {
    const { seconds } = await contender.ask<{ seconds: readonly number[] }>("products", { products, threads })
    return {
      seconds: seconds.reduce((sum, each, i) => sum + each * products[i]!.times, 0),
      flops: productFlops(products),
    }
  } finally {
    await contender.close()
  }
}
