/** What a file that was given as a checkpoint is instead, from its first bytes: a download that went wrong, mostly. */
import { open, readdir, stat } from "node:fs/promises"
import { DataError, fromSystemError } from "./errors.js"

/** Bytes looked at; enough for a Git-LFS pointer and the magic of a tar archive. */
const START = 1024
/** A longer JSON document is no index of a checkpoint. */
const MAX_INDEX = 32 * 2 ** 20

const MAGIC: readonly (readonly [readonly number[], string])[] = [
  [[0x1f, 0x8b], "gzip"],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], "xz"],
  [[0x28, 0xb5, 0x2f, 0xfd], "zstd"],
  [[0x42, 0x5a, 0x68], "bzip2"],
  [[0x37, 0x7a, 0xbc, 0xaf], "7z"],
]

const ascii = (text: string): readonly number[] => Array.from(text, (c) => c.charCodeAt(0))

const FORMATS: readonly (readonly [readonly number[], string])[] = [
  [ascii("GGUF"), "GGUF, weights of llama.cpp, quantised as a rule"],
  [[0x89, ...ascii("HDF")], "HDF5, as Keras writes it"],
  [[0x93, ...ascii("NUMPY")], "a NumPy array"],
]

const begins = (bytes: Uint8Array, magic: readonly number[]): boolean =>
  magic.every((byte, i) => bytes[i] === byte)

/** The eight bytes of a header's length, and its brace: a length may begin like anything, such as "PK". */
const beginsSafetensors = (bytes: Uint8Array): boolean => bytes[7] === 0 && bytes[8] === 0x7b

const quote = (text: string): string => JSON.stringify(text.slice(0, 60).split("\n")[0])

/** A text begins a file: no byte that text never has. */
const textOf = (bytes: Uint8Array): string | undefined => {
  if (bytes.length < 8 || bytes.some((byte) => byte < 9 || (byte > 13 && byte < 32))) return undefined
  return new TextDecoder()
    .decode(bytes)
    .replace(/^\uFEFF/, "")
    .trimStart()
}

const lfs = (text: string): string => {
  const [size] = /^size (\d+)/m.exec(text)?.slice(1) ?? []
  return `this is a Git-LFS pointer, which stands for ${size === undefined ? "the file" : `a file of ${size} bytes`}; fetch the file itself with git lfs pull, or download it.`
}

const json = (text: string | undefined): string => {
  let value: unknown
  try {
    value = text === undefined ? undefined : JSON.parse(text)
  } catch {
    value = undefined
  }
  const map = (value as { weight_map?: unknown } | undefined | null)?.weight_map
  if (typeof map !== "object" || map === null)
    return "this is a JSON document and holds no weights; give the checkpoint file."
  const parts = [...new Set(Object.values(map).map(String))].sort()
  const single = parts.length === 1 && !/-of-0*([2-9]|\d{2,})\b/.test(parts[0]!)
  return `this is the index of a checkpoint in ${single ? "another file" : "parts"} (${parts.slice(0, 3).join(", ")}${parts.length > 3 ? ", ..." : ""}) and holds no weights itself; ${single ? "give that file" : "join the parts into one safetensors file and give that"}.`
}

const described = (bytes: Uint8Array, size: number, whole: () => Promise<string | undefined>) => {
  if (size === 0) return "it is empty, a download that did not begin; fetch it again."
  for (const [magic, name] of MAGIC)
    if (begins(bytes, magic)) return `this is compressed with ${name}; decompress it and give the file in it.`
  for (const [magic, name] of FORMATS)
    if (begins(bytes, magic))
      return `this is ${name}, which is not read; save the weights as safetensors or with torch.save.`
  if (begins(bytes.subarray(257), ascii("ustar")))
    return "this is a tar archive; unpack it and give the checkpoint in it."
  if (bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5)
    return "this is a bare Python pickle, such as torch.save wrote before PyTorch 1.6, and not a PyTorch checkpoint in ZIP form; load it with torch and save it again."
  const text = textOf(bytes)
  if (text === undefined) return undefined
  if (/^version https?:\/\/\S*(git-lfs|hawser)/.test(text)) return lfs(text)
  if (/^\S*\/annex\/objects\//.test(text))
    return "this is a git-annex pointer; fetch the file itself with git annex get."
  if (/^(<!--[\s\S]*?-->\s*)*<(!doctype\s+html|html|head|body|title|script)\b/i.test(text))
    return "this is a web page (HTML), such as a site shows in place of a file: a sign-in, a licence to accept, or an error; download the file itself."
  if (text.startsWith("<"))
    return `this is an XML or HTML document (${quote(text)}), such as a storage service's error; download the file itself.`
  if (/^[{[]/.test(text)) return whole().then(json)
  return `this is a text that begins with ${quote(text)}, such as a server's answer in place of a file; download the file itself.`
}

const WEIGHTS = /\.(safetensors|pt|pth|bin|ckpt)$/

const folder = async (path: string): Promise<string> => {
  const names = (await readdir(path)).sort()
  const there = names.filter((name) => WEIGHTS.test(name))
  if (names.some((name) => name.endsWith(".distcp")))
    return "this is the folder of a distributed checkpoint; join it into one file (torch.distributed.checkpoint.format_utils) and give that."
  return there.length === 0
    ? "this is a folder; give the checkpoint file."
    : `this is a folder; give the checkpoint file in it: ${there.slice(0, 4).join(", ")}${there.length > 4 ? ", ..." : ""}.`
}

/**
 * Whether a file is a ZIP archive, as torch.save writes it, or may be safetensors.
 *
 * @throws DataError when it is neither and its first bytes say what it is
 */
export const checkpointFormat = async (path: string): Promise<"zip" | "safetensors"> => {
  try {
    const about = await stat(path)
    if (about.isDirectory()) throw new DataError("invalid", path, await folder(path))
    const handle = await open(path, "r")
    try {
      const bytes = new Uint8Array(Math.min(START, about.size))
      await handle.read(bytes, 0, bytes.length, 0)
      if (beginsSafetensors(bytes)) return "safetensors"
      if (begins(bytes, ascii("PK"))) return "zip"
      const whole = async (): Promise<string | undefined> =>
        about.size > MAX_INDEX
          ? undefined
          : handle.readFile("utf8").then((text) => text.replace(/^\uFEFF/, ""))
      const what = await described(bytes, about.size, whole)
      if (what !== undefined) throw new DataError("invalid", path, what)
      return "safetensors"
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw fromSystemError(error, path, "opening it")
  }
}
