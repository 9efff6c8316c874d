import { fileURLToPath } from "node:url"
import { execa } from "execa"
import t from "tap"
import { GraphBuilder } from "../../../src/engine/builder.js"
import type { HostTensors, TrainPrograms } from "../../../src/engine/executor.js"
import { findPython } from "../../../src/engine/torch/find-torch.js"
import { workerCommand } from "../../../src/engine/torch/index.js"
import { WORKER_FOLDER } from "../../../src/engine/torch/worker.js"
import { numbers } from "../op-cases.js"
import { openTorch, testWithTorch } from "./available.js"

// Each worker loads PyTorch, which takes seconds on a busy machine.
t.setTimeout(540_000)

const SIZE = 6

/** Least squares by gradient descent: loss = mean((x w)^2) over `rows` rows, w <- w - rate * gradient. */
const leastSquares = (rows: number): Omit<TrainPrograms, "larger"> => {
  const loss = new GraphBuilder()
  const w = loss.input("w", "parameter", { dtype: "f32", shape: [SIZE, 1] })
  const x = loss.input("x", "feed", { dtype: "f32", shape: [rows, SIZE] })
  const y = loss.op("matMul", [x, w], { transposeA: false, transposeB: false })
  const error = loss.op("square", [loss.op("sub", [y, loss.scalar(1)], {})], {})
  const mean = loss.op("reduceMean", [error], { axes: [0, 1], keepDims: false })
  const apply = new GraphBuilder()
  const old = apply.input("w", "parameter", { dtype: "f32", shape: [SIZE, 1] })
  const gradient = apply.input("grad/w", "feed", { dtype: "f32", shape: [SIZE, 1] })
  const rate = apply.input("rate", "feed", { dtype: "f32", shape: [] })
  const squares = apply.op("reduceSum", [apply.op("square", [gradient], {})], {
    axes: [0, 1],
    keepDims: false,
  })
  return {
    loss: loss.build("loss", [{ name: "loss", value: mean }]),
    step: () => {
      throw new Error("the torch executor differentiates by itself")
    },
    apply: () =>
      apply.build("apply", [
        { name: "w", value: apply.op("sub", [old, apply.op("mul", [gradient, rate], {})], {}) },
        { name: "gradNorm", value: apply.op("sqrt", [squares], {}) },
      ]),
  }
}

const programs: TrainPrograms = { ...leastSquares(5), larger: [leastSquares(9)] }
const initial: HostTensors = { w: { shape: [SIZE, 1], data: numbers(SIZE) } }
const scalars: HostTensors = { rate: { shape: [], data: Float32Array.of(0.05) } }
const batch = (rows: number, salt: number): HostTensors => ({
  x: { shape: [rows, SIZE], data: numbers(rows * SIZE, salt) },
})

/** The same descent in float64. */
const reference = (steps: readonly (readonly HostTensors[])[]): { losses: number[]; w: number[] } => {
  let w = [...initial["w"]!.data]
  const losses = steps.map((micro) => {
    const gradient = w.map(() => 0)
    let total = 0
    for (const feeds of micro) {
      const { shape, data } = feeds["x"]!
      const rows = shape[0]!
      for (let r = 0; r < rows; r++) {
        const x = [...data.subarray(r * SIZE, (r + 1) * SIZE)]
        const e = x.reduce((sum, value, i) => sum + value * w[i]!, 0) - 1
        total += (e * e) / rows / micro.length
        x.forEach((value, i) => (gradient[i]! += (2 * e * value) / rows / micro.length))
      }
    }
    w = w.map((value, i) => value - 0.05 * gradient[i]!)
    return total
  })
  return { losses, w }
}

testWithTorch("the loss curve does not depend on the number of processes", async (t) => {
  const steps = [0, 1, 2].map((step) =>
    // The second step needs the larger program.
    [0, 1, 2, 3].map((i) => batch(step === 1 ? 9 : 5, 10 * step + i)),
  )
  const expected = reference(steps)
  for (const processes of [1, 2, 4]) {
    // Two are started as a user's are: by torchrun.
    const executor = await openTorch(t, { processes, ...(processes === 2 ? { own: true } : {}) })
    if (processes > 1) t.match(executor.version, `${processes} processes`)
    const trainer = await executor.trainer(programs, initial)
    for (const [i, micro] of steps.entries()) {
      const { loss } = await trainer.step(micro, scalars, i === 1 ? 1 : 0)
      // fp32 sums of at most 36 rows in another order: 1e-6 of the loss.
      t.ok(Math.abs(loss / expected.losses[i]! - 1) < 1e-6, `${processes} processes: loss of step ${i + 1}`)
    }
    const { w } = await trainer.readState()
    w!.data.forEach((value, i) => t.ok(Math.abs(value - expected.w[i]!) < 1e-6, `${processes}: w[${i}]`))
    if (processes === 2)
      await t.rejects(trainer.step(steps[0]!.slice(1), scalars), {
        name: "ExecutorError",
        message: /3 micro-batches cannot be dealt out evenly to 2 processes; make \/training\/accumulation/,
      })
    await trainer.dispose()
    await executor.dispose()
  }
})

testWithTorch("a micro-batch travels to its rank alone", async (t) => {
  const script = fileURLToPath(new URL("check_dealing.py", import.meta.url))
  const { stdout } = await execa((await findPython())!, [script], {
    env: { ...process.env, PYTHONPATH: WORKER_FOLDER },
  })
  // Micro-batches of 6, 6, 12 and 12 floats of four bytes, a scalar after the second; the last has an empty tensor too.
  t.same(JSON.parse(stdout), [
    {
      names: ["0/x", "scalar/rate", "2/x"],
      places: [
        [0, 24],
        [48, 52],
        [52, 100],
      ],
    },
    {
      names: ["1/x", "scalar/rate", "3/x", "3/empty"],
      places: [
        [24, 48],
        [48, 52],
        [100, 148],
        [148, 148],
      ],
    },
  ])
})

testWithTorch("two nodes give the loss curve of one", async (t) => {
  const steps = [0, 1].map((step) => [0, 1].map((i) => batch(5, 10 * step + i)))
  const expected = reference(steps)
  // Two launchers on this machine that meet as two nodes do.
  const meet = `--nnodes=2 --master-addr=127.0.0.1 --master-port=${20_000 + (process.pid % 20_000)}`
  const { file, env, args } = await workerCommand(
    {},
    { ...process.env, REPRO_TORCHRUN: `${meet} --node-rank=1` },
  )
  const second = execa(file, [...args], { env, extendEnv: false, reject: false, stdin: "ignore" })
  const executor = await openTorch(t, { env: { ...process.env, REPRO_TORCHRUN: `${meet} --node-rank=0` } })
  const trainer = await executor.trainer(programs, initial)
  for (const [i, micro] of steps.entries()) {
    const { loss } = await trainer.step(micro, scalars)
    t.ok(Math.abs(loss / expected.losses[i]! - 1) < 1e-6, `loss of step ${i + 1}`)
  }
  await executor.dispose()
  const { exitCode } = await second
  t.equal(exitCode, 0, "the second node ends with the first")
})
