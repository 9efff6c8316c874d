/**
 * The numbers of the two public implementations (goldens/README.md) on every executor, values and gradients: logits 5e-5
 * absolute, gaps 2e-5 relative, losses 5e-6 relative, gradients 5e-5 of the largest entry of their parameter, as the
 * goldens' README gives them for the eager oracle.
 */
import t from "tap"
import type { Executor, HostTensors } from "../../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../../src/engine/onnxruntime/index.js"
import { makeTensorflowExecutor } from "../../../src/engine/tensorflow/index.js"
import { makeTfjsExecutor } from "../../../src/engine/tfjs/index.js"
import { trace, type TraceInput } from "../../../src/engine/trace/trace.js"
import { flexmdmGaps, flexmdmHidden, flexmdmLogits } from "../../../src/families/flexmdm/network.js"
import { get, type Tensors } from "../../../src/model/layers.js"
import * as tf from "../../../src/model/tf.js"
import { flexmdmLoss } from "../../../src/objectives/flexmdm/loss.js"
import { testWithLibrary } from "../../engine/tensorflow/available.js"
import { openTorch, testWithTorch } from "../../engine/torch/available.js"
import { forwardCases, lossCases, type ForwardCase, type LossCase } from "./cases.js"

type Tap = Pick<import("tap").Test, "ok" | "equal">
t.setTimeout(540_000)
const options = { precision: "fp32", device: "cpu", threads: 1 } as const
const [forwards, losses] = [await forwardCases(), await lossCases()]

const inputs = (tensors: HostTensors, kind: "parameter" | "feed"): readonly TraceInput[] =>
  Object.entries(tensors).map(([name, { shape, data }]) => ({
    name,
    kind,
    shape,
    dtype: data instanceof Int32Array ? "i32" : "f32",
  }))

const run = async (
  executor: Executor,
  { name, parameters, feeds }: ForwardCase | LossCase,
  outputs: (all: Tensors) => Tensors,
): Promise<HostTensors> => {
  const evaluator = await executor.evaluator(
    trace(name, [...inputs(parameters, "parameter"), ...inputs(feeds, "feed")], outputs),
    parameters,
  )
  try {
    return await evaluator.run(feeds)
  } finally {
    await evaluator.dispose()
  }
}

const checkForward = async (t: Tap, executor: Executor, c: ForwardCase): Promise<void> => {
  const { model, counts, length } = c
  const classes = model.tableRows
  const result = await run(executor, c, (all) => {
    const hidden = flexmdmHidden(all, all, model)
    return { logits: flexmdmLogits(all, hidden, classes), gaps: flexmdmGaps(all, hidden, model) }
  })
  const [logits, gaps] = [result["logits"]!.data, result["gaps"]!.data]
  const extra = model.endSlot === "extra" ? 1 : 0
  let [worstLogit, worstGap] = [0, 0]
  counts.forEach((n, r) => {
    for (let j = 0; j < n; j++)
      for (let v = 0; v < classes; v++) {
        const ours = logits[(r * (length + extra) + j) * classes + v]!
        worstLogit = Math.max(worstLogit, Math.abs(ours - c.logits[(r * length + j) * classes + v]!))
      }
    for (let j = 0; j < n + extra; j++) {
      const theirs = c.gaps[r * (length + extra) + j]!
      worstGap = Math.max(worstGap, Math.abs(gaps[r * (length + extra) + j]! - theirs) / Math.abs(theirs))
    }
  })
  t.ok(counts.some((n) => n > 0))
  t.ok(worstLogit < 5e-5, `${c.name}: logits (${worstLogit.toExponential(1)})`)
  t.ok(worstGap < 2e-5, `${c.name}: gaps (${worstGap.toExponential(1)})`)
}

const checkLoss = async (t: Tap, executor: Executor, c: LossCase): Promise<void> => {
  const names = Object.keys(c.parameters)
  const result = await run(executor, c, (all) => {
    const loss = (...values: tf.Tensor[]): tf.Scalar => {
      const p = Object.fromEntries(names.map((name, i) => [name, values[i]!]))
      const hidden = flexmdmHidden(p, all, c.model)
      const logits = flexmdmLogits(p, hidden, c.model.tableRows, { positions: get(all, "positions") })
      return flexmdmLoss(
        logits,
        flexmdmGaps(p, hidden, c.model, { positions: get(all, "places") }),
        all,
      ) as tf.Scalar
    }
    const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => get(all, name)))
    return { loss: value, ...Object.fromEntries(names.map((name, i) => [`grad/${name}`, grads[i]!])) }
  })
  const relative = Math.abs(result["loss"]!.data[0]! / c.loss - 1)
  t.ok(relative < 5e-6, `${c.name}: loss (${relative.toExponential(1)})`)
  for (const [name, theirs] of Object.entries(c.gradients)) {
    const mine = result[`grad/${name}`]!.data
    const largest = theirs.reduce((m, x) => Math.max(m, Math.abs(x)), 0)
    const worst = theirs.reduce((m, x, i) => Math.max(m, Math.abs(x - mine[i]!)), 0)
    t.ok(
      worst <= 5e-5 * largest + 1e-7,
      `${c.name}: gradient of ${name} (${(worst / largest).toExponential(1)})`,
    )
  }
}

const check = async (t: Tap, executor: Executor): Promise<void> => {
  for (const c of forwards) await checkForward(t, executor, c)
  for (const c of losses) await checkLoss(t, executor, c)
  t.ok(
    losses.some(({ gradients }) => Object.keys(gradients).length > 20),
    "gradients are stored",
  )
  await executor.dispose()
}

void t.test("onnxruntime", async (t) => check(t, await makeOnnxruntimeExecutor(options)))
void t.test("tfjs", async (t) => check(t, await makeTfjsExecutor(options)))
testWithLibrary("tensorflow", async (t) => check(t, await makeTensorflowExecutor(options)))
testWithTorch("torch", async (t) => check(t, await openTorch(t, options)))
