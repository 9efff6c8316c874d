/** An evaluation that is stopped keeps its forward passes and ends between two of them. */
import { appendFile, readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { test } from "tap"
import { hostFeeds, type Executor, type HostTensors } from "../../src/engine/executor.js"
import type { Graph } from "../../src/engine/ir.js"
import { openPasses, StoppedError } from "../../src/run/passes.js"
import { temporary } from "./support.js"

const graph = { inputs: [], outputs: [] } as unknown as Graph

/** Doubles its feed, and counts how often it is asked. */
const doubling = (): Executor & { readonly calls: () => number } => {
  let calls = 0
  return {
    calls: () => calls,
    name: "tfjs",
    version: "test",
    layout: {} as Executor["layout"],
    weights: () => Promise.reject(new Error("not asked for")),
    trainer: () => Promise.reject(new Error("not asked for")),
    evaluator: async () => ({
      run: async (feeds) => {
        calls++
        const { x } = hostFeeds(feeds)
        return { nats: { shape: x!.shape, data: Float32Array.from(x!.data, (value) => 2 * value) } }
      },
      dispose: async () => undefined,
    }),
    dispose: async () => undefined,
  }
}

const feed = (i: number): HostTensors => ({ x: { shape: [2], data: Float32Array.of(i, i + 0.25) } })

/** Makes passes 0 to `count` - 1, asked to stop after `stopAfter` of them; how many were made before it ended. */
const evaluate = async (
  directory: string,
  of: string,
  count: number,
  stopAfter: number,
): Promise<{ readonly made: number; readonly calls: number; readonly found: number }> => {
  const executor = doubling()
  let made = 0
  const passes = await openPasses(executor, {
    directory,
    evaluation: "e",
    of,
    stopping: () => made >= stopAfter,
  })
  const evaluator = await passes.executor.evaluator(graph, {})
  try {
    for (let i = 0; i < count; i++) {
      const { nats } = await evaluator.run(feed(i))
      if (nats?.data[1] !== 2 * (i + 0.25)) throw new Error(`pass ${i} gave ${String(nats?.data[1])}`)
      made++
    }
    await passes.done()
  } catch (error) {
    if (!(error instanceof StoppedError)) throw error
  }
  return { made, calls: executor.calls(), found: passes.found }
}

test("stopped between two passes, gone on with, every pass made once, nothing left at the end", async (t) => {
  const directory = await temporary(t)
  t.same(await evaluate(directory, "weights", 5, 2), { made: 2, calls: 2, found: 0 })
  t.same(await evaluate(directory, "weights", 5, 4), { made: 4, calls: 2, found: 2 })
  t.same(await evaluate(directory, "weights", 5, 9), { made: 5, calls: 1, found: 4 })
  t.same(await readdir(directory), [])
})

test("passes of other weights are dropped, unfinished and damaged lines made again", async (t) => {
  const directory = await temporary(t)
  const path = join(directory, "partial", "e.ndjson")
  await evaluate(directory, "weights", 3, 3)
  t.same(
    await evaluate(directory, "weights", 4, 3),
    { made: 3, calls: 3, found: 0 },
    "the first came to its end",
  )
  await appendFile(path, '{"key":"unfini')
  t.match(await evaluate(directory, "weights", 4, 3), { calls: 0, found: 3 })
  const text = await readFile(path, "utf8")
  await writeFile(path, text.replace(/"[A-Za-z0-9+/]{11}="/, '"AAAAAAAAAAA="'))
  t.match(await evaluate(directory, "weights", 4, 3), { calls: 1, found: 2 })
  t.match(await evaluate(directory, "other weights", 4, 3), { calls: 3, found: 0 })
})

/** A program that holds a number, and takes and gives what all of them do. */
const constant = (value: number): Graph =>
  ({ ...graph, nodes: [{ attrs: { data: { kind: "dense", values: Float32Array.of(value) } } }] }) as never

test("two programs that take and give the same are told apart", async (t) => {
  const directory = await temporary(t)
  const executor = doubling()
  const passes = await openPasses(executor, {
    directory,
    evaluation: "e",
    of: "weights",
    stopping: () => false,
  })
  for (const value of [1, 2, 1, 2]) {
    const evaluator = await passes.executor.evaluator(constant(value), {})
    await evaluator.run(feed(0))
  }
  await passes.done()
  t.equal(executor.calls(), 4, "none was there from an earlier call")
  for (const [program, calls] of [
    [constant(1), 1],
    [constant(2), 1],
    [constant(1), 0],
  ] as const) {
    const asked = doubling()
    const again = await openPasses(asked, {
      directory,
      evaluation: "e",
      of: "weights",
      stopping: () => false,
    })
    await (await again.executor.evaluator(program, {})).run(feed(0))
    t.equal(asked.calls(), calls)
  }
})
