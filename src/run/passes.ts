/**
 * Forward passes of an evaluation that were done, so that one which was stopped goes on where it was. What a pass gives
 * is a function of weights, program and feeds: it is kept by their digest and taken from here when it is asked for again.
 * A line that a kill left unfinished, or that was damaged, is passed over and the pass made again.
 */
import { createHash } from "node:crypto"
import { setImmediate as nextTurn } from "node:timers/promises"
import {
  hostFeeds,
  type Evaluator,
  type Executor,
  type HostTensor,
  type HostTensors,
} from "../engine/executor.js"
import type { Graph } from "../engine/ir.js"
import { digestOf, openKeptLines } from "./kept-lines.js"

/** The user asked to stop; what was done is kept. */
export class StoppedError extends Error {
  override readonly name = "StoppedError"

  constructor() {
    super("stopped as asked")
  }
}

/** Outputs above this are made again: log-probabilities of every class would fill the disk. */
const LARGEST = 1 << 20

const KINDS = { Float32Array, Int32Array, Uint8Array } as const
type Kind = keyof typeof KINDS

interface Line {
  readonly key: string
  readonly sha256: string
  readonly outputs: readonly (readonly [name: string, kind: Kind, shape: readonly number[], base64: string])[]
}

const bytesOf = ({ data }: HostTensor): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

const sum = (outputs: Line["outputs"]): string => digestOf(JSON.stringify(outputs))

/** Digest of a whole program: two of one evaluation may take and give the same. */
const programOf = (graph: Graph): string =>
  digestOf(
    JSON.stringify(graph, (_, value: unknown) =>
      ArrayBuffer.isView(value)
        ? createHash("sha256")
            .update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
            .digest("hex")
        : value,
    ),
  )

const toLine = (key: string, tensors: HostTensors): Line | undefined => {
  const entries = Object.entries(tensors)
  if (entries.reduce((size, [, { data }]) => size + data.byteLength, 0) > LARGEST) return undefined
  if (!entries.every(([, { data }]) => Object.hasOwn(KINDS, data.constructor.name))) return undefined
  const outputs = entries.map(
    ([name, tensor]) =>
      [
        name,
        tensor.data.constructor.name as Kind,
        tensor.shape,
        Buffer.from(bytesOf(tensor)).toString("base64"),
      ] as const,
  )
  return { key, sha256: sum(outputs), outputs }
}

const fromLine = ({ outputs }: Line): HostTensors =>
  Object.fromEntries(
    outputs.map(([name, kind, shape, base64]): [string, HostTensor] => {
      const bytes = Uint8Array.from(Buffer.from(base64, "base64"))
      return [name, { shape, data: new KINDS[kind](bytes.buffer) }]
    }),
  )

export interface PassesOptions {
  /** Folder of the run. */
  readonly directory: string
  readonly evaluation: string
  /** What the passes depend on besides their feeds: weights, executor, precision, code. Those of others are dropped. */
  readonly of: string
  readonly stopping: () => boolean
}

export interface Passes {
  /** The executor, whose evaluators keep what they give and end with {@link StoppedError} between two passes. */
  readonly executor: Executor
  /** Passes that an earlier call left. */
  readonly found: number
  /** The evidence is written: nothing of this is needed any more. */
  readonly done: () => Promise<void>
}

/** An executor whose evaluators end with {@link StoppedError} between two passes, once they are asked to. */
export const stoppable = (executor: Executor, stopping: () => boolean): Executor => ({
  name: executor.name,
  version: executor.version,
  layout: executor.layout,
  weights: (source) => executor.weights(source),
  trainer: (...job) => executor.trainer(...job),
  evaluator: async (...job) => {
    const evaluator = await executor.evaluator(...job)
    return {
      dispose: () => evaluator.dispose(),
      run: async (feeds) => {
        await nextTurn() // signals are handed out between turns
        if (stopping()) throw new StoppedError()
        return evaluator.run(feeds)
      },
    }
  },
  dispose: () => executor.dispose(),
})

export const openPasses = async (executor: Executor, options: PassesOptions): Promise<Passes> => {
  const kept = await openKeptLines<Line>({
    directory: options.directory,
    name: `${options.evaluation}.ndjson`,
    of: options.of,
    pieces: "passes that were done",
    sound: ({ outputs, sha256 }) => sum(outputs) === sha256,
  })
  const lines = new Map(kept.found.map((line) => [line.key, line]))
  const wrapped = (evaluator: Evaluator, program: string): Evaluator => ({
    dispose: () => evaluator.dispose(),
    run: async (feeds) => {
      await nextTurn() // signals are handed out between turns
      if (options.stopping()) throw new StoppedError()
      const hash = createHash("sha256").update(program)
      for (const [name, tensor] of Object.entries(hostFeeds(feeds)).sort(([a], [b]) => (a < b ? -1 : 1)))
        hash
          .update(`\n${name} ${tensor.data.constructor.name} ${tensor.shape.join()}\n`)
          .update(bytesOf(tensor))
      const key = hash.digest("hex")
      const known = lines.get(key)
      if (known !== undefined) return fromLine(known)
      const outputs = await evaluator.run(feeds)
      const line = toLine(key, outputs)
      if (line !== undefined) await kept.keep(line)
      return outputs
    },
  })
  return {
    found: lines.size,
    executor: {
      name: executor.name,
      version: executor.version,
      layout: executor.layout,
      weights: (source) => executor.weights(source),
      trainer: (...job) => executor.trainer(...job),
      evaluator: async (graph, ...held) =>
        wrapped(await executor.evaluator(graph, ...held), programOf(graph)),
      dispose: () => executor.dispose(),
    },
    done: kept.done,
  }
}
