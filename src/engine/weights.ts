/**
 * Weights that programs share: held by an executor once, never changed, taken by trainers for their frozen inputs and
 * by evaluators for everything they hold.
 *
 * They may come from this process, be drawn by the executor, or be read by it from safetensors files. The torch worker
 * does the last two itself, so that numbers which fill a GPU never pass through this process.
 */
import { readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileDigest } from "../files/digest.js"
import { readSafetensors, toBFloat16, toFloat32, type StoredTensor } from "../files/safetensors.js"
import { drawTensor, type Draw } from "./draw.js"
import { ExecutorError } from "./errors.js"
import type { EngineName, HostTensor, HostTensors } from "./host.js"
import { sizeOf, type Storage } from "./ir.js"

export interface WeightSpec {
  /** The name of the input that takes it. */
  readonly name: string
  readonly shape: readonly number[]
  /** f32 when absent */
  readonly storage?: Storage
}

export interface WeightFile {
  readonly path: string
  /** Checked by the process that reads the file. */
  readonly sha256?: string
}

/** A low-rank update that is added into a weight [out, in] once: W + scale B A, of B [out, rank] and A [rank, in]. */
export interface Merge {
  readonly weight: string
  readonly a: string
  readonly b: string
  readonly scale: number
  /** What the sum is kept in. */
  readonly storage: Storage
}

export type WeightSource =
  | {
      readonly kind: "values"
      readonly tensors: readonly WeightSpec[]
      readonly values: HostTensors
      /** Weights of the same executor, whose tensors these have too where they have none of that name. */
      readonly over?: Weights
      /** Updates that are added by the executor; what they were made of is not kept. */
      readonly merged?: readonly Merge[]
    }
  | {
      readonly kind: "drawn"
      readonly tensors: readonly (WeightSpec & { readonly draw: Draw })[]
    }
  | {
      readonly kind: "files"
      /** `stored`: the tensor's name in the files; its own when absent. Floating-point types of every width are read. */
      readonly tensors: readonly (WeightSpec & { readonly stored?: string })[]
      readonly files: readonly WeightFile[]
      /** Names in the files that are known and not wanted; any other name that is left over is an error. */
      readonly unused?: readonly string[]
    }

/** Weights held by one executor. */
export interface Weights {
  readonly tensors: readonly WeightSpec[]
  /** Copies of some of them as f32. */
  readonly read: (names: readonly string[]) => Promise<HostTensors>
  readonly dispose: () => Promise<void>
}

/** What to do about files that do not hold what was asked for. */
export const WEIGHTS_CURE =
  "name the files and tensors of the right checkpoint, and download them again if they are cut"

/**
 * The shards that an index of safetensors files lists (`model.safetensors.index.json`), beside the index.
 * @throws Error when it is no such index
 */
export const shardsOf = async (index: string): Promise<readonly string[]> => {
  const text = await readFile(index, "utf8")
  let map: unknown
  try {
    map = (JSON.parse(text) as { weight_map?: unknown } | null)?.weight_map
  } catch (cause) {
    throw new Error(`${index} is not JSON`, { cause })
  }
  const files = typeof map === "object" && map !== null ? Object.values(map) : []
  if (files.length === 0 || !files.every((file) => typeof file === "string"))
    throw new Error(`${index} has no weight_map from names of tensors to files`)
  return [...new Set(files as readonly string[])].sort().map((file) => join(dirname(index), file))
}

/** Rounded to what is kept. */
const stored = ({ shape, storage }: WeightSpec, data: Float32Array): HostTensor => ({
  shape,
  data: storage === "bf16" ? toFloat32({ dtype: "BF16", shape, data: toBFloat16(data) }) : data,
})

type Fail = (problem: string) => never

/** The source's tensors in this process, rounded to their storage. @throws ExecutorError with the tensor or file at fault */
export const loadWeights = async (executor: EngineName, source: WeightSource): Promise<HostTensors> => {
  const fail: Fail = (problem) => {
    throw new ExecutorError(executor, problem, WEIGHTS_CURE)
  }
  const all: Record<string, HostTensor> = {}
  switch (source.kind) {
    case "values":
      for (const spec of source.tensors) {
        const given = source.values[spec.name]
        if (given === undefined) return fail(`no value for the weights ${spec.name}`)
        if (given.data.length !== sizeOf(spec.shape))
          return fail(`the weights ${spec.name} have ${given.data.length} elements, not [${spec.shape}]`)
        all[spec.name] = stored(spec, Float32Array.from(given.data))
      }
      return all
    case "drawn":
      for (const spec of source.tensors) all[spec.name] = stored(spec, drawTensor(spec).data as Float32Array)
      return all
    case "files":
      return loadFiles(source, fail)
  }
}

const loadFiles = async (
  { tensors, files, unused = [] }: Extract<WeightSource, { kind: "files" }>,
  fail: Fail,
): Promise<HostTensors> => {
  const wanted = new Map(tensors.map((spec) => [spec.stored ?? spec.name, spec]))
  const all: Record<string, HostTensor> = {}
  const extra: string[] = []
  for (const { path, sha256 } of files) {
    try {
      if (sha256 !== undefined) await checkDigest(path, sha256, fail)
      const { tensors: found } = await readSafetensors(path, (name, dtype, shape) => {
        const spec = wanted.get(name)
        if (spec === undefined) {
          if (!unused.includes(name)) extra.push(name)
          return false
        }
        if (!/^(BF16|F16|F32|F64)$/.test(dtype))
          fail(`${path}: the tensor ${name} holds ${dtype}, not floating-point numbers`)
        if (shape.join() !== spec.shape.join())
          fail(`${path}: the tensor ${name} is [${shape}], not the [${spec.shape}] of ${spec.name}`)
        if (all[spec.name] !== undefined) fail(`${path}: the tensor ${name} stands in two files`)
        return true
      })
      for (const [name, tensor] of found) {
        const spec = wanted.get(name)!
        all[spec.name] = stored(spec, toFloat32(tensor as StoredTensor))
      }
    } catch (error) {
      if (error instanceof ExecutorError) throw error
      return fail(error instanceof Error ? error.message : String(error))
    }
  }
  const missing = tensors.filter(({ name }) => all[name] === undefined)
  if (missing.length > 0) return fail(missingSentence(missing.map((s) => s.stored ?? s.name)))
  if (extra.length > 0) return fail(extraSentence(extra))
  return all
}

const some = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`
const missingSentence = (names: readonly string[]): string => `the files hold no tensor ${some(names)}`
const extraSentence = (names: readonly string[]): string =>
  `the files hold tensors that nothing takes: ${some(names)}`

const checkDigest = async (path: string, sha256: string, fail: Fail): Promise<void> => {
  const found = await fileDigest(path)
  if (found !== sha256.toLowerCase()) fail(`${path} has the SHA-256 ${found}, not ${sha256}`)
}

/** Weights as a caller holds them; once disposed of they are refused to new programs. */
export abstract class SharedWeights implements Weights {
  readonly executor: EngineName
  readonly tensors: readonly WeightSpec[]
  readonly #names: ReadonlySet<string>
  #disposed = false

  constructor(executor: EngineName, tensors: readonly WeightSpec[]) {
    this.executor = executor
    this.tensors = tensors
    this.#names = new Set(tensors.map(({ name }) => name))
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }

  /** @throws ExecutorError after they were disposed of */
  checkUsable(): void {
    if (this.#disposed)
      throw new ExecutorError(this.executor, "these weights were disposed of", "load them again")
  }

  /** @throws ExecutorError for a name that they lack, or after they were disposed of */
  async read(names: readonly string[]): Promise<HostTensors> {
    this.checkUsable()
    const unknown = names.find((name) => !this.has(name))
    if (unknown !== undefined)
      throw new ExecutorError(this.executor, `the weights hold no ${unknown}`, "ask for one of their tensors")
    return this.readHeld(names)
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    await this.release()
  }

  protected abstract readHeld(names: readonly string[]): Promise<HostTensors>
  /** Gives up what the executor holds; programs that use the weights go on until they are disposed of. */
  protected abstract release(): void | Promise<void>
}

/** Everything that weights of a source hold: its own tensors, then those that they lie over; sums in place of their parts. */
export const tensorsOver = (source: WeightSource): readonly WeightSpec[] => {
  if (source.kind !== "values") return source.tensors
  const { tensors, over, merged = [] } = source
  const own = new Set(tensors.map(({ name }) => name))
  const parts = new Set(merged.flatMap(({ a, b }) => [a, b]))
  const sums = new Map(merged.map(({ weight, storage }) => [weight, storage]))
  return [...tensors, ...(over?.tensors ?? []).filter(({ name }) => !own.has(name))]
    .filter(({ name }) => !parts.has(name))
    .map((spec) => {
      const storage = sums.get(spec.name)
      return storage === undefined ? spec : { ...spec, storage }
    })
}

/** W [out, in] + scale B A in float64 before rounding. */
export const withUpdate = (w: HostTensor, a: HostTensor, b: HostTensor, scale: number): HostTensor => {
  const [out, fanIn] = w.shape as [number, number]
  const rank = a.shape[0]!
  const data = Float32Array.from(w.data)
  const row = new Float64Array(fanIn)
  for (let o = 0; o < out; o++) {
    row.fill(0)
    for (let r = 0; r < rank; r++) {
      const factor = scale * b.data[o * rank + r]!
      for (let i = 0; i < fanIn; i++) row[i]! += factor * a.data[r * fanIn + i]!
    }
    for (let i = 0; i < fanIn; i++) data[o * fanIn + i] = data[o * fanIn + i]! + row[i]!
  }
  return { shape: w.shape, data }
}

const mergedValues = (executor: EngineName, values: HostTensors, merges: readonly Merge[]): HostTensors => {
  if (merges.length === 0) return values
  const all: Record<string, HostTensor> = { ...values }
  for (const { weight, a, b, scale, storage } of merges) {
    const missing = [weight, a, b].find((name) => values[name] === undefined)
    if (missing !== undefined)
      throw new ExecutorError(executor, `no value for the weights ${missing}`, WEIGHTS_CURE)
    const sum = withUpdate(values[weight]!, values[a]!, values[b]!, scale)
    all[weight] = stored({ name: weight, shape: sum.shape, storage }, sum.data as Float32Array)
    delete all[a]
    delete all[b]
  }
  return all
}

/** The values of a source in this process, those that it lies over included. @throws as {@link loadWeights} */
export const hostValues = async (executor: EngineName, source: WeightSource): Promise<HostTensors> => {
  const loaded = await loadWeights(executor, source)
  if (source.kind !== "values") return loaded
  return mergedValues(executor, { ...valuesOf(executor, source.over), ...loaded }, source.merged ?? [])
}

/** Weights held in this process. */
export class HostWeights extends SharedWeights {
  readonly values: HostTensors

  constructor(executor: EngineName, tensors: readonly WeightSpec[], values: HostTensors) {
    super(executor, tensors)
    this.values = values
  }

  protected readHeld(names: readonly string[]): Promise<HostTensors> {
    return Promise.resolve(
      Object.fromEntries(
        names.map((name) => {
          const { shape, data } = this.values[name]!
          return [name, { shape, data: data.slice() }]
        }),
      ),
    )
  }

  protected release(): void {}
}

/** Weights of an executor that belongs to this class; undefined where there are none. @throws ExecutorError for others */
export const weightsAs = <W extends SharedWeights>(
  executor: EngineName,
  kind: abstract new (...args: never) => W,
  weights: Weights | undefined,
): W | undefined => {
  if (weights === undefined) return undefined
  if (!(weights instanceof kind) || weights.executor !== executor)
    throw new ExecutorError(executor, "these weights belong to another executor", "load them on this one")
  weights.checkUsable()
  return weights
}

/** The values of weights that an executor of this process made; none where there are no weights. */
export const valuesOf = (executor: EngineName, weights: Weights | undefined): HostTensors =>
  weightsAs(executor, HostWeights, weights)?.values ?? {}
