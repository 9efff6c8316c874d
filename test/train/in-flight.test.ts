/** A device has its next step before the results of the last are read. Order is asserted, never seconds. */
import t, { test } from "tap"
import type { Executor, HostTensors, Trainer } from "../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { inFlight } from "../../src/train/in-flight.js"
import { train, type StepReport } from "../../src/train/loop.js"
import { tinyData, tinyExperiment } from "./tiny.js"

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

const EVERY_FOURTH = (taken: number): boolean => taken % 4 === 0

void test("one step more than is answered is begun, and none over a pause", async (t) => {
  const events: string[] = []
  const answers: (() => void)[] = []
  const flight = inFlight({
    first: 1,
    end: 7,
    depth: 2,
    pausesAfter: EVERY_FOURTH,
    begin: async (step) => {
      events.push(`begin ${step}`)
      await new Promise<void>((resolve) => answers.push(resolve))
      return step
    },
  })
  for (let step = 1; step < 7; step++) {
    const result = flight.next()
    await turns(3)
    answers.shift()!()
    t.equal(await result, step)
    events.push(`answer ${step}`)
  }
  t.same(events, [
    "begin 1",
    "begin 2",
    "answer 1",
    "begin 3",
    "answer 2",
    "answer 3", // the state after four steps is read before a fifth changes it
    "begin 4",
    "begin 5",
    "answer 4",
    "begin 6",
    "answer 5",
    "answer 6",
  ])
  await t.rejects(flight.next(), /no steps after 7/)
})

void test("a step's failure is told where it is asked for; stopping begins nothing and loses nothing", async (t) => {
  let begun = 0
  const flight = inFlight({
    first: 0,
    end: 9,
    depth: 2,
    pausesAfter: () => false,
    begin: (step) => {
      begun++
      return step === 1 ? Promise.reject(new Error("out of memory")) : Promise.resolve(step)
    },
  })
  t.equal(await flight.next(), 0)
  await turns(3)
  t.equal(flight.open, 1)
  flight.stop()
  await t.rejects(flight.next(), /out of memory/)
  t.equal(flight.open, 0)
  await t.rejects(flight.next(), /no steps after 2/)
  t.equal(begun, 2)
  await flight.close()
})

interface Device {
  readonly executor: Executor
  readonly events: string[]
}

/**
 * onnxruntime as a device that takes `depth` steps at once and computes one after another; each answer comes
 * `late` turns of the event loop after its step has ended.
 */
const lateDevice = async (depth: number, late: number): Promise<Device> => {
  const inner = await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  t.teardown(() => inner.dispose())
  const events: string[] = []
  const wrap = (trainer: Trainer): Trainer => {
    let asked = 0
    let free: Promise<unknown> = Promise.resolve()
    const after = <T>(work: () => Promise<T>): Promise<T> => {
      const result = free.then(work)
      free = result.catch(() => undefined)
      return result
    }
    return {
      inFlight: depth,
      step: async (...given) => {
        const step = ++asked
        events.push(`asked ${step}`)
        const result = await after(() => trainer.step(...given))
        await turns(late)
        events.push(`answered ${step}`)
        return result
      },
      readState: () => {
        events.push("read")
        return after(() => trainer.readState())
      },
      dispose: () => after(() => trainer.dispose()),
    }
  }
  const executor: Executor = { ...inner, trainer: async (...job) => wrap(await inner.trainer(...job)) }
  return { executor, events }
}

const run = async (
  { executor }: Device,
  over: { readonly stopAfter?: number; readonly resume?: { step: number; state: HostTensors } } = {},
) => {
  const experiment = tinyExperiment()
  const data = await tinyData()
  const rows = await data.rows(experiment)
  const reports: StepReport[] = []
  const checkpoints: number[] = []
  try {
    const outcome = await train({
      experiment,
      executor,
      rows,
      resume: over.resume,
      onStep: (report) => void reports.push(report),
      onCheckpoint: (step) => Promise.resolve(void checkpoints.push(step)),
      shouldStop: () => reports.at(-1)!.step === over.stopAfter,
    })
    return { ...outcome, checkpoints, losses: reports.map(({ loss }) => loss), reports }
  } finally {
    await rows.close()
    await data.remove()
  }
}

const bytes = (state: HostTensors): readonly (readonly [string, string])[] =>
  Object.entries(state).map(([name, { data }]) => [
    name,
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64"),
  ])

void test("with late answers a run has the same events, checkpoints and bits, and its device always has a step", async (t) => {
  const plain = await run(await lateDevice(1, 0))
  const device = await lateDevice(2, 20)
  const ours = await run(device)
  t.same(
    ours.reports.map(({ step }) => step),
    Array.from({ length: 18 }, (_, i) => i + 1),
    "every step is reported, once and in order",
  )
  t.same(ours.losses, plain.losses)
  t.same(ours.checkpoints, [5, 10, 15, 18])
  t.same(bytes(ours.state), bytes(plain.state))
  const at = (event: string): number => device.events.indexOf(event)
  for (let step = 1; step < 18; step++) {
    const pause = step % 5 === 0
    t.equal(at(`asked ${step + 1}`) < at(`answered ${step}`), !pause, `step ${step + 1}`)
    if (step + 2 <= 18) t.ok(at(`asked ${step + 2}`) > at(`answered ${step}`), "never more than two")
  }
  t.equal(
    device.events.filter((event) => event === "read").length,
    4,
    "the state is read at checkpoints alone",
  )
})

void test("a run that is stopped finishes what its device has, and goes on bit by bit", async (t) => {
  const whole = await run(await lateDevice(1, 0))
  // After a pause the device has one step more; before one it has none.
  for (const [stopAfter, ends] of [
    [6, 7],
    [5, 5],
    [17, 18],
  ] as const) {
    const first = await run(await lateDevice(2, 5), { stopAfter })
    t.equal(first.step, ends)
    t.equal(first.stopped, ends < 18)
    t.equal(first.checkpoints.at(-1), ends, "stopping leaves a checkpoint")
    if (!first.stopped) continue
    const second = await run(await lateDevice(2, 5), { resume: { step: ends, state: first.state } })
    t.same([...first.losses, ...second.losses], whole.losses)
    t.same(bytes(second.state), bytes(whole.state))
  }
})
