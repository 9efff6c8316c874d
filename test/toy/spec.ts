/** An experiment of the toy family on the toy task: its data and its spec, in a folder of their own. */
import { mkdtemp, readFile, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeShard } from "../../src/data/rows/shards.js"
import { literalTokenizer } from "../../src/data/tokenizers/literal.js"
import { pieceFile } from "../../src/data/tokenizers/piece-file.js"
import { mergePatch } from "../../src/spec/merge-patch.js"
import { drawsOf, type GeneratedSplit } from "../../src/tasks/generated.js"
import { drawWord, LETTERS, WORD } from "./task.js"

const BOUNDARY = LETTERS.length

/** Words between boundaries. */
const tokens = (split: GeneratedSplit, words: number): Uint16Array => {
  const { encode } = literalTokenizer(LETTERS)
  const ids = Array.from({ length: words }, (_, k) => [BOUNDARY, ...encode(drawWord(drawsOf(7, split, k)))])
  return Uint16Array.from([...ids.flat(), BOUNDARY])
}

/** @param change a merge patch on the spec */
export const toySpec = async (
  change: object = {},
): Promise<{ readonly folder: string; readonly spec: string }> => {
  const folder = await mkdtemp(join(tmpdir(), "repro-toy-"))
  const at = (name: string): string => join(folder, name)
  await writeShard(at("train.bin"), tokens("train", 300))
  await writeShard(at("val.bin"), tokens("validation", 40))
  await writeFile(at("pieces.json"), pieceFile(LETTERS, ["<s>"]))
  const published = JSON.parse(await readFile("specs/mdlm_eos.json", "utf8")) as { readonly source: object }
  const spec = {
    schemaVersion: 1,
    id: "toy",
    system: "toy",
    title: "Toy",
    description: "A toy network learns words of one letter.",
    source: published.source,
    claims: [],
    data: {
      corpus: { kind: "files", train: [`file:${at("train.bin")}`], validation: [`file:${at("val.bin")}`] },
      tokenizer: {
        id: "letters",
        model: `file:${at("pieces.json")}`,
        vocabSize: BOUNDARY + 1,
        boundaryId: BOUNDARY,
        maskId: BOUNDARY + 1,
        padId: BOUNDARY + 2,
      },
      batching: { kind: "document-chunks", length: WORD + 1, shardsInMemory: 1, rotation: true },
    },
    model: { kind: "two-tables", width: 8, tableRows: BOUNDARY + 3 },
    objective: { kind: "denoise", rate: 0.5 },
    training: {
      seed: 7,
      stepsPerGroup: 80,
      microBatch: 16,
      accumulation: 1,
      clipNorm: 1,
      optimizer: { kind: "adamw", learningRate: 0.1, betas: [0.9, 0.99], eps: 1e-8, weightDecay: 0 },
      schedule: { kind: "constant", warmup: 2, warmupFrom: 0 },
      checkpointEvery: 40,
    },
    evaluations: [
      {
        kind: "discrete-elbo",
        id: "elbo",
        windows: { length: WORD + 1, count: 40, alignment: "document-chunks" },
        steps: 8,
        seed: 3,
        draws: 1,
      },
      {
        kind: "samples",
        id: "words",
        count: 12,
        seeds: [0],
        task: "one-letter",
        sampling: { sampler: "ancestral" },
      },
    ],
    execution: { engine: "onnxruntime", device: "cpu", precision: "fp32", threads: 1 },
    profiles: {},
  }
  await writeFile(at("toy.json"), JSON.stringify(mergePatch(spec as never, change as never)))
  return { folder, spec: at("toy.json") }
}
