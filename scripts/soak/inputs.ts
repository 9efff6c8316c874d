/** Inputs of every kind, mutated: each is read or refused with a sentence; nothing else is thrown, nothing hangs. */
import { mkdir, readdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { readUnpacked } from "../../src/files/unpacked.js"
import { readTar } from "../../src/files/tar.js"
import { parseSentencePiece } from "../../src/data/tokenizers/sentencepiece.js"
import { readSpeeches } from "../../src/data/corpora/speeches/speeches.js"
import { readCheckpoint } from "../../src/inference/weights/checkpoint.js"
import { invoke } from "../../test/cli/harness.js"
import { tarball } from "../../test/data/archive.js"
import type { Chance } from "./chance.js"
import type { Figures, Part } from "./figures.js"

const root = fileURLToPath(new URL("../..", import.meta.url))
const SPOTS = [
  "",
  "\u0000",
  "\u001b[2J",
  "null",
  "-1",
  "1e999",
  "[]",
  "{}",
  "9".repeat(400),
  '"',
  "\\",
  "\ufeff",
  "é",
]

/** Bytes turned, cut, doubled, or replaced by what readers stumble on. */
const mutate = (bytes: Uint8Array, chance: Chance): Uint8Array => {
  let out = Buffer.from(bytes)
  for (let i = 1 + chance.below(4); i > 0; i--) {
    const at = chance.below(out.length + 1)
    const to = Math.min(out.length, at + chance.below(40))
    const kind = chance.below(5)
    if (kind === 0 && at < out.length) out[at]! ^= 1 << chance.below(8)
    else if (kind === 1) out = Buffer.concat([out.subarray(0, at), out.subarray(to)])
    else if (kind === 2) out = out.subarray(0, at)
    else if (kind === 3) out = Buffer.concat([out.subarray(0, to), out.subarray(at)])
    else out = Buffer.concat([out.subarray(0, at), Buffer.from(chance.pick(SPOTS)), out.subarray(to)])
  }
  return out
}

interface Kind {
  readonly name: string
  readonly samples: readonly Uint8Array[]
  readonly ending: string
  readonly read: (path: string, bytes: Uint8Array) => Promise<unknown>
}

/** Errors that are sentences for a person. */
const TOLD = new Set(["DataError", "SpecError", "ClaimError", "UsageError", "RunError"])

const command =
  (...args: readonly string[]) =>
  async (path: string): Promise<void> => {
    const { code, stderr } = await invoke(...(args.map((arg) => (arg === "FILE" ? path : arg)) as [string]))
    if (/\n\s+at .*\(|^repro: \w*Error\b/.test(stderr) || code > 3) throw new Error(stderr)
  }

/** Files of a folder, packed ones as they were written. */
const filesOf = async (folder: string, ending: string): Promise<Uint8Array[]> => {
  const names = (await readdir(join(root, folder))).filter((name) =>
    [ending, `${ending}.gz`].some((each) => name.endsWith(each)),
  )
  if (names.length === 0) throw new Error(`${folder} holds no file that ends with ${ending}`)
  return Promise.all(names.map((name) => readUnpacked(join(root, folder, name))))
}

const LOG =
  "val_loader:shards pattern=./data/val_*.bin tokens:62021632\nstep:100/200 val_loss:2.03588345 val_bpb:1.20576485 train_time:1ms\n"
const EVIDENCE = "docs/results/evidence/20261121T132035Z-ar_matched-laptop-afd0adf3/evidence"

export const mutating = async (work: string, chance: Chance, figures: Figures): Promise<Part> => {
  const folder = join(work, "inputs")
  await mkdir(folder, { recursive: true })
  const archive = tarball({ "package/data/a.txt": "One. Two.", "package/data/b.txt": "Three — four." })
  const kinds: readonly Kind[] = [
    {
      name: "specs",
      ending: "json",
      samples: await filesOf("specs", ".json"),
      read: command("validate", "FILE"),
    },
    {
      name: "claims",
      ending: "json",
      samples: await filesOf("specs/claims", ".json"),
      read: command("compare", "pr1241-headline", "bpb", "--claims", "FILE"),
    },
    { name: "logs", ending: "log", samples: [Buffer.from(LOG)], read: command("infer", "FILE") },
    {
      name: "tokenizer models",
      ending: "model",
      samples: await filesOf("assets", ".model"),
      read: async (path, bytes) => parseSentencePiece(bytes, path),
    },
    {
      name: "PyTorch checkpoints",
      ending: "pt",
      samples: await filesOf("test/files/pytorch", ".pt"),
      read: readCheckpoint,
    },
    {
      name: "safetensors",
      ending: "safetensors",
      samples: await filesOf(EVIDENCE, ".safetensors"),
      read: readCheckpoint,
    },
    {
      name: "tarballs",
      ending: "tgz",
      samples: [archive],
      read: async (path, bytes) => {
        Array.from(readTar(bytes, path))
        readSpeeches(bytes, path)
      },
    },
  ]
  let turn = 0
  return {
    name: "inputs",
    step: async () => {
      const kind = kinds[turn++ % kinds.length]!
      const bytes = mutate(chance.pick(kind.samples), chance)
      const path = join(folder, `input.${kind.ending}`)
      await writeFile(path, bytes)
      const began = performance.now()
      const keep = async (what: string): Promise<void> => {
        const kept = join(folder, `kept-${figures.failures.length}.${kind.ending}`)
        await writeFile(kept, bytes)
        figures.fail(`${what}: ${kept}`)
      }
      try {
        await kind.read(path, bytes)
      } catch (error) {
        if (!(error instanceof Error) || !TOLD.has(error.name))
          await keep(
            `${kind.name} threw ${error instanceof Error ? (error.stack ?? error.message).slice(0, 500) : String(error)}`,
          )
      }
      const ms = performance.now() - began
      figures.add(`mutated ${kind.name}`)
      figures.add("mutated inputs")
      figures.most("slowest input, ms", Math.round(ms))
    },
  }
}
