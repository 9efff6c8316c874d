/** A run that grows bracket strings or paths through star graphs, small enough to train in a second. */
import { mkdtemp, readFile, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { mergePatch } from "../../src/spec/merge-patch.js"

const TASKS = {
  star: { task: { kind: "star", level: "easy" }, pieces: 20, length: 48, separator: true },
  problems: { task: { kind: "word-problems" }, pieces: 49, length: 20, separator: true },
  brackets: { task: { kind: "brackets", words: "balanced" }, pieces: 2, length: 24, separator: false },
} as const

/** @param change a merge patch on the spec */
export const growingSpec = async (
  name: keyof typeof TASKS,
  evaluations: readonly object[],
  change: object = {},
): Promise<{ readonly folder: string; readonly spec: string }> => {
  const { task, pieces, length, separator } = TASKS[name]
  const published = JSON.parse(await readFile("specs/flexmdm_speeches.json", "utf8")) as Record<
    string,
    object
  >
  const small = mergePatch(
    published as never,
    {
      id: `small_${name}`,
      profiles: null,
      claims: [],
      data: {
        corpus: {
          kind: "generated",
          task,
          seed: 7,
          trainItems: 400,
          validationItems: 40,
          source: null,
          sha256: null,
          trainShards: null,
          sentencesPerDocument: null,
          holdOutEvery: null,
        },
        tokenizer: {
          id: name,
          model: "corpus",
          vocabSize: pieces + 2,
          boundaryId: pieces,
          maskId: pieces + 2,
          padId: pieces + 3,
          ...(separator ? { separatorId: pieces + 1 } : {}),
        },
        batching: { kind: "documents", length, shardsInMemory: 1, rotation: true, end: "anchor" },
      },
      model: {
        layers: 1,
        width: 16,
        heads: 2,
        tableRows: pieces + 4,
        endSlot: "eos-anchor",
        conditioning: { frequencies: 8, width: 16 },
        gapHead: { scale: length, bias: -3 },
      },
      objective: { fixed: "none" },
      training: {
        stepsPerGroup: 12,
        microBatch: 4,
        checkpointEvery: 6,
        emaDecay: 0.5,
        schedule: { warmup: 4 },
      },
      evaluations,
      execution: { engine: "onnxruntime", device: "cpu", precision: "fp32", threads: 1 },
    } as never,
  )
  const folder = await mkdtemp(join(tmpdir(), "repro-samples-"))
  const spec = join(folder, `${name}.json`)
  await writeFile(
    spec,
    JSON.stringify(mergePatch({ ...(small as object), profiles: {} } as never, change as never)),
  )
  return { folder, spec }
}
