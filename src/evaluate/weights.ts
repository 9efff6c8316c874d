/** A network's parameters from the tensors of a checkpoint made elsewhere, by name. */
import { DataError } from "../data/errors.js"
import { readPytorch } from "../data/pytorch.js"
import { readSafetensors, toFloat32, type StoredTensor } from "../data/safetensors.js"
import type { HostTensor, HostTensors } from "../engine/executor.js"
import type { Network } from "../model/network.js"
import { nearest } from "../spec/nearest.js"

/**
 * Names in the file to names of the network: a whole name, or a prefix that ends in a full stop. null leaves the
 * tensor out. Longer entries come first.
 */
export type NameMap = Readonly<Record<string, string | null>>

export interface Checkpoint {
  readonly format: "safetensors" | "pytorch"
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** Optimiser steps behind it; null where the file does not say. */
  readonly step: number | null
}

/** What torch.compile and DistributedDataParallel put in front of every name. */
const WRAPPERS = ["_orig_mod.", "module."]

/** Buffers of the published networks, which are computed here. */
const BUFFERS = /(^|\.)(cos|sin|inv_freq|freqs)$/

/**
 * A safetensors file, or a state dict written by torch.save; the first bytes tell which.
 *
 * @throws DataError
 */
export const readCheckpoint = async (path: string): Promise<Checkpoint> => {
  const format = (await startsLikeZip(path)) ? "pytorch" : "safetensors"
  if (format === "pytorch") return { format, tensors: await readPytorch(path), step: null }
  const { tensors, metadata } = await readSafetensors(path).catch((error: unknown) => {
    if (!(error instanceof DataError) || (error.reason !== "invalid" && error.reason !== "truncated"))
      throw error
    const why = error.message.replace(`${error.subject}: `, "")
    throw new DataError(
      error.reason,
      path,
      `it is no PyTorch checkpoint, which begins as a ZIP file (torch.save since PyTorch 1.6), so it was read as safetensors: ${why}`,
      error,
    )
  })
  const step = Number(metadata["step"] ?? Number.NaN)
  return { format, tensors, step: Number.isSafeInteger(step) && step >= 0 ? step : null }
}

const startsLikeZip = async (path: string): Promise<boolean> => {
  const { open } = await import("node:fs/promises")
  const handle = await open(path, "r").catch(() => undefined)
  if (handle === undefined) return false // reading it as safetensors says why
  try {
    const start = new Uint8Array(2)
    await handle.read(start, 0, 2, 0)
    return start[0] === 0x50 && start[1] === 0x4b
  } finally {
    await handle.close()
  }
}

/** @throws DataError unless the text is a JSON object of strings and nulls */
export const parseNameMap = (text: string, subject: string): NameMap => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new DataError("invalid", subject, `this is not JSON: ${(error as Error).message}.`)
  }
  const entries =
    typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : null
  if (entries === null || !entries.every(([, to]) => typeof to === "string" || to === null))
    throw new DataError(
      "invalid",
      subject,
      'a name map is an object such as {"model.": "", "lm_head.weight": "head.weight", "unused": null}.',
    )
  return value as NameMap
}

const unwrap = (name: string): string => {
  const wrapper = WRAPPERS.find((each) => name.startsWith(each))
  return wrapper === undefined ? name : unwrap(name.slice(wrapper.length))
}

/** The network's name for a tensor of the file; null leaves it out. */
const renamed = (name: string, map: NameMap, rules: readonly string[]): string | null => {
  for (const rule of rules) {
    const to = map[rule]!
    if (rule === name) return to
    if (rule.endsWith(".") && name.startsWith(rule)) return to === null ? null : to + name.slice(rule.length)
  }
  return unwrap(name)
}

export interface LoadedWeights {
  readonly parameters: HostTensors
  /** Tensors of the file that the network does not have, by their names in the file. */
  readonly unused: readonly string[]
}

const several = (names: readonly string[]): string =>
  names.length <= 4 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`

/**
 * The parameters, in float32.
 *
 * @param ema take `ema/<name>` where the file has it, as the files of this program's own runs do
 * @throws DataError when a parameter is missing, has another shape or is given twice, or a rule of the map fits nothing
 */
export const weightsOf = (
  { tensors }: Checkpoint,
  network: Network,
  subject: string,
  { names = {}, ema = false }: { readonly names?: NameMap; readonly ema?: boolean } = {},
): LoadedWeights => {
  const rules = Object.keys(names).sort((a, b) => b.length - a.length || (a < b ? -1 : 1))
  const found = new Map<string, string>()
  for (const name of tensors.keys()) {
    const to = renamed(name, names, rules)
    if (to === null) continue
    const earlier = found.get(to)
    if (earlier !== undefined)
      throw new DataError(
        "invalid",
        subject,
        `both ${earlier} and ${name} stand for ${to}; leave one out in the name map.`,
      )
    found.set(to, name)
  }
  const idle = rules.find(
    (rule) => ![...tensors.keys()].some((n) => n === rule || (rule.endsWith(".") && n.startsWith(rule))),
  )
  if (idle !== undefined)
    throw new DataError(
      "invalid",
      subject,
      `no tensor fits the entry "${idle}" of the name map; remove or correct it.`,
    )

  const source = (name: string): string | undefined =>
    (ema ? found.get(`ema/${name}`) : undefined) ?? found.get(name)
  const missing = network.parameters.filter(({ name }) => source(name) === undefined).map(({ name }) => name)
  if (missing.length > 0) {
    const near = nearest(missing[0]!, [...tensors.keys()])
    throw new DataError(
      "invalid",
      subject,
      `it lacks ${missing.length} of the network's ${network.parameters.length} tensors: ${several(missing)}${near === undefined ? "" : `; ${near} is near`}. Give the spec the checkpoint was trained with, or a name map with --names.`,
    )
  }
  const used = new Set<string>()
  const parameters: [string, HostTensor][] = network.parameters.map(({ name, shape }) => {
    const from = source(name)!
    const tensor = tensors.get(from)!
    used.add(from)
    if (tensor.shape.join() !== shape.join())
      throw new DataError(
        "invalid",
        subject,
        `${from} has shape [${tensor.shape.join(", ")}], the network's ${name} is [${shape.join(", ")}]; give the spec and profile the checkpoint was trained with.`,
      )
    if (!["F64", "F32", "F16", "BF16"].includes(tensor.dtype))
      throw new DataError(
        "invalid",
        subject,
        `${from} is ${tensor.dtype}, not floating-point numbers; save the weights before quantisation.`,
      )
    return [name, { shape, data: toFloat32(tensor) }]
  })
  return {
    parameters: Object.fromEntries(parameters),
    unused: [...tensors.keys()].filter((name) => !used.has(name) && !BUFFERS.test(name)),
  }
}
