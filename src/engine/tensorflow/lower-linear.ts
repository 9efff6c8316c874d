/**
 * Matrix products. Under bf16 their operands are rounded to bf16 and the sums are fp32; the library's own bf16 product
 * rounds its result as well.
 */
import { sizeOf } from "../ir.js"
import type { Lowering, Ref, Rules } from "./lowering.js"

/** A product of matrices in the operands' own type. */
export const rawMatMul = (l: Lowering, a: Ref, b: Ref, transposeA: boolean, transposeB: boolean): Ref =>
  l.op("MatMul", [a, b], { transpose_a: { bool: transposeA }, transpose_b: { bool: transposeB } })

/**
 * A product of stacks of matrices in the operands' own type; batch dimensions broadcast. It starts after `after`
 * is computed.
 */
export const rawBatchMatMul = (
  l: Lowering,
  a: Ref,
  b: Ref,
  transposeA: boolean,
  transposeB: boolean,
  after: readonly Ref[] = [],
): Ref =>
  l.op("BatchMatMulV2", [a, b, ...after.map(control)], {
    adj_x: { bool: transposeA },
    adj_y: { bool: transposeB },
  })

/** An input that only orders: the node waits for it. */
const control = ({ name, type }: Ref): Ref => ({ name: `^${name.replace(/:\d+$/, "")}`, type })

/** An operand of a matrix product in the precision asked for. */
export const operand = (l: Lowering, x: Ref): Ref => (l.options.precision === "bf16" ? l.narrow(x) : x)

export const LINEAR_RULES: Rules<"matMul"> = {
  matMul: (l, node, [a, b]) => {
    const { transposeA, transposeB } = node.attrs
    const left = l.type(node.inputs[0]!).shape
    const right = l.type(node.inputs[1]!).shape
    const { shape } = node.outputs[0]!
    const single = sizeOf(right.slice(0, -2)) === 1
    const leftSingle = sizeOf(left.slice(0, -2)) === 1
    if (single && (leftSingle || !transposeA)) {
      // One matrix on the right: all rows of the left stack go through one product.
      const flatLeft =
        left.length === 2
          ? a!
          : l.reshape(a!, [sizeOf(left) / left[left.length - 1]!, left[left.length - 1]!])
      const flatRight = right.length === 2 ? b! : l.reshape(b!, right.slice(-2))
      const product = l.widen(
        rawMatMul(l, operand(l, flatLeft), operand(l, flatRight), transposeA, transposeB),
      )
      return shape.length === 2 ? product : l.reshape(product, shape)
    }
    return l.widen(rawBatchMatMul(l, operand(l, a!), operand(l, b!), transposeA, transposeB))
  },
}
