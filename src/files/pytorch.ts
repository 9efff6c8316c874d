/**
 * PyTorch checkpoints: the tensors of a state dict written by `torch.save` (its ZIP form, the default since 1.6).
 * Layout: `<name>/data.pkl`, a pickle whose persistent ids name storages, and `<name>/data/<key>` with each storage's
 * bytes. Source: PyTorch torch/serialization.py.
 */
import { open, type FileHandle } from "node:fs/promises"
import { DataError, fromSystemError } from "./errors.js"
import { readPickle } from "./pickle.js"
import {
  gatherView,
  OpaqueTensor,
  torchGlobals,
  storageOf,
  type Storage,
  TensorView,
} from "./pytorch-tensors.js"
import type { StoredTensor, UnreadTensor } from "./safetensors.js"
import { openZip, type ZipFile } from "./zip.js"

/** Names of rotary tables whose entries are cos + i sin. */
const ROTATIONS = /(^|[._])freqs_cis$/

export interface PytorchFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** Tensors of element types or layouts that are not read (float8, complex, quantised, sparse, without data). */
  readonly unread: ReadonlyMap<string, UnreadTensor>
}

const damaged = (subject: string, what: string): DataError =>
  new DataError("invalid", subject, `${what}; the checkpoint is damaged: copy or save it again.`)

/** Containers deeper than this hold settings and no tensors. */
const MAX_DEPTH = 8
const MAX_NAME = 1024

const tangled = (subject: string, what: string): DataError =>
  new DataError(
    "refused",
    subject,
    `${what}, which no state dict does; save the tensors alone, torch.save(model.state_dict(), "weights.pt"), or write safetensors.`,
  )

const isSimple = (value: unknown): boolean => typeof value !== "object" || value === null

/** A key as a part of a name: text and numbers as they are, tuples of them with commas. */
const keyName = (key: unknown, subject: string): string => {
  if (isSimple(key)) return String(key)
  if (Array.isArray(key) && key.length <= 16 && key.every(isSimple)) return key.join()
  throw tangled(
    subject,
    "it keeps a tensor under a key that is neither text nor a number nor a tuple of them",
  )
}

/** Tensors of nested containers by dotted name; other values are passed over. */
class Collector {
  readonly tensors = new Map<string, TensorView | OpaqueTensor>()
  readonly #subject: string
  /** Containers that the present place lies in, with their keys. */
  readonly #path: { readonly container: unknown; readonly key: unknown }[] = []
  /** Values that may still be looked at. A tree of the pickle's bytes has no more; a graph unrolls to any number. */
  #budget: number

  constructor(subject: string, budget: number) {
    this.#subject = subject
    this.#budget = budget
  }

  #name(): string {
    const keys = this.#path.map(({ key }) => keyName(key, this.#subject))
    const name = keys.join(".")
    if (name.length > MAX_NAME)
      throw tangled(this.#subject, `it names a tensor with ${name.length} characters (${name.slice(0, 60)}…)`)
    return name
  }

  #tensor(value: TensorView | OpaqueTensor): void {
    const name = this.#name()
    const earlier = this.tensors.get(name)
    if (earlier !== undefined && earlier !== value)
      throw new DataError(
        "invalid",
        this.#subject,
        `two of its tensors are called ${name}, one by a dotted key and one by nested dicts; save one of them alone.`,
      )
    this.tensors.set(name, value)
  }

  add(value: unknown): void {
    if (value instanceof TensorView || value instanceof OpaqueTensor) return this.#tensor(value)
    if (this.#path.length === MAX_DEPTH || !(value instanceof Map || Array.isArray(value))) return
    if (this.#path.some(({ container }) => container === value))
      throw tangled(this.#subject, "one of its dicts or lists holds itself")
    for (const [key, item] of value.entries()) {
      if (--this.#budget < 0)
        throw tangled(this.#subject, "its dicts and lists hold one another so often that they have no end")
      this.#path.push({ container: value, key })
      this.add(item)
      this.#path.pop()
    }
  }
}

const readTensors = async (zip: ZipFile, subject: string): Promise<PytorchFile> => {
  const pickles = [...zip.entries.values()].filter(({ name }) => /^[^/]+\/data\.pkl$/.test(name))
  const [pickle] = pickles
  if (pickle === undefined || pickles.length > 1)
    throw new DataError(
      "invalid",
      subject,
      [...zip.entries.keys()].every((name) => name.endsWith(".npy"))
        ? "this is a NumPy archive (.npz) and no state dict; save the weights as safetensors or with torch.save(model.state_dict(), path)."
        : "the archive holds no state dict (one data.pkl); a TorchScript file or another archive cannot be read: save with torch.save(model.state_dict(), path).",
    )
  const root = pickle.name.slice(0, -"data.pkl".length)
  const order = zip.entries.get(`${root}byteorder`)
  if (order !== undefined && new TextDecoder().decode(await zip.read(order)) !== "little")
    throw new DataError("invalid", subject, "its numbers are big-endian; save it on a little-endian machine.")
  const content = readPickle(await zip.read(pickle), subject, {
    global: torchGlobals(subject),
    persistent: (id) => storageOf(id, subject),
  })
  const found = new Collector(subject, pickle.size)
  found.add(content)
  const storages = new Map<string, Uint8Array>()
  const bytesOf = async ({ key, bytes }: Storage): Promise<Uint8Array> => {
    const known = storages.get(key)
    if (known !== undefined && known.byteLength === bytes) return known
    const entry = zip.entries.get(`${root}data/${key}`)
    if (entry === undefined || entry.size !== bytes)
      throw damaged(
        subject,
        `the storage ${key} should have ${bytes} bytes and ${entry === undefined ? "is missing" : `has ${entry.size}`}`,
      )
    const read = await zip.read(entry)
    storages.set(key, read)
    return read
  }
  const tensors = new Map<string, StoredTensor>()
  const unread = new Map<string, UnreadTensor>()
  for (const [name, view] of found.tensors) {
    // A table of rotations is complex in many networks, and its base is to be compared.
    const pairs = view instanceof OpaqueTensor && ROTATIONS.test(name) ? view.pairs : undefined
    if (pairs !== undefined) tensors.set(name, gatherView(pairs, await bytesOf(pairs.storage)))
    else if (view instanceof OpaqueTensor) unread.set(name, { type: view.type, shape: view.shape })
    else tensors.set(name, gatherView(view, await bytesOf(view.storage)))
  }
  return { tensors, unread }
}

/**
 * Every tensor of a checkpoint, by name; nested dicts give dotted names. The values of a strided, expanded or negated
 * tensor are gathered when they are asked for.
 *
 * @throws DataError for a file that is no such checkpoint, is damaged, or holds anything but plain data
 */
export const readPytorch = async (path: string): Promise<PytorchFile> => {
  let handle: FileHandle | undefined
  try {
    handle = await open(path, "r")
    const start = new Uint8Array(4)
    await handle.read(start, 0, 4, 0)
    if (String.fromCharCode(...start.subarray(0, 2)) !== "PK")
      throw new DataError(
        "invalid",
        path,
        "this is not a PyTorch checkpoint in ZIP form (torch.save since 1.6); load it with torch and save it again.",
      )
    return await readTensors(await openZip(handle, path), path)
  } catch (error) {
    throw fromSystemError(error, path, "reading the checkpoint")
  } finally {
    await handle?.close()
  }
}
