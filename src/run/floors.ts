/**
 * Sanity floors: what simple models fitted on the training split, and xz, need for the very tokens that were
 * scored. Measured once per run and kept beside the evidence, because they need the training data.
 */
import { execa } from "execa"
import { readTokens, type LoadedCorpus } from "../data/corpus.js"
import { decodeTokens } from "../data/decode.js"
import { requireUnchanged } from "../data/identity.js"
import { buildByteTable, countBytes } from "../metric/byte-table.js"
import { bigramFloor, trigramFloor, unigramFloor, uniformFloor } from "../metric/floors.js"
import type { FloorSummary } from "../report/language-model.js"
import type { Experiment } from "../spec/experiment.js"
import { ConservationError } from "./conservation.js"
import type { Run, RunReader } from "./directory.js"
import type { Display } from "./display.js"

const EVIDENCE = "floors"
/** Training tokens up to which a trigram is cheap (seconds and tens of megabytes). */
const TRIGRAM_TOKENS = 20_000_000
/** Training tokens that are read for the floors at most; said in the row when the split is larger. */
const TRAIN_TOKENS = 100_000_000

export interface FloorsOptions {
  readonly run: Run
  readonly experiment: Experiment
  readonly corpus: LoadedCorpus
  readonly display: Display
}

/** The floors of a run, if they were measured. */
export const readFloors = async (run: RunReader): Promise<readonly FloorSummary[] | undefined> => {
  if (!(await run.evidence()).includes(EVIDENCE)) return undefined
  const { metadata } = await run.readEvidence(EVIDENCE)
  return JSON.parse(metadata["floors"] ?? "[]") as FloorSummary[]
}

/** Bytes that `xz -9e` needs, or why it could not be asked. */
const xzBytes = async (text: Uint8Array): Promise<number | string> => {
  try {
    const { stdout } = await execa("xz", ["-9e", "--stdout", "--format=xz"], {
      input: text,
      encoding: "buffer",
    })
    return stdout.length
  } catch (error) {
    const missing = (error as { code?: string }).code === "ENOENT"
    return missing
      ? "xz was not found on this machine; install xz-utils and run `repro table` again."
      : `xz failed: ${(error as Error).message}`
  }
}

/** The slice of the validation split that an evaluation on raw windows scores. */
const scoredTokens = (split: Uint16Array, experiment: Experiment): Uint16Array => {
  const { windows } = experiment.evaluations[0]
  return split.subarray(
    0,
    Math.min(windows.count, Math.floor((split.length - 1) / windows.length)) * windows.length,
  )
}

/** Measures the floors and writes them beside the evidence; does nothing when they are there. */
export const measureFloors = async ({ run, experiment, corpus, display }: FloorsOptions): Promise<void> => {
  if ((await run.evidence()).includes(EVIDENCE)) return
  display.phase("measuring floors")
  const { vocabSize } = experiment.data.tokenizer
  const split = await readTokens(corpus.validation)
  const score = scoredTokens(split, experiment)
  const table = buildByteTable(corpus.tokenizer.pieces)
  const bytes = countBytes(table, score)
  const text = decodeTokens(corpus.tokenizer.pieces, score)
  if (text.length !== bytes) {
    throw new ConservationError(
      `the byte table counts ${bytes} bytes on the scored tokens, but their text has ${text.length}; the tokenizer ${corpus.tokenizerPath} does not fit the shards`,
    )
  }
  const train = await readTokens(await shardsUpTo(corpus.train))
  const partial =
    train.length < corpus.totals.train.tokens
      ? [`Fitted on the first ${train.length} of ${corpus.totals.train.tokens} training tokens.`]
      : []
  const input = { train, score, previous: [], vocabSize }
  const summary = (
    id: string,
    label: string,
    bits: number,
    notes: readonly string[] = partial,
  ): FloorSummary => ({
    id,
    label,
    bitsPerToken: bits / score.length,
    bitsPerByte: bits / bytes,
    notes,
  })
  const floors: FloorSummary[] = [
    {
      id: "uniform",
      label: `uniform over ${vocabSize} tokens`,
      bitsPerToken: uniformFloor(vocabSize),
      bitsPerByte: (uniformFloor(vocabSize) * score.length) / bytes,
      notes: [],
    },
    summary("unigram", "unigram of the training split", unigramFloor(input).bits),
    summary("bigram", "bigram, Witten-Bell", bigramFloor(input).bits),
    ...(train.length <= TRIGRAM_TOKENS
      ? [summary("trigram", "trigram, Witten-Bell", trigramFloor(input).bits)]
      : []),
  ]
  const compressed = await xzBytes(text)
  floors.push({
    id: "xz",
    label: "xz -9e on the scored text alone",
    bitsPerToken: null,
    bitsPerByte: typeof compressed === "number" ? (8 * compressed) / bytes : null,
    notes: typeof compressed === "number" ? [] : [compressed],
  })
  display.end()
  await requireUnchanged(corpus)
  await run.writeEvidence(EVIDENCE, {}, { floors: JSON.stringify(floors) })
}

const shardsUpTo = async (shards: readonly string[]): Promise<readonly string[]> => {
  const { inspectShard } = await import("../data/shards.js")
  const used: string[] = []
  let tokens = 0
  for (const shard of shards) {
    tokens += (await inspectShard(shard)).tokens
    if (used.length > 0 && tokens > TRAIN_TOKENS) break
    used.push(shard)
  }
  return used
}
