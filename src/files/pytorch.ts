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

/** Tensors of nested containers by dotted name; other values are passed over. */
const collect = (
  value: unknown,
  name: string,
  into: Map<string, TensorView | OpaqueTensor>,
  subject: string,
  depth: number,
): void => {
  if (value instanceof TensorView || value instanceof OpaqueTensor) {
    const earlier = into.get(name)
    if (earlier !== undefined && earlier !== value)
      throw new DataError(
        "invalid",
        subject,
        `two of its tensors are called ${name}, one by a dotted key and one by nested dicts; save one of them alone.`,
      )
    into.set(name, value)
  } else if (depth > 0 && (value instanceof Map || Array.isArray(value))) {
    for (const [key, item] of value instanceof Map ? value : value.entries())
      collect(item, name === "" ? String(key) : `${name}.${String(key)}`, into, subject, depth - 1)
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
  const found = new Map<string, TensorView | OpaqueTensor>()
  collect(content, "", found, subject, 8)
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
  for (const [name, view] of found) {
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
