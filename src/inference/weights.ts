/** A network's parameters from the tensors of a checkpoint made elsewhere, by name. */
import { DataError } from "../files/errors.js"
import { toFloat32, type StoredTensor } from "../files/safetensors.js"
import type { HostTensor, HostTensors } from "../engine/executor.js"
import { BUFFER } from "../model/buffers.js"
import type { Network } from "../model/network.js"
import type { Model } from "../spec/model.js"
import { nearest } from "../spec/nearest.js"
import { chooseSet, copiesOf, looksAveraged } from "./weights/average.js"
import type { Checkpoint } from "./weights/checkpoint.js"
import { refuseContradictions, type SpareTensor } from "./weights/contradictions.js"
import { requireFinite } from "./weights/finite.js"
import { AVERAGE, nameTensors, several, type NamedTensor, type NameMap } from "./weights/names.js"

export { readCheckpoint, type Checkpoint } from "./weights/checkpoint.js"
export { parseNameMap, type NameMap } from "./weights/names.js"

export interface LoadedWeights {
  readonly parameters: HostTensors
  /** Tensors of the file that the network does not have, by their names in the file; buffers aside. */
  readonly unused: readonly string[]
  /** Buffers of the file, which are computed here, by their names in the file. */
  readonly buffers: readonly string[]
  /** Tensors that the spec speaks of and the file does not hold, by the network's names. */
  readonly absent: readonly string[]
  /** raw: the weights. ema: their moving average. */
  readonly set: "raw" | "ema"
  /** What stands in front of every name in the file; null where that differs. */
  readonly under: string | null
  /** What a reader must know about the choice of the set. */
  readonly notes: readonly string[]
}

export interface WeightsOptions {
  readonly names?: NameMap
  /** The experiment evaluates the moving average of its weights; a number is its decay. */
  readonly ema?: boolean | number | undefined
  /** The network of the spec: buffers in the file are held against it. */
  readonly model?: Model | undefined
}

const FLOATS = ["F64", "F32", "F16", "BF16"]

const invalid = (subject: string, message: string): DataError => new DataError("invalid", subject, message)

const missingError = (
  missing: readonly string[],
  of: number,
  names: readonly string[],
  subject: string,
): DataError => {
  const prefixes = copiesOf(names, missing)
  const prefix = prefixes.find((each) => !looksAveraged(each, [])) ?? prefixes[0]
  const near = prefix === undefined ? nearest(missing[0]!, names) : undefined
  const part = /-(\d+)-of-(\d+)\.[a-z]+$/.exec(subject)
  const hint =
    prefix !== undefined
      ? `. It has ${missing.length === of ? "all of them" : "these"} with ${prefixes.length > 1 ? `any of ${prefixes.join(", ")}` : prefix} in front: give a name map with --names, {"${prefix}": ""}.`
      : `${near === undefined ? "" : `; ${near} is near`}.${part === null ? "" : ` Its name says that it is part ${Number(part[1])} of ${Number(part[2])}: join the parts into one file.`} Give the spec the checkpoint was trained with, or a name map with --names.`
  return invalid(
    subject,
    `it lacks ${missing.length} of the network's ${of} tensors: ${several(missing)}${hint}`,
  )
}

/** Refuses shapes that are not the network's; matrices that lie the other way round are called that. */
const requireShapes = (
  { parameters }: Network,
  tensorOf: (name: string) => { readonly name: string; readonly shape: readonly number[] | null },
  subject: string,
): void => {
  const wrong = parameters.flatMap(({ name, shape }) => {
    const from = tensorOf(name)
    // Of an unread tensor the type says more than the shape.
    return from.shape === null || from.shape.join() === shape.join()
      ? []
      : [{ ...from, as: name, wanted: shape }]
  })
  const [first] = wrong
  if (first === undefined) return
  const turned = wrong.filter(
    ({ shape, wanted }) => wanted.length === 2 && shape?.toReversed().join() === wanted.join(),
  )
  const differs = `${first.name} has shape [${first.shape?.join(", ") ?? "not stated"}], the network's ${first.as} is [${first.wanted.join(", ")}]`
  if (turned.length === wrong.length)
    throw invalid(
      subject,
      `its matrices are transposed, [in, out] as in GPT-2's Conv1D, where the network's are [out, in]: ${differs}${wrong.length > 1 ? `, and ${wrong.length - 1} more` : ""}. Transpose every matrix before saving, square ones too, whose shape does not tell.`,
    )
  throw invalid(subject, `${differs}; give the spec and profile the checkpoint was trained with.`)
}

/**
 * The parameters, in float32.
 *
 * @throws DataError when a parameter is missing, has another shape, is given twice, is not finite or not of floating-
 * point numbers; when tensors that are left over say that the file is of another network; when the file holds the
 * moving average that the spec evaluates in part or by another name; when a rule of the map fits nothing
 */
export const weightsOf = (
  { tensors, unread = new Map() }: Checkpoint,
  network: Network,
  subject: string,
  { names = {}, ema = false, model }: WeightsOptions = {},
): LoadedWeights => {
  const all = [...tensors.keys(), ...unread.keys()]
  const named = nameTensors(all, names, subject)
  const wanted = network.parameters.map(({ name }) => name)
  const decay = ema === false ? undefined : ema
  const { set, under, sources, notes } = chooseSet(named, wanted, decay, subject)
  const missing = wanted.filter((name) => !sources.has(name))
  if (missing.length > 0) throw missingError(missing, wanted.length, all, subject)
  requireShapes(
    network,
    (name) => {
      const from = sources.get(name)!
      return { name: from, shape: (tensors.get(from) ?? unread.get(from)!).shape }
    },
    subject,
  )
  const values = (from: string): Float32Array => {
    const tensor = tensors.get(from)
    if (tensor === undefined || !FLOATS.includes(tensor.dtype))
      throw invalid(
        subject,
        `${from} is ${tensor?.dtype ?? unread.get(from)!.type}, not floating-point numbers; save the weights before quantisation.`,
      )
    return toFloat32(tensor)
  }
  const parameters: HostTensors = Object.fromEntries(
    network.parameters.map(({ name, shape }): [string, HostTensor] => [
      name,
      { shape, data: values(sources.get(name)!) },
    ]),
  )
  requireFinite(parameters, subject, (name) => sources.get(name)!)

  const used = new Set(sources.values())
  const left = named.filter(({ name }) => !used.has(name))
  const own = new Set(wanted)
  refuseContradictions({
    parameters: network.parameters,
    used: new Map(wanted.map((name) => [name, parameters[name]!.data as Float32Array])),
    spare: left.flatMap((each) => spareOf(each, tensors, own)),
    model,
    subject,
  })
  return {
    parameters,
    unused: left.filter((each) => !isBuffer(each) || unread.has(each.name)).map(({ name }) => name),
    buffers: left.filter((each) => isBuffer(each) && !unread.has(each.name)).map(({ name }) => name),
    absent: decay !== undefined && set === "raw" ? wanted.map((name) => AVERAGE + name) : [],
    set,
    under,
    notes,
  }
}

const isBuffer = ({ name, target }: NamedTensor): boolean => target !== null && BUFFER.test(name)

/** A left-over tensor that may contradict the spec: neither left out on purpose nor of the other set. */
const spareOf = (
  { name, target }: NamedTensor,
  tensors: ReadonlyMap<string, StoredTensor>,
  own: ReadonlySet<string>,
): readonly SpareTensor[] =>
  target === null || target.startsWith(AVERAGE) || own.has(target)
    ? []
    : [{ name, target, tensor: tensors.get(name) }]
