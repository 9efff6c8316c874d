/** Random graphs of elementwise operations with others between them. */
import { fc } from "../fuzz.js"
import { GraphBuilder } from "../../src/engine/builder.js"
import type { Graph, Value } from "../../src/engine/ir.js"

const OPERATIONS = ["add", "sub", "mul", "maximum", "square", "relu", "softmax", "scale", "shift"] as const

export interface Recipe {
  readonly operation: (typeof OPERATIONS)[number]
  /** Which earlier values are taken, counted from the latest. */
  readonly from: readonly [number, number]
}

export const recipes: fc.Arbitrary<readonly Recipe[]> = fc.array(
  fc.record({
    operation: fc.constantFrom(...OPERATIONS),
    from: fc.tuple(fc.nat({ max: 5 }), fc.nat({ max: 8 })),
  }),
  { minLength: 2, maxLength: 24 },
)

/** Inputs `x` and `y` [size, size] and `row` [1, size]; every fourth value and the last are outputs. */
export const graphOf = (recipe: readonly Recipe[], size: number): Graph => {
  const g = new GraphBuilder()
  const type = { dtype: "f32", shape: [size, size] } as const
  const values: Value[] = [g.input("x", "feed", type), g.input("y", "feed", type)]
  const row = g.input("row", "feed", { dtype: "f32", shape: [1, size] })
  const total = g.input("total", "feed", { dtype: "f32", shape: [] })
  for (const { operation, from } of recipe) {
    const [a, b] = from.map((back) => values[Math.max(0, values.length - 1 - back)]!) as [Value, Value]
    values.push(
      operation === "softmax" || operation === "relu"
        ? g.op(operation, [a], {})
        : operation === "square"
          ? g.op("square", [g.op("mul", [a, g.scalar(0.5)], {})], {})
          : operation === "scale"
            ? g.op("mul", [a, row], {})
            : operation === "shift"
              ? // A reduction of everything before, as the norm of all gradients is.
                g.op(
                  "add",
                  [a, g.op("mul", [total, g.op("reduceMean", [b], { axes: [0, 1], keepDims: false })], {})],
                  {},
                )
              : g.op(operation, [a, b], {}),
    )
  }
  return g.build(
    "random",
    values.flatMap((value, i) => (i % 4 === 3 || i === values.length - 1 ? [{ name: `v${i}`, value }] : [])),
  )
}
