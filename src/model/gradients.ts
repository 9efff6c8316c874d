/**
 * Gradients of the TensorFlow.js kernels that the networks use.
 *
 * `@tensorflow/tfjs-core` registers no gradient in Node, and its own modules for them cannot be imported there.
 * The rules below are written so that a traced gradient has no needless nodes: no full-size `ones`, no
 * reshape or sum where shapes already agree. A kernel without a rule fails by name when it is differentiated.
 */
import * as tf from "@tensorflow/tfjs-core"

type T = tf.Tensor
type Attrs = Readonly<Record<string, unknown>>
type Pullback = Readonly<Record<string, () => T>>

interface Rule {
  readonly kernel: string
  readonly save?: readonly string[]
  readonly saveAll?: boolean
  /** Save the first output; it follows the saved inputs. */
  readonly saveOutput?: boolean
  readonly pull: (dy: T, saved: readonly T[], attrs: Attrs) => Pullback
}

const rank = (x: T): number => x.shape.length
const positive = (axis: number, of: T): number => (axis < 0 ? axis + rank(of) : axis)

/**
 * `dy` summed over the axes along which `shape` was broadcast. Always a new tensor: the tape disposes of what a
 * rule returns once it is accumulated.
 */
const unbroadcast = (dy: T, shape: readonly number[]): T => {
  const lead = rank(dy) - shape.length
  const axes = dy.shape.flatMap((d, i) => (i < lead || (shape[i - lead] === 1 && d !== 1) ? [i] : []))
  if (axes.length === 0 && lead === 0) return tf.clone(dy)
  const sum = axes.length === 0 ? dy : tf.sum(dy, axes)
  return tf.util.arraysEqual(sum.shape, [...shape]) ? sum : tf.reshape(sum, [...shape])
}

/** Rule of an elementwise function of one input saved as `x`. */
const ofInput = (kernel: string, pull: (dy: T, x: T) => T): Rule => ({
  kernel,
  save: ["x"],
  pull: (dy, [x]) => ({ x: () => pull(dy, x!) }),
})

/** Rule of an elementwise function whose derivative is a function of its output. */
const ofOutput = (kernel: string, pull: (dy: T, y: T) => T): Rule => ({
  kernel,
  saveOutput: true,
  pull: (dy, [y]) => ({ x: () => pull(dy, y!) }),
})

const linear = (kernel: string, pull: (dy: T) => T): Rule => ({
  kernel,
  pull: (dy) => ({ x: () => pull(dy) }),
})

const binary = (kernel: string, a: (dy: T, a: T, b: T) => T, b: (dy: T, a: T, b: T) => T): Rule => ({
  kernel,
  save: ["a", "b"],
  pull: (dy, [x, y]) => ({
    a: () => unbroadcast(a(dy, x!, y!), x!.shape),
    b: () => unbroadcast(b(dy, x!, y!), y!.shape),
  }),
})

const asFloat = (x: T): T => tf.cast(x, "float32")

/** The reduced `dy` in a shape that broadcasts over the input. */
const keepDims = (dy: T, x: T, axis: unknown): T => {
  const axes = tf.util.parseAxisParam((axis ?? x.shape.map((_, i) => i)) as number | number[], x.shape)
  return tf.reshape(
    dy,
    x.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
  )
}

/** A reduction to the extreme entry: entries that equal it share the gradient in full, as TensorFlow's `Max` does. */
const extreme = (kernel: string, axisName: string): Rule => ({
  kernel,
  save: ["x"],
  saveOutput: true,
  pull: (dy, [x, y], attrs) => ({
    x: () => {
      const axis = attrs[axisName]
      return tf.mul(keepDims(dy, x!, axis), asFloat(tf.equal(x!, keepDims(y!, x!, axis))))
    },
  }),
})

const matMulRule: Rule = {
  kernel: tf.BatchMatMul,
  save: ["a", "b"],
  pull: (dy, [a, b], attrs) => {
    const { transposeA: ta, transposeB: tb } = attrs as { transposeA: boolean; transposeB: boolean }
    return {
      a: () => unbroadcast(ta ? tf.matMul(b!, dy, tb, true) : tf.matMul(dy, b!, false, !tb), a!.shape),
      b: () => unbroadcast(tb ? tf.matMul(dy, a!, true, ta) : tf.matMul(a!, dy, !ta, false), b!.shape),
    }
  },
}

const gatherRule: Rule = {
  kernel: tf.GatherV2,
  save: ["x", "indices"],
  pull: (dy, [x, indices], attrs) => {
    const { axis, batchDims } = attrs as { axis: number; batchDims: number }
    if (batchDims !== 0)
      throw new Error("gather: the gradient with batchDims is not supported; flatten the batch")
    const at = positive(axis, x!)
    const outer = x!.shape.slice(0, at)
    const inner = x!.shape.slice(at + 1)
    return {
      x: () => {
        const flat = tf.reshape(indices!, [indices!.size]) as tf.Tensor1D
        const rows = tf.reshape(dy, [...outer, indices!.size, ...inner])
        if (at === 0) return tf.unsortedSegmentSum(rows, flat, x!.shape[0]!)
        const order = [at, ...outer.keys(), ...inner.map((_, i) => at + 1 + i)]
        const back = order.map((_, i) => order.indexOf(i))
        const sums = tf.unsortedSegmentSum(tf.transpose(rows, order), flat, x!.shape[at]!)
        return tf.transpose(sums, back)
      },
    }
  },
}

const concatRule: Rule = {
  kernel: tf.Concat,
  saveAll: true,
  pull: (dy, inputs, attrs) => {
    const axis = positive(attrs["axis"] as number, dy)
    const parts: Record<string, () => T> = {}
    let start = 0
    inputs.forEach((x, i) => {
      const begin = dy.shape.map((_, d) => (d === axis ? start : 0))
      parts[i] = () => tf.slice(dy, begin, [...x.shape])
      start += x.shape[axis]!
    })
    return parts
  },
}

const sliceRule: Rule = {
  kernel: tf.Slice,
  save: ["x"],
  pull: (dy, [x], attrs) => {
    const begin = attrs["begin"] as number | number[]
    const at = x!.shape.map((_, i) => (typeof begin === "number" ? (i === 0 ? begin : 0) : (begin[i] ?? 0)))
    return {
      x: () =>
        tf.pad(
          dy,
          x!.shape.map((d, i) => [at[i]!, d - at[i]! - dy.shape[i]!] as [number, number]),
        ),
    }
  },
}

const tileRule: Rule = {
  kernel: tf.Tile,
  save: ["x"],
  pull: (dy, [x], attrs) => ({
    x: () => {
      const reps = attrs["reps"] as number[]
      const folded = tf.reshape(
        dy,
        x!.shape.flatMap((d, i) => [reps[i]!, d]),
      )
      return tf.sum(
        folded,
        x!.shape.map((_, i) => 2 * i),
      )
    },
  }),
}

/** What is true or false of its inputs does not change with them. */
const flat = (kernel: string, ...names: readonly string[]): Rule => ({
  kernel,
  save: names,
  pull: (_, saved) => Object.fromEntries(names.map((name, i) => [name, () => tf.zeros(saved[i]!.shape)])),
})

const RULES: readonly Rule[] = [
  ...[tf.Equal, tf.NotEqual, tf.Less, tf.LessEqual, tf.Greater, tf.GreaterEqual].map((k) =>
    flat(k, "a", "b"),
  ),
  ...[tf.LogicalAnd, tf.LogicalOr].map((k) => flat(k, "a", "b")),
  flat(tf.LogicalNot, "x"),
  linear(tf.Identity, (dy) => asFloat(dy)),
  linear(tf.Cast, (dy) => asFloat(dy)),
  linear(tf.Neg, tf.neg),
  { kernel: tf.Reshape, save: ["x"], pull: (dy, [x]) => ({ x: () => tf.reshape(dy, x!.shape) }) },
  { kernel: tf.ExpandDims, save: ["input"], pull: (dy, [x]) => ({ input: () => tf.reshape(dy, x!.shape) }) },
  {
    kernel: tf.Transpose,
    pull: (dy, _, attrs) => {
      const perm = attrs["perm"] as number[]
      return {
        x: () =>
          tf.transpose(
            dy,
            perm.map((_unused, i) => perm.indexOf(i)),
          ),
      }
    },
  },
  { kernel: tf.BroadcastTo, save: ["x"], pull: (dy, [x]) => ({ x: () => unbroadcast(dy, x!.shape) }) },
  tileRule,
  concatRule,
  {
    kernel: tf.Pack,
    saveAll: true,
    pull: (dy, inputs, attrs) => {
      const parts = tf.unstack(dy, attrs["axis"] as number)
      return Object.fromEntries(inputs.map((_, i) => [i, () => parts[i]!]))
    },
  },
  {
    kernel: tf.Unpack,
    pull: (dy, _, attrs) => ({ value: () => tf.stack(dy as unknown as T[], attrs["axis"] as number) }),
  },
  {
    kernel: tf.SplitV,
    pull: (dy, _, attrs) => ({ x: () => tf.concat(dy as unknown as T[], attrs["axis"] as number) }),
  },
  sliceRule,
  {
    kernel: tf.PadV2,
    save: ["x"],
    pull: (dy, [x], attrs) => {
      const before = (attrs["paddings"] as [number, number][]).map(([b]) => b)
      return { x: () => tf.slice(dy, before, x!.shape) }
    },
  },
  { kernel: tf.Reverse, pull: (dy, _, attrs) => ({ x: () => tf.reverse(dy, attrs["dims"] as number[]) }) },
  binary(
    tf.Add,
    (dy) => dy,
    (dy) => dy,
  ),
  binary(
    tf.Sub,
    (dy) => dy,
    (dy) => tf.neg(dy),
  ),
  binary(
    tf.Multiply,
    (dy, _, b) => tf.mul(dy, asFloat(b)),
    (dy, a) => tf.mul(dy, asFloat(a)),
  ),
  binary(
    tf.RealDiv,
    (dy, _, b) => tf.div(dy, asFloat(b)),
    (dy, a, b) => tf.neg(tf.div(tf.mul(dy, asFloat(a)), tf.square(asFloat(b)))),
  ),
  binary(
    tf.Pow,
    (dy, a, b) => tf.mul(dy, tf.mul(asFloat(b), tf.pow(a, tf.sub(asFloat(b), 1)))),
    (dy, a, b) => tf.mul(dy, tf.mul(tf.pow(a, b), tf.where(tf.greater(a, 0), tf.log(a), tf.zerosLike(a)))),
  ),
  binary(
    tf.Maximum,
    (dy, a, b) => tf.mul(dy, asFloat(tf.greaterEqual(a, b))),
    (dy, a, b) => tf.mul(dy, asFloat(tf.less(a, b))),
  ),
  binary(
    tf.Minimum,
    (dy, a, b) => tf.mul(dy, asFloat(tf.lessEqual(a, b))),
    (dy, a, b) => tf.mul(dy, asFloat(tf.greater(a, b))),
  ),
  binary(
    tf.SquaredDifference,
    (dy, a, b) => tf.mul(dy, tf.mul(2, tf.sub(a, b))),
    (dy, a, b) => tf.mul(dy, tf.mul(2, tf.sub(b, a))),
  ),
  {
    kernel: tf.AddN,
    saveAll: true,
    pull: (dy, inputs) => Object.fromEntries(inputs.map((_, i) => [i, () => tf.clone(dy)])),
  },
  ofInput(tf.Abs, (dy, x) => tf.mul(dy, tf.sign(x))),
  ofOutput(tf.Exp, (dy, y) => tf.mul(dy, y)),
  ofInput(tf.Log, (dy, x) => tf.div(dy, x)),
  ofInput(tf.Log1p, (dy, x) => tf.div(dy, tf.add(x, 1))),
  ofOutput(tf.Sqrt, (dy, y) => tf.div(tf.mul(dy, 0.5), y)),
  ofOutput(tf.Rsqrt, (dy, y) => tf.mul(tf.mul(dy, -0.5), tf.mul(y, tf.square(y)))),
  ofOutput(tf.Reciprocal, (dy, y) => tf.neg(tf.mul(dy, tf.square(y)))),
  ofInput(tf.Square, (dy, x) => tf.mul(dy, tf.mul(x, 2))),
  ofInput(tf.Relu, (dy, x) => tf.mul(dy, tf.step(x))),
  ofOutput(tf.Sigmoid, (dy, y) => tf.mul(dy, tf.mul(y, tf.sub(1, y)))),
  ofOutput(tf.Tanh, (dy, y) => tf.mul(dy, tf.sub(1, tf.square(y)))),
  ofInput(tf.Erf, (dy, x) => tf.mul(dy, tf.mul(2 / Math.sqrt(Math.PI), tf.exp(tf.neg(tf.square(x)))))),
  ofInput(tf.Softplus, (dy, x) => tf.mul(dy, tf.sigmoid(x))),
  ofInput(tf.Sin, (dy, x) => tf.mul(dy, tf.cos(x))),
  ofInput(tf.Cos, (dy, x) => tf.neg(tf.mul(dy, tf.sin(x)))),
  ofOutput(tf.Elu, (dy, y) => tf.mul(dy, tf.add(tf.minimum(y, 0), 1))),
  ofInput(tf.Ceil, (dy) => tf.zerosLike(dy)),
  ofInput(tf.Step, (dy) => tf.zerosLike(dy)),
  ofInput(tf.Floor, (dy) => tf.zerosLike(dy)),
  ofInput(tf.Sign, (dy) => tf.zerosLike(dy)),
  ofInput(tf.ZerosLike, (dy) => tf.zerosLike(dy)),
  ofInput(tf.OnesLike, (dy) => tf.zerosLike(dy)),
  {
    kernel: tf.ClipByValue,
    save: ["x"],
    pull: (dy, [x], attrs) => {
      const { clipValueMin: low, clipValueMax: high } = attrs as {
        clipValueMin: number
        clipValueMax: number
      }
      const inside = (): T => tf.logicalAnd(tf.greaterEqual(x!, low), tf.lessEqual(x!, high))
      return { x: () => tf.mul(dy, asFloat(inside())) }
    },
  },
  {
    kernel: tf.Sum,
    save: ["x"],
    pull: (dy, [x], attrs) => ({ x: () => tf.broadcastTo(keepDims(dy, x!, attrs["axis"]), x!.shape) }),
  },
  {
    kernel: tf.Mean,
    save: ["x"],
    pull: (dy, [x], attrs) => ({
      x: () => {
        const spread = keepDims(dy, x!, attrs["axis"])
        return tf.broadcastTo(tf.mul(spread, spread.size / x!.size), x!.shape)
      },
    }),
  },
  extreme(tf.Max, "reductionIndices"),
  extreme(tf.Min, "axis"),
  {
    kernel: tf.Cumsum,
    pull: (dy, _, attrs) => {
      const { axis, exclusive, reverse } = attrs as { axis: number; exclusive: boolean; reverse: boolean }
      return { x: () => tf.cumsum(dy, axis, exclusive, !reverse) }
    },
  },
  matMulRule,
  {
    kernel: tf.Softmax,
    saveOutput: true,
    pull: (dy, [y]) => ({
      logits: () => {
        const weighted = tf.mul(dy, y!)
        return tf.sub(weighted, tf.mul(tf.sum(weighted, -1, true), y!))
      },
    }),
  },
  {
    kernel: tf.LogSoftmax,
    saveOutput: true,
    pull: (dy, [y]) => ({ logits: () => tf.sub(dy, tf.mul(tf.sum(dy, -1, true), tf.exp(y!))) }),
  },
  gatherRule,
  {
    kernel: tf.UnsortedSegmentSum,
    save: ["segmentIds"],
    pull: (dy, [ids]) => ({ x: () => tf.gather(dy, ids!) }),
  },
  {
    kernel: tf.Select,
    save: ["condition"],
    pull: (dy, [condition]) => ({
      condition: () => tf.zeros(condition!.shape),
      t: () => tf.mul(dy, asFloat(condition!)),
      e: () => tf.mul(dy, asFloat(tf.logicalNot(condition!))),
    }),
  },
]

/** Registers every gradient that is not yet registered. */
export const registerGradients = (): void => {
  for (const { kernel, save, saveAll, saveOutput, pull } of RULES) {
    if (tf.getGradient(kernel) !== undefined) continue
    tf.registerGradient({
      kernelName: kernel,
      ...(save === undefined ? {} : { inputsToSave: [...save] }),
      ...(saveAll === undefined ? {} : { saveAllInputs: saveAll }),
      ...(saveOutput === undefined ? {} : { outputsToSave: [saveOutput] }),
      gradFunc: (dy, saved, attrs) => pull(dy as T, saved, attrs as Attrs),
    })
  }
}
