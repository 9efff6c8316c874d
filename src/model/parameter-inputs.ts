/** Parameters as inputs of a graph. */
import type { TraceInput } from "../engine/trace/trace.js"
import type { ParameterSpec } from "./parameters.js"

/** Those that the executor keeps in a type of their own are `frozen`, the others `parameter`. */
export const parameterInputs = (specs: readonly ParameterSpec[]): readonly TraceInput[] =>
  specs.map(({ name, shape, frozen, storage }) =>
    frozen === true && storage !== undefined
      ? { name, kind: "frozen", dtype: "f32", shape, storage }
      : { name, kind: "parameter", dtype: "f32", shape },
  )
