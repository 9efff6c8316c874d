/**
 * Training of LLaDA, and of FlexMDM made from it, against the public code at tiny size (goldens/README.md): optimiser
 * groups by name, learning rates, four clipped AdamW steps, and the losses of tuning with their normalisers.
 * Tolerances of the goldens: losses 1e-5 and gradient norms 1e-4 relative, learning rates 1e-9.
 */
import t from "tap"
import { openSpec } from "../../../src/app/open-spec.js"
import type { Mixture } from "../../../src/data/corpora/mixture/schema.js"
import { rowWeights } from "../../../src/diffusion/insertion/loss.js"
import { addedParameters, lladaName, lladaParameters } from "../../../src/families/llada/parameters.js"
import { lladaGaps, lladaHidden, lladaLogits } from "../../../src/families/llada/network.js"
import { weightedCrossEntropy } from "../../../src/families/traced.js"
import { learningRateFactor } from "../../../src/model/learning-rate.js"
import { applyUpdate, optimizerState } from "../../../src/model/optimizer.js"
import { rateOf, trainable, updateScalars } from "../../../src/model/optimizer-state.js"
import type { ParameterSpec } from "../../../src/model/parameters.js"
import * as tf from "../../../src/model/tf.js"
import { flexmdmLoss } from "../../../src/objectives/flexmdm/loss.js"
import type { AdamWOptimizer, LearningRateSchedule } from "../../../src/spec/training.js"
import {
  FLEX,
  floats,
  goldenValues,
  goldenWeights,
  MASK,
  normOf,
  PAD,
  rowsOf,
  tensorOf,
  TUNED,
} from "./golden.js"

await tf.useCpuBackend()
t.setTimeout(300_000)

interface Group {
  readonly lr: number
  readonly weight_decay: number
  readonly params: readonly string[]
}
interface Tuned {
  readonly loss: number
  readonly normaliser: number
  readonly unscaled_mean_ce: number
  readonly grad_norms: Readonly<Record<string, number>>
}
const values = goldenValues<{
  readonly groups: {
    readonly transfer: Readonly<Record<"lora" | "head" | "from_scratch", Group>>
    readonly ift: Readonly<Record<"lora" | "head", Omit<Group, "params">>>
  }
  readonly cosine: Readonly<
    Record<string, { readonly warmup: number; readonly factor: Readonly<Record<string, number>> }>
  >
  readonly ift_prompt: Tuned
  readonly ift_infill: Tuned
  readonly infill_flex: {
    readonly loss: {
      readonly total: number
      readonly unmask_loss: number
      readonly insertion_loss: number
      readonly total_grad_norm: number
    }
  }
  readonly steps: {
    readonly base_lrs: readonly number[]
    readonly warmup: number
    readonly total: number
    readonly cycles: number
    readonly steps: readonly {
      readonly batch: string
      readonly loss: number
      readonly grad_norm_before_clip: number
      readonly lrs: readonly number[]
    }[]
    readonly after: Readonly<
      Record<
        string,
        { readonly norm: number; readonly delta_norm: number; readonly first: readonly number[] }
      >
    >
    readonly frozen_changed: readonly string[]
  }
}>()

const relative = (ours: number, theirs: number): number => Math.abs(ours / theirs - 1)

const optimizerOf = async (id: string): Promise<AdamWOptimizer> =>
  (await openSpec(id, "paper")).experiment.training.optimizer as AdamWOptimizer

/** Learning rate and decay that an optimiser gives a parameter. */
const settingsOf = (
  optimizer: AdamWOptimizer,
  spec: ParameterSpec,
): { readonly lr: number; readonly weight_decay: number } => {
  const rate = rateOf(optimizer, spec)
  const own = rate === "adamw" ? undefined : optimizer.groups![Number(rate.slice("group".length))]!
  return {
    lr: own?.learningRate ?? optimizer.learningRate,
    weight_decay: own?.weightDecay ?? optimizer.weightDecay,
  }
}

t.test("optimiser groups by name", async (t) => {
  const specs = trainable(lladaParameters(FLEX))
  const transfer = await optimizerOf("flexmdm_8b_transfer")
  const { lora, head, from_scratch } = values.groups.transfer
  t.same(head.params, [], "the published group of the head is empty: no spec has it")
  const grouped = [lora, from_scratch].flatMap(({ params, lr, weight_decay }) =>
    params.map((name): [string, unknown] => [lladaName(name), { lr, weight_decay }]),
  )
  t.same(
    Object.fromEntries(specs.map((spec) => [spec.name, settingsOf(transfer, spec)])),
    Object.fromEntries(grouped),
  )
  t.same([transfer.betas, transfer.eps], [[0.9, 0.999], 1e-8])
  for (const id of ["flexmdm_8b_math", "llada_8b_math"]) {
    const tuning = await optimizerOf(id)
    for (const spec of specs) t.same(settingsOf(tuning, spec), values.groups.ift.lora, `${id} ${spec.name}`)
  }
})

const fivePeriods = (warmup: number): LearningRateSchedule => ({
  kind: "cosine",
  warmup,
  warmupFrom: 0,
  cycles: 5,
  cycle: "fall-and-rise",
  floor: 0,
})

t.test("the table of learning rates", async (t) => {
  const { experiment } = await openSpec("flexmdm_8b_transfer", "paper")
  const { training, data } = experiment
  const shards = (data.corpus as Mixture).trainShards / data.batching.shardsInMemory
  const total = training.stepsPerGroup * shards
  t.same([data.batching.rotation, total], [true, 200_000], "every shard is visited")
  t.same(training.schedule, fivePeriods(total * 0.05), "the spec's own: five periods behind a warm-up of 5 %")
  for (const [steps, { warmup, factor }] of Object.entries(values.cosine))
    for (const [step, expected] of Object.entries(factor)) {
      const ours = learningRateFactor(
        { schedule: fivePeriods(warmup), stepsPerGroup: Number(steps) },
        Number(step),
        1,
      )
      if (Math.abs(ours - expected) > 1e-9) t.fail(`${steps} steps, step ${step}: ${ours} for ${expected}`)
    }
})

const specs = lladaParameters(FLEX)
const frozen = Object.fromEntries(
  specs.filter((spec) => spec.frozen === true).map(({ name }) => [name, tensorOf(goldenWeights[name]!)]),
)
const trained = trainable(specs).map(({ name }) => name)

/** Where rows of `width` have what `keep` says, in one run. */
const where = (rows: readonly (readonly number[])[], keep: (id: number) => boolean): readonly number[] =>
  rows.flat().flatMap((id, i) => (keep(id) ? [i] : []))

const rowOf = (i: number, width: number): number => Math.floor(i / width)

interface Batch {
  readonly xt: readonly (readonly number[])[]
  readonly targets: readonly (readonly number[])[]
  readonly gaps: readonly (readonly number[])[]
  readonly valid: readonly (readonly number[])[]
  readonly times: ArrayLike<number>
  readonly unmask: ArrayLike<number>
  readonly insert: ArrayLike<number>
}

/** FlexMDM's loss of recorded rows, both terms over rows times 1024. */
const flexLoss = (batch: Batch): ((given: Readonly<Record<string, tf.Tensor>>) => tf.Scalar) => {
  const [rows, length] = [batch.xt.length, batch.xt[0]!.length]
  const divisor = rows * 1024
  const positions = where(batch.xt, (id) => id === MASK)
  const slots = where(batch.valid, (v) => v !== 0)
  const [targets, gaps] = [batch.targets.flat(), batch.gaps.flat()]
  const feeds = {
    inputIds: tf.tensor2d(
      batch.xt.flatMap((row) => [...row, PAD]),
      [rows, length + 1],
      "int32",
    ),
    time: tf.tensor1d(Array.from(batch.times)),
    targets: tf.tensor1d(
      positions.map((i) => targets[i]!),
      "int32",
    ),
    weights: tf.tensor1d(positions.map((i) => batch.unmask[rowOf(i, length)]! / divisor)),
    gapTargets: tf.tensor1d(slots.map((i) => gaps[i]!)),
    gapWeights: tf.tensor1d(slots.map((i) => batch.insert[rowOf(i, length + 1)]! / divisor)),
  }
  const tokenAt = tf.tensor1d(
    positions.map((i) => rowOf(i, length) * (length + 1) + (i % length)),
    "int32",
  )
  const slotAt = tf.tensor1d([...slots], "int32")
  return (given) => {
    const p = { ...frozen, ...given }
    const hidden = lladaHidden(p, feeds, FLEX)
    const logits = lladaLogits(p, tf.gather(hidden, tokenAt), FLEX)
    return flexmdmLoss(logits, lladaGaps(p, tf.gather(hidden, slotAt), FLEX), feeds) as tf.Scalar
  }
}

const gradientsOf = (
  loss: (given: Readonly<Record<string, tf.Tensor>>) => tf.Scalar,
  given: Readonly<Record<string, tf.Tensor>>,
): { readonly value: number; readonly gradients: Readonly<Record<string, tf.Tensor>> } => {
  const names = Object.keys(given)
  const of = (xs: readonly tf.Tensor[]): Record<string, tf.Tensor> =>
    Object.fromEntries(names.map((name, i) => [name, xs[i]!]))
  const { value, grads } = tf.valueAndGrads((...xs: tf.Tensor[]) => loss(of(xs)))(Object.values(given))
  return { value: value.dataSync()[0]!, gradients: of(grads) }
}

t.test("four clipped AdamW steps", (t) => {
  const { base_lrs, warmup, total, cycles, steps, after, frozen_changed } = values.steps
  t.same([cycles, frozen_changed], [5, []])
  const optimizer: AdamWOptimizer = {
    kind: "adamw",
    learningRate: base_lrs[2]!,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0.01,
    groups: [{ match: "\\.lora_", learningRate: base_lrs[0]!, weightDecay: 0 }],
  }
  const training = { optimizer, clipNorm: 1 }
  const before = Object.fromEntries(Object.entries(frozen).map(([name, x]) => [name, x.dataSync().slice()]))
  let parameters: Record<string, tf.Tensor> = Object.fromEntries(
    trained.map((name) => [name, tensorOf(goldenWeights[name]!)]),
  )
  let state: Record<string, tf.Tensor> = Object.fromEntries(
    optimizerState(specs, training).map(({ name, shape }) => [name, tf.zeros([...shape])]),
  )
  t.equal(Object.keys(state).length, 2 * trained.length, "no moments of what is frozen")
  let clipped = 0
  steps.forEach(({ batch, loss, grad_norm_before_clip, lrs }, step) => {
    const at = `interp.${batch}`
    const { value, gradients } = gradientsOf(
      flexLoss({
        xt: rowsOf(`${at}.xt`),
        targets: rowsOf(`${at}.target`),
        gaps: rowsOf(`${at}.gaps`),
        valid: rowsOf(`${at}.gap_valid`),
        times: floats(`${at}.t`),
        unmask: floats(`${at}.w_unmask`),
        insert: floats(`${at}.w_insert`),
      }),
      parameters,
    )
    t.ok(relative(value, loss) < 1e-5, `step ${step}: loss ${value} for ${loss}`)
    const factor = learningRateFactor({ schedule: fivePeriods(warmup), stepsPerGroup: total }, step, 1)
    t.ok(Math.abs(base_lrs[0]! * factor - lrs[0]!) < 1e-9, `step ${step}: learning rate`)
    const scalars = updateScalars(training, step, factor)
    const next = applyUpdate(specs, training, {
      parameters: { ...frozen, ...parameters },
      gradients,
      state,
      scalars: Object.fromEntries(Object.entries(scalars).map(([name, x]) => [name, tf.scalar(x)])),
    })
    const norm = next.gradNorm.dataSync()[0]!
    t.ok(relative(norm, grad_norm_before_clip) < 1e-4, `step ${step}: norm ${norm}`)
    if (norm > 1) clipped++
    parameters = { ...next.parameters }
    state = { ...next.state }
  })
  t.equal(clipped, 2, "two of the four gradients are above the clip")
  t.same(Object.keys(parameters).sort(), [...trained].sort(), "frozen tensors have no next value")
  for (const [name, bytes] of Object.entries(before))
    t.same(frozen[name]!.dataSync(), bytes, `${name} bit for bit`)
  t.equal(Object.keys(after).length, trained.length)
  for (const [published, expected] of Object.entries(after)) {
    const name = lladaName(published)
    const [now, start] = [parameters[name]!.dataSync(), goldenWeights[name]!.data]
    const moved = normOf(Array.from(now, (x, i) => x - start[i]!))
    // Adam divides by the gradient's own size, so that its rounding is that of the gradient, 1e-4.
    t.ok(relative(moved, expected.delta_norm) < 1e-3, `${name} moved ${moved} for ${expected.delta_norm}`)
    t.ok(relative(normOf(now), expected.norm) < 1e-5, `${name}: norm`)
    expected.first.forEach((x, i) => t.ok(Math.abs(now[i]! - x) < 2e-5, `${name}[${i}]: ${now[i]} for ${x}`))
  }
  t.end()
})

for (const kind of ["prompt", "infill"] as const)
  t.test(`LLaDA's tuning loss, ${kind}`, (t) => {
    const golden = values[`ift_${kind}`]
    const [noisy, labels] = [rowsOf(`ift.${kind}.noisy`), rowsOf(`ift.${kind}.labels`)]
    const times = floats(`ift.${kind}.t`)
    const [rows, length] = [noisy.length, noisy[0]!.length]
    t.equal(golden.normaliser, 4096)
    const positions = where(noisy, (id) => id === MASK)
    const inputIds = tf.tensor2d(noisy.flat(), [rows, length], "int32")
    const at = tf.tensor1d([...positions], "int32")
    const targets = tf.tensor1d(
      positions.map((i) => labels.flat()[i]!),
      "int32",
    )
    // 1 / t over rows * 4096, as `objective.divisor` of the specs has it.
    const weights = tf.tensor1d(
      positions.map((i) => 1 / (times[Math.floor(i / length)]! * rows * golden.normaliser)),
    )
    const base = Object.fromEntries(
      Object.entries(frozen).filter(([name]) => lladaParameters(TUNED).some((spec) => spec.name === name)),
    )
    const given = Object.fromEntries(
      addedParameters(TUNED).map(({ name }) => [name, tensorOf(goldenWeights[name]!)]),
    )
    const { value, gradients } = gradientsOf((adapters) => {
      const p = { ...base, ...adapters }
      const hidden = lladaHidden(p, { inputIds }, TUNED)
      const tokens = lladaLogits(p, tf.gather(hidden, at), TUNED)
      return weightedCrossEntropy.loss({ tokens }, { targets, weights }, { kind: "llada" }) as tf.Scalar
    }, given)
    t.ok(relative(value, golden.loss) < 1e-5, `loss ${value} for ${golden.loss}`)
    t.equal(Object.keys(golden.grad_norms).length, Object.keys(gradients).length)
    for (const [published, norm] of Object.entries(golden.grad_norms)) {
      const ours = normOf(gradients[lladaName(published)]!.dataSync())
      t.ok(relative(ours, norm) < 1e-4, `gradient norm of ${published}: ${ours} for ${norm}`)
    }
    t.end()
  })

t.test("FlexMDM's tuning loss of infilling", (t) => {
  const at = "infill.flex.geometric"
  const times = floats(`${at}.t`)
  const joint = {
    insertion: { kind: "geometric", min: 10, max: 0.01 },
    unmasking: { kind: "linear" },
  } as const
  const weights = Array.from(times, (time) => rowWeights(joint, time, "8b"))
  const golden = values.infill_flex.loss
  const given = Object.fromEntries(trained.map((name) => [name, tensorOf(goldenWeights[name]!)]))
  const { value, gradients } = gradientsOf(
    flexLoss({
      xt: rowsOf(`${at}.xt`),
      targets: rowsOf(`${at}.target`),
      gaps: rowsOf(`${at}.gaps`),
      valid: rowsOf(`${at}.gap_valid`),
      times,
      unmask: weights.map(({ unmask }) => unmask),
      insert: weights.map(({ insert }) => insert),
    }),
    given,
  )
  t.ok(relative(value, golden.total) < 1e-5, `loss ${value} for ${golden.total}`)
  const norm = normOf(Object.values(gradients).flatMap((g) => [...g.dataSync()]))
  t.ok(relative(norm, golden.total_grad_norm) < 1e-4, `gradient norm ${norm}`)
  t.end()
})
