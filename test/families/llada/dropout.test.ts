/**
 * Dropout on the inputs of adapters (PEFT 0.15.1: W x + alpha / rank B A d(x), a mask of each adapter's own).
 * One mask for all positions of a row is a matrix A with its columns scaled, which gives values and every gradient
 * without dropout; the head's mask may differ between positions.
 */
import t from "tap"
import { normals, stream, uniforms } from "../../../src/diffusion/philox.js"
import { lladaGaps, lladaHidden, lladaProgram } from "../../../src/families/llada/network.js"
import { ADAPTED, dropoutPlaces, HEAD, lladaParameters } from "../../../src/families/llada/parameters.js"
import { lladaNetwork } from "../../../src/families/llada/model.js"
import type { LladaModel } from "../../../src/families/llada/schema.js"
import { maskName } from "../../../src/families/part.js"
import { loraNames } from "../../../src/model/lora-parameters.js"
import type { FloatTensor } from "../../../src/model/parameters.js"
import * as tf from "../../../src/model/tf.js"

await tf.useCpuBackend()

const [ROWS, LENGTH, RATE] = [2, 5, 0.4]
const MODEL: LladaModel = {
  kind: "llada",
  layers: 2,
  width: 16,
  heads: 2,
  mlpWidth: 24,
  ropeBase: 10_000,
  rmsEps: 1e-5,
  tableRows: 11,
  attentionMask: "ignored",
  frozen: true,
  lora: { rank: 3, alpha: 6, dropout: RATE },
  flex: { groupSize: 1, gapScale: 5 },
}
const [WIDTH, COUNT] = [MODEL.width, ROWS * LENGTH]

/** Nothing at zero, so that each parameter has a gradient. */
const values: Readonly<Record<string, FloatTensor>> = Object.fromEntries(
  lladaParameters(MODEL).map(({ name, shape }, i) => {
    const size = shape.reduce((a, b) => a * b, 1)
    return [name, { shape, data: Float32Array.from(normals(stream(5, "init"), [i], size), (z) => 0.3 * z) }]
  }),
)
const trained = lladaParameters(MODEL).filter(({ frozen }) => frozen !== true)
const ids = tf.tensor2d(
  Array.from({ length: COUNT }, (_, i) => (3 * i + 1) % 11),
  [ROWS, LENGTH],
  "int32",
)
const time = [0.2, 0.7]
/** Scored positions: of both rows, not in order of the mask's own. */
const POSITIONS = [1, 3, 4, 6, 9]
const TARGETS = [2, 5, 0, 7, 10]

/** One pattern for each place and row. */
const patterns = new Map(
  dropoutPlaces(MODEL.layers).map((place, p) => [
    place,
    Array.from({ length: COUNT }, (_, i) =>
      Array.from(
        uniforms(stream(9, "dropout"), [p, place === "ff_out" ? i : Math.floor(i / LENGTH)], WIDTH),
        (u) => (u >= RATE ? 1 : 0),
      ),
    ),
  ]),
)
const masks = Object.fromEntries(
  [...patterns].map(([place, rows]) => [maskName(place), tf.tensor2d(rows.flat(), [COUNT, WIDTH], "bool")]),
)

type Given = Readonly<Record<string, tf.Tensor>>
const tensorsOf = (all: Readonly<Record<string, FloatTensor>>): Given =>
  Object.fromEntries(Object.entries(all).map(([n, { shape, data }]) => [n, tf.tensor(data, [...shape])]))

interface Result {
  readonly loss: number
  readonly grads: Readonly<Record<string, Float32Array>>
}

const result = (all: Readonly<Record<string, FloatTensor>>, loss: (p: Given) => tf.Tensor): Result => {
  const frozen = tensorsOf(all)
  const { value, grads } = tf.valueAndGrads((...given: tf.Tensor[]) => {
    // What a part of the network does not use has the gradient 0.
    const unused = given.map((x) => tf.mul(0, tf.sum(x))).reduce((a, b) => tf.add(a, b))
    const p = { ...frozen, ...Object.fromEntries(trained.map(({ name }, i) => [name, given[i]!])) }
    return tf.add(loss(p), unused) as tf.Scalar
  })(trained.map(({ name }) => frozen[name]!))
  return {
    loss: value.dataSync()[0]!,
    grads: Object.fromEntries(trained.map(({ name }, i) => [name, grads[i]!.dataSync() as Float32Array])),
  }
}

const ce = (logits: tf.Tensor, targets: readonly number[]): tf.Tensor =>
  tf.sum(tf.crossEntropy(logits, tf.tensor1d([...targets], "int32")))

const scored = (x: tf.Tensor): tf.Tensor => tf.gather(x, tf.tensor1d(POSITIONS, "int32"))

const dropped = result(values, (p) => {
  const feeds = { inputIds: ids, time: tf.tensor1d(time), ...masks }
  const { tokens, gaps } = lladaProgram.heads(p, feeds, MODEL, MODEL.tableRows, { select: scored })
  return tf.add(ce(tokens, TARGETS), tf.sum(gaps!))
})

/** Columns of A times what the pattern leaves, by 1 / (1 - rate). */
const scaled = ({ shape, data }: FloatTensor, pattern: readonly number[]): FloatTensor => ({
  shape,
  data: Float32Array.from(data, (a, i) => (a * pattern[i % WIDTH]!) / (1 - RATE)),
})

const plain: LladaModel = { ...MODEL, lora: { rank: 3, alpha: 6 } }

void t.test("losses and gradients, parameter by parameter, are those of scaled adapters", (t) => {
  let loss = 0
  const grads = Object.fromEntries(trained.map(({ name, shape }) => [name, new Float64Array(shape.reduce((a, b) => a * b, 1))])) // prettier-ignore
  const add = (found: Result, patternsOf: Readonly<Record<string, readonly number[]>>): void => {
    loss += found.loss
    for (const [name, g] of Object.entries(found.grads)) {
      const pattern = patternsOf[name]
      g.forEach(
        (x, i) => (grads[name]![i]! += pattern === undefined ? x : (x * pattern[i % WIDTH]!) / (1 - RATE)),
      )
    }
  }
  for (let r = 0; r < ROWS; r++) {
    const own: Record<string, readonly number[]> = {}
    for (let i = 0; i < MODEL.layers; i++)
      for (const name of ADAPTED)
        own[loraNames(`model.transformer.blocks.${i}.${name}`).a] = patterns.get(`blocks.${i}.${name}`)![
          r * LENGTH
        ]!
    const feeds = { inputIds: tf.slice(ids, [r, 0], [1, LENGTH]), time: tf.tensor1d([time[r]!]) }
    POSITIONS.forEach((position, k) => {
      if (Math.floor(position / LENGTH) !== r) return
      const here = { ...own, [loraNames(HEAD).a]: patterns.get("ff_out")![position]! }
      const all = Object.fromEntries(
        Object.entries(values).map(([n, v]) => [n, here[n] === undefined ? v : scaled(v, here[n])]),
      )
      const at = tf.tensor1d([position % LENGTH], "int32")
      const select = (x: tf.Tensor): tf.Tensor => tf.gather(x, at)
      add(
        result(all, (p) =>
          ce(lladaProgram.heads(p, feeds, plain, plain.tableRows, { select }).tokens, [TARGETS[k]!]),
        ),
        here,
      )
    })
    const all = Object.fromEntries(
      Object.entries(values).map(([n, v]) => [n, own[n] === undefined ? v : scaled(v, own[n])]),
    )
    add(
      result(all, (p) => tf.sum(lladaGaps(p, lladaHidden(p, feeds, plain), plain))),
      own,
    )
  }
  // fp32 sums in another order: 1e-5 of the loss, 1e-4 of a gradient's largest entry.
  t.ok(Math.abs(dropped.loss / loss - 1) < 1e-5, `loss ${dropped.loss} for ${loss}`)
  for (const { name } of trained) {
    const largest = grads[name]!.reduce((a, x) => Math.max(a, Math.abs(x)), 0)
    const worst = grads[name]!.reduce((a, x, i) => Math.max(a, Math.abs(x - dropped.grads[name]![i]!)), 0)
    t.ok(largest > 1e-6, `${name} has a gradient`)
    t.ok(worst < 1e-4 * largest, `gradient of ${name}: ${worst} of ${largest}`)
  }
  t.end()
})

void t.test("where masks are fed: every adapter has its own; none without a rate", (t) => {
  t.same(lladaNetwork.dropout?.(MODEL), { rate: RATE, width: WIDTH, places: dropoutPlaces(2) })
  t.equal(new Set(dropoutPlaces(2)).size, 7)
  t.equal(lladaNetwork.dropout?.(plain), undefined)
  t.equal(lladaNetwork.dropout?.({ ...MODEL, lora: { rank: 3, alpha: 6, dropout: 0 } }), undefined)
  t.end()
})
