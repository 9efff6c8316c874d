/** Files that are given as checkpoints and are something else: each is refused by what it is. */
import { gzipSync } from "node:zlib"
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { test } from "tap"
import { encodeSafetensors } from "../../src/files/safetensors.js"
import { readCheckpoint } from "../../src/inference/weights.js"

const LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 7024\n"

/** File contents, and what the refusal must say. */
const KINDS: Readonly<Record<string, readonly [content: string | Uint8Array, expected: RegExp]>> = {
  "lfs.safetensors": [LFS, /this is a Git-LFS pointer, which stands for a file of 7024 bytes.*git lfs pull/],
  "lfs.pt": [LFS.replaceAll("\n", "\r\n"), /this is a Git-LFS pointer/],
  "annex.pt": ["/annex/objects/SHA256E-s70--ab.pt\n", /this is a git-annex pointer/],
  "page.pt": ["<!DOCTYPE html><html><body>Sign in</body></html>", /this is a web page \(HTML\)/],
  "page.safetensors": ["\uFEFF\n <!-- x -->\n<HTML lang=en><head></head>", /this is a web page \(HTML\)/],
  "denied.pt": [
    '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    /XML or HTML document .*AccessDenied/,
  ],
  "gone.pt": ["Entry not found", /a text that begins with "Entry not found", such as a server's answer/],
  "empty.pt": ["", /it is empty/],
  "model.safetensors.index.json": [
    '{"metadata": {"total_size": 1}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}',
    /this is the index of a checkpoint in parts \(model-00001-of-00002\.safetensors\).*holds no weights itself/,
  ],
  "pytorch_model.bin.index.json": [
    '\n{"weight_map": {"a": "b-1.bin", "b": "b-2.bin", "c": "b-2.bin"}}',
    /this is the index of a checkpoint in parts \(b-1\.bin, b-2\.bin\)/,
  ],
  "config.json": ['{"hidden_size": 64}', /this is a JSON document and holds no weights/],
  "weights.pt.gz": [gzipSync("weights"), /this is compressed with gzip/],
  "weights.gguf": ["GGUF\u0003\0\0\0\0\0\0\0", /this is GGUF/],
  "weights.h5": [Uint8Array.of(0x89, 0x48, 0x44, 0x46, 13, 10, 26, 10), /this is HDF5/],
  "weights.tar": [
    Buffer.concat([Buffer.alloc(257), Buffer.from("ustar\0"), Buffer.alloc(300)]),
    /this is a tar archive/,
  ],
  "legacy.pt": [
    Uint8Array.of(0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20),
    /a bare Python pickle, such as torch\.save wrote before PyTorch 1\.6/,
  ],
}

void test("each is refused by what it is", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "repro-kinds-"))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  for (const [name, [content, expected]] of Object.entries(KINDS)) {
    const path = join(folder, name)
    await writeFile(path, content)
    await t.rejects(readCheckpoint(path), { _tag: "DataError", subject: path, message: expected }, name)
  }
  const whole = await readFile(fileURLToPath(new URL("pytorch/state.pt", import.meta.url)))
  const cut = join(folder, "cut.pt")
  for (const size of [22, 500, whole.length - 30]) {
    await writeFile(cut, whole.subarray(0, size))
    await t.rejects(
      readCheckpoint(cut),
      /cut\.pt: no end of a ZIP directory .* the archive was cut off/,
      `${size}`,
    )
  }
  const half = join(folder, "half.safetensors")
  const bytes = encodeSafetensors({ w: { dtype: "F32", shape: [8], data: new Float32Array(8) } })
  await writeFile(half, bytes.subarray(0, bytes.length - 4))
  await t.rejects(readCheckpoint(half), /half\.safetensors: .*it is truncated/)
})

void test("folders", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "repro-kinds-"))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await t.rejects(readCheckpoint(folder), /this is a folder; give the checkpoint file\.$/)
  await writeFile(join(folder, "model.safetensors"), "")
  await t.rejects(
    readCheckpoint(folder),
    /this is a folder; give the checkpoint file in it: model\.safetensors\.$/,
  )
  const shards = join(folder, "dcp")
  await mkdir(shards)
  await writeFile(join(shards, "__0_0.distcp"), "")
  await t.rejects(readCheckpoint(shards), /this is the folder of a distributed checkpoint/)
})

void test("a header of any length is no other file's beginning", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "repro-kinds-"))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, "w.safetensors")
  // Lengths whose first bytes are those of a pickle, a ZIP archive, gzip, and a web page.
  for (const length of [0x0280, 0x4b50, 0x8b1f, 0x213c]) {
    const bytes = new Uint8Array(8 + length + 4).fill(0x20, 8, 8 + length)
    bytes.set(new TextEncoder().encode('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'), 8)
    new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
    await writeFile(path, bytes)
    t.same([...(await readCheckpoint(path)).tensors.get("a")!.data], [0], `${length}`)
  }
})
