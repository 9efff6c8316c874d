/**
 * Sanity floors: what simple models fitted on the training split, and xz, need for the very tokens that were
 * scored. Measured once per run and kept beside the evidence, because they need the training data.
 */
import { createHash } from "node:crypto"
import { forEachShard, readTokens, type LoadedCorpus } from "../data/corpora/corpus.js"
import { requireUnchanged } from "../data/corpora/identity.js"
import type { ShardInfo } from "../data/rows/shards.js"
import type { Tokens } from "../data/rows/tokens.js"
import { textRulesOf } from "../data/tokenizers/text-rules.js"
import { evaluatorPart } from "../evaluators/index.js"
import { accountOf, distinct, positionsOf, targetBytes } from "../evaluators/targets.js"
import { compressedBitsPerByte, FloorCounts, uniformFloor, type ScoredSlice } from "../metric/code/floors.js"
import type { TextAccount, TextStanding } from "../metric/bytes/text-account.js"
import { decodeText, type TokenRun } from "../metric/bytes/text-bytes.js"
import type { Experiment } from "../spec/experiment.js"
import type { Run, RunReader } from "./directory.js"
import type { Display } from "./display.js"
import { RunError } from "./errors.js"
import { documentEnds, sourceBits } from "./document-floors.js"
import type { FloorSummary } from "./floor-summary.js"

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

const isFigure = (figure: unknown): boolean => figure === null || Number.isFinite(figure)

const isFloor = (value: unknown): value is FloorSummary => {
  const floor = value as Partial<FloorSummary> | null
  return (
    typeof floor === "object" &&
    floor !== null &&
    typeof floor.id === "string" &&
    typeof floor.label === "string" &&
    isFigure(floor.bitsPerToken) &&
    isFigure(floor.bitsPerByte) &&
    (floor.notes === undefined || Array.isArray(floor.notes))
  )
}

const parseFloors = (text: string | undefined, path: string): readonly FloorSummary[] => {
  let floors: unknown
  try {
    floors = JSON.parse(text ?? "")
  } catch {
    floors = undefined
  }
  if (Array.isArray(floors) && floors.every(isFloor)) return floors
  throw new RunError(
    "damaged",
    path,
    "it holds no floors that this program reads; restore it from a copy of the run, or move it away and measure it again with --resume.",
  )
}

/** The floors of a run, if they were measured. */
export const readFloors = async (run: RunReader): Promise<readonly FloorSummary[] | undefined> => {
  if (!(await run.evidence()).includes(EVIDENCE)) return undefined
  const { metadata } = await run.readEvidence(EVIDENCE)
  return parseFloors(metadata["floors"], `${run.directory}/evidence/${EVIDENCE}.safetensors`)
}

/** Bytes that `xz -9e` needs, or why it could not be asked. */
const xzBytes = async (text: Uint8Array): Promise<number | string> => {
  try {
    const { execa } = await import("execa") // whoever reads stored floors does not wait for it
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

/** Targets that one or more evaluations scored. */
interface Targets {
  readonly evaluations: string[]
  /** Places in the split in the order of the stream; a target that was scored twice stands twice. */
  readonly positions: Int32Array
  /** Places of the ends of whole documents, where an evaluation pays for them: charged and not counted. */
  readonly ends: Int32Array
  /** What the source itself needs for these targets, where that is known. */
  readonly sourceBits?: number | undefined
  readonly maskable: boolean
  readonly bytes: number
  readonly account: TextAccount | undefined
}

/** The targets of every evaluation, from its evidence; evaluations of the very same ones together. */
const scoredTargets = async (
  run: RunReader,
  experiment: Experiment,
  split: Tokens,
): Promise<readonly Targets[]> => {
  const there = await run.evidence()
  const found = new Map<string, Targets>()
  for (const { id, kind } of experiment.evaluations) {
    const part = evaluatorPart({ kind })
    if (!there.includes(id) || part.references === undefined) continue
    const { windows, targets, lengths } = part.references(
      await run.readEvidence(id),
      `${run.directory}/evidence/${id}.safetensors`,
    )
    const positions = positionsOf(windows, targets).sort()
    const { data } = experiment
    const coded = lengths === "coded"
    const ends = coded ? documentEnds(windows, split, data.tokenizer) : new Int32Array()
    const key = createHash("sha256")
      .update(new Uint8Array(positions.buffer))
      .update(`ends of ${ends.length}`)
      .digest("hex")
    const same = found.get(key)
    if (same !== undefined) same.evaluations.push(id)
    else
      found.set(key, {
        evaluations: [id],
        positions,
        ends,
        sourceBits: coded ? sourceBits(windows, targets, split, data) : undefined,
        maskable: windows.header.objective.boundary === "free",
        bytes: targets.reduce((sum, target) => sum + targetBytes(windows, target), 0),
        account: accountOf(windows, targets),
      })
  }
  return [...found.values()]
}

/** Consecutive places of a split as runs of its tokens. */
const runsAt = (split: Tokens, positions: Int32Array): readonly TokenRun[] => {
  const runs: TokenRun[] = []
  for (let i = 0; i < positions.length; i++) {
    const first = positions[i]!
    while (i + 1 < positions.length && positions[i + 1] === positions[i]! + 1) i++
    const end = positions[i]! + 1
    runs.push({
      tokens: split.subarray(first, end),
      previous: split[first - 1] ?? -1,
      following: split[end] ?? -1,
    })
  }
  return runs
}

/** Measures the floors and writes them beside the evidence; does nothing when they are there. */
export const measureFloors = async ({ run, experiment, corpus, display }: FloorsOptions): Promise<void> => {
  if ((await run.evidence()).includes(EVIDENCE)) return
  display.phase("measuring floors")
  const { vocabSize, boundaryId } = experiment.data.tokenizer
  const split = await readTokens(corpus.validation)
  const sets = await scoredTargets(run, experiment, split)
  // Every place once: each model is fitted once, and the sums of every set are taken from the same bits.
  const places = distinct(Int32Array.from(sets.flatMap(({ positions, ends }) => [...positions, ...ends])))
  const indexOf = new Int32Array(split.length).fill(-1)
  places.forEach((place, i) => (indexOf[place] = i))
  const shards = await shardsUpTo(corpus.train)
  const fitted = shards.reduce((sum, { tokens }) => sum + tokens, 0)
  const partial =
    fitted < corpus.totals.train.tokens
      ? [`Fitted on the first ${fitted} of ${corpus.totals.train.tokens} training tokens.`]
      : []
  const scored: ScoredSlice = {
    score: Uint32Array.from(places, (place) => split[place]!),
    previous: [],
    contextOf: (i, back) => split[places[i]! - back],
    vocabSize,
  }
  const order = fitted <= TRIGRAM_TOKENS ? 3 : 2
  const counts = new FloorCounts(scored, order)
  await forEachShard(shards, (tokens) => counts.add(tokens))
  const models = [
    ["unigram", "unigram of the training split", counts.unigram()],
    ["bigram", "bigram, Witten-Bell", counts.bigram()],
    ...(order === 3 ? ([["trigram", "trigram, Witten-Bell", counts.trigram()]] as const) : []),
  ] as const
  const rules = textRulesOf(corpus.tokenizer)
  const floors: FloorSummary[] = []
  for (const { evaluations, positions, ends, sourceBits: ofSource, maskable, bytes, account } of sets) {
    const coded = Int32Array.from([...positions, ...ends])
    const length =
      ends.length === 0
        ? []
        : [`The ends of ${ends.length} documents are charged, since the length is part of what is coded.`]
    const tokens = positions.length
    const counted = account?.standing === "none" ? null : bytes
    const targets = { evaluations, tokens, bytes: counted }
    const called = account === undefined || account.standing === "exact" ? [] : [DIVIDES[account.standing]]
    const charged = positions.filter((place) => split[place] !== boundaryId)
    const floor = (
      id: string,
      label: string,
      of: (places: Int32Array) => number,
      notes: readonly string[] = partial,
    ): FloorSummary => {
      const bits = of(coded)
      return {
        id,
        label,
        bitsPerToken: bits / tokens,
        bitsPerByte: counted === null ? null : bits / counted,
        notes: [...notes, ...length, ...called],
        targets,
        ...(maskable && charged.length > 0
          ? { maskable: { tokens: charged.length, bitsPerToken: of(charged) / charged.length } }
          : {}),
      }
    }
    floors.push(
      floor(
        "uniform",
        `uniform over ${vocabSize} tokens`,
        (those) => uniformFloor(vocabSize) * those.length,
        [],
      ),
      ...models.map(([id, label, bits]) =>
        floor(id, label, (those) => those.reduce((sum, place) => sum + bits[indexOf[place]!]!, 0)),
      ),
    )
    if (ofSource !== undefined)
      floors.push({
        id: "source",
        label: "the source's own code, length included",
        bitsPerToken: ofSource / tokens,
        bitsPerByte: counted === null ? null : ofSource / counted,
        notes: [
          "-log2 of the probability with which the generator draws each document, given its prompt.",
          ...called,
        ],
        targets,
      })
    const text = Buffer.concat(
      runsAt(split, distinct(positions)).map((each) => decodeText(corpus.tokenizer.pieces, rules, each)),
    )
    const compressed = counted === null ? DIVIDES.none : await xzBytes(text)
    floors.push({
      id: "xz",
      label: "xz -9e on the scored text alone",
      bitsPerToken: null,
      bitsPerByte: typeof compressed === "number" ? compressedBitsPerByte(compressed, text.length) : null,
      notes: typeof compressed === "number" ? called : [compressed],
      targets,
    })
  }
  display.end()
  await requireUnchanged(corpus)
  await run.writeEvidence(EVIDENCE, {}, { floors: JSON.stringify(floors) })
}

/** What a floor per byte divides by where that is not the exact table. */
const DIVIDES: Readonly<Record<Exclude<TextStanding, "exact">, string>> = {
  "normalised text": "Divided by the bytes of the normalised text.",
  pieces: "Divided by the bytes of the pieces, which are not UTF-8 text.",
  none: "Not per byte: the tokens do not say how many bytes their text has.",
}

const shardsUpTo = async (paths: readonly string[]): Promise<readonly ShardInfo[]> => {
  const { inspectShard } = await import("../data/rows/shards.js")
  const used: ShardInfo[] = []
  let tokens = 0
  for (const path of paths) {
    const shard = await inspectShard(path)
    tokens += shard.tokens
    if (used.length > 0 && tokens > TRAIN_TOKENS) break
    used.push(shard)
  }
  return used
}
