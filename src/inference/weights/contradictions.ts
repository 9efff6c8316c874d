/** Tensors of a checkpoint that the network of the spec has no place for and that say that it is another network. */
import { DataError } from "../../files/errors.js"
import { toFloat32, type StoredTensor } from "../../files/safetensors.js"
import { BUFFER, checkBuffer } from "../../model/buffers.js"
import type { ParameterSpec } from "../../model/parameters.js"
import type { Model } from "../../spec/model.js"
import { isOptimiser, looksAveraged } from "./average.js"
import { several } from "./names.js"

export interface SpareTensor {
  /** Name in the file. */
  readonly name: string
  /** What the network would call it. */
  readonly target: string
  /** undefined: of an element type that is not read. */
  readonly tensor: StoredTensor | undefined
}

export interface SpareInput {
  readonly parameters: readonly ParameterSpec[]
  /** The tensors that are scored, by the network's name. */
  readonly used: ReadonlyMap<string, Float32Array>
  readonly spare: readonly SpareTensor[]
  readonly model: Model | undefined
  readonly subject: string
}

const FLOATS = new Set(["F64", "F32", "F16", "BF16"])

/** An expanded tensor may be of any size; a larger one than this is not looked into. */
const MOST = 2 ** 28

const floats = (tensor: StoredTensor | undefined): Float32Array | undefined =>
  tensor !== undefined && FLOATS.has(tensor.dtype) && tensor.shape.reduce((n, size) => n * size, 1) <= MOST
    ? toFloat32(tensor)
    : undefined

/** A name with its numbers left out. */
const template = (name: string): string => name.replace(/(?<=^|\.)\d+(?=\.|$)/g, "#")

const cure = (entry: string): string =>
  `give the spec the checkpoint was trained with, or leave ${entry} out with null in a name map (--names)`

const refuse = (subject: string, what: string, entry: string): never => {
  throw new DataError("invalid", subject, `${what}; ${cure(entry)}.`)
}

/** `blocks.2.` of `blocks.2.attn.proj.weight`: the name up to its first number. */
const stack = (name: string): string => /^.*?(?<=^|\.)\d+(?=\.|$)/.exec(name)?.[0] ?? name

const moreLayers = ({ parameters, spare, subject }: SpareInput): void => {
  const names = new Set(parameters.map(({ name }) => name))
  const templates = new Set([...names].map(template))
  const more = spare.filter(({ target }) => !names.has(target) && templates.has(template(target)))
  if (more.length === 0) return
  const stacks = [...new Set(more.map(({ target }) => stack(target)))]
  const layers = new Set([...names].map(stack).filter((name) => /\d$/.test(name))).size
  refuse(
    subject,
    `it has more layers than the spec's ${layers}: ${several(stacks)} (${more.length} tensors)`,
    several([...new Set(more.map(({ name }) => `"${stack(name)}."`))]),
  )
}

/** The layer that turns activations into logits, by the names that it has in public code. */
const OUTPUT =
  /^(model\.|transformer\.|decoder\.)?(lm_head|head|output|output_projection|output_layer|out_proj|unembed|unembedding|embed_out|lm_head_proj|logits|classifier|vocab_proj)\.(weight|bias)$/

const sameNumbers = (a: Float32Array | undefined, b: Float32Array | undefined): boolean =>
  a !== undefined && b !== undefined && a.length === b.length && a.every((x, i) => x === b[i])

/** A matrix by its name, not a list's element or a state of an optimiser. */
const isMatrix = (target: string): boolean => /(^|[._])(weight|kernel)$/.test(target) && !isOptimiser(target)

/** An output matrix besides the network's own; one that repeats the network's own is no contradiction. */
const outputMatrix = ({ parameters, used, spare, subject }: SpareInput): void => {
  const head = parameters.find(({ name }) => name === "head.weight")
  const table = head ?? parameters.find(({ group }) => group === "embedding")
  const tableShape = table?.shape
  const names = parameters.map(({ name }) => name)
  for (const { name, target, tensor } of spare) {
    if (head !== undefined && target.startsWith("head.")) continue // more on that matrix
    const shape = tensor?.shape
    const [rows, width] = tableShape ?? []
    const likeTable =
      isMatrix(target) &&
      !looksAveraged(name, names) &&
      shape?.length === 2 &&
      tableShape !== undefined &&
      ((shape[0] === rows && shape[1] === width) || (shape[0] === width && shape[1] === rows))
    if (!OUTPUT.test(target) && !likeTable) continue
    const values = floats(tensor)
    if (target.endsWith(".bias") && values?.every((x) => x === 0) === true) continue
    if (table !== undefined && sameNumbers(values, used.get(table.name))) continue
    refuse(
      subject,
      head === undefined
        ? `it has an output layer of its own, ${name}${shape === undefined ? "" : ` [${shape.join(", ")}]`}, where the spec's network ties the output to ${table?.name ?? "the embedding"}`
        : `it has a second output layer, ${name}, besides ${head.name}`,
      name,
    )
  }
}

/** More on a matrix of the network: a bias that it has not, an adapter, a scale of quantised weights. */
const matrixExtras = ({ parameters, spare, subject }: SpareInput): void => {
  const names = new Set(parameters.map(({ name }) => name))
  const modules = [...names]
    .filter((name) => name.endsWith(".weight"))
    .map((name) => name.slice(0, -"weight".length))
  for (const { name, target, tensor } of spare) {
    const module = modules.find((each) => target.startsWith(each))
    if (module === undefined || names.has(target)) continue
    if (floats(tensor)?.every((x) => x === 0) === true) continue
    refuse(
      subject,
      `it has ${name}, which acts on ${module}weight and has no place in the spec's network`,
      name,
    )
  }
}

const otherBuffers = ({ spare, model, subject }: SpareInput): void => {
  if (model === undefined) return
  for (const { name, target, tensor } of spare) {
    const data = BUFFER.test(target) ? floats(tensor) : undefined
    if (data === undefined || tensor === undefined) continue
    const check = checkBuffer(target, { shape: tensor.shape, data }, model)
    if (check.kind === "differs")
      refuse(
        subject,
        `its buffer ${name} holds ${check.what}, the spec's network computes ${check.expected}`,
        name,
      )
  }
}

/**
 * @throws DataError for more layers than the spec's, an output layer of its own where the network has one already or
 * ties it, more on a matrix than the network has, and rotary buffers of another base or head width
 */
export const refuseContradictions = (input: SpareInput): void => {
  moreLayers(input)
  outputMatrix(input)
  matrixExtras(input)
  otherBuffers(input)
}
