/** What texts begin with, and what the data's texts are like that they are set beside. */
import { buildChunkIndex, fillChunk } from "../../data/rows/chunks.js"
import { gapStart, marksOf, openInfillRows } from "../../data/rows/infill.js"
import type { Encode } from "../../data/rows/spelled.js"
import { stream, uniforms } from "../../diffusion/philox.js"
import {
  buildDocumentIndex,
  documentParts,
  documentRow,
  documentRule,
  documentShape,
} from "../../data/rows/documents.js"
import type { Tokens } from "../../data/rows/tokens.js"
import { predictionRow } from "../../data/rows/collate.js"
import { cleanRow } from "../../diffusion/insertion/batch.js"
import { networkPart, objectivePart } from "../../families/index.js"
import { roomOf, unaskedStart, type StartedText } from "../../samplers/texts.js"
import type { Experiment } from "../../spec/experiment.js"
import type { Task } from "../../tasks/task.js"
import { EvaluationError } from "../job.js"
import type { Samples } from "./schema.js"

export interface Start extends StartedText {
  /** Tokens of the text behind a gap. */
  readonly rest?: readonly number[]
  /** Tokens of the prompt alone, and those that should follow; where the data say them. */
  readonly prompt?: readonly number[]
  readonly target?: readonly number[]
  /** The task's item that the text answers, where a test set has it. */
  readonly item?: unknown
}

export interface Starts {
  readonly starts: readonly Start[]
  /** Lengths of what is not given in the rows that the texts are set beside; undefined where rows have one length. */
  readonly dataLengths?: readonly number[]
}

/** One row of the validation split, divided into what is given and the rest. */
interface DataRow {
  readonly prefix: readonly number[]
  readonly suffix: readonly number[]
  readonly free: readonly number[]
  readonly prompt?: readonly number[]
  readonly target?: readonly number[]
  readonly rest?: readonly number[]
}

/** Keeps the cuts of an evaluation apart from what other evaluations draw. */
const CUTS = 1

const divided = (
  tokens: Int32Array,
  fixed: (position: number) => boolean,
): Pick<DataRow, "prefix" | "suffix" | "free"> => {
  let [first, end] = [0, tokens.length]
  // What closes a row is given at its end, not at its beginning.
  while (end > 0 && fixed(end - 1)) end--
  while (first < end && fixed(first)) first++
  const part = (from: number, to: number): readonly number[] => Array.from(tokens.subarray(from, to))
  return { prefix: part(0, first), free: part(first, end), suffix: part(end, tokens.length) }
}

/** Rows as training makes them; none where they all have one length. */
const rowsOf = (
  split: Tokens,
  experiment: Experiment,
  encode: Encode,
  seed: number,
): { readonly count: number; readonly row: (r: number) => DataRow } => {
  const { model, objective, data } = experiment
  const { batching, tokenizer } = data
  const free = objectivePart(objective).boundary(objective) === "free"
  const endSlot = networkPart(model).endSlot?.(model) ?? "extra"
  const clean = (tokens: Int32Array, fixed: Uint8Array | undefined, length: number) =>
    cleanRow(
      {
        tokens,
        length: batching.length,
        ...(fixed === undefined ? {} : { fixed }),
        lengths: Int32Array.of(length),
      },
      0,
      tokenizer,
      free ? "boundary" : "none",
      endSlot,
    )
  if (batching.kind === "documents") {
    const rule = documentRule(data, encode)
    const index = buildDocumentIndex(split, rule, "the validation split")
    if (batching.infill !== undefined) {
      const infill = openInfillRows(split, index, marksOf(batching.infill, encode), rule)
      const source = stream(seed, "eval-mask")
      return {
        count: infill.choices,
        row: (r) => {
          const [u1, u2] = uniforms(source, [CUTS, r], 2)
          const { tokens, start, end, length, before, behind } = infill.make(r, [u1!, u2!])
          const own = Array.from(tokens.subarray(0, length))
          return {
            prefix: own.slice(0, start),
            free: own.slice(start, end),
            suffix: own.slice(end),
            prompt: before,
            target: own.slice(start, end),
            rest: behind,
          }
        },
      }
    }
    return {
      count: index.starts.length,
      row: (r) => {
        const { tokens, fixed, length } = documentRow(split, index, r, rule)
        const own = clean(tokens, fixed, length)
        const { prompt, target } = documentParts(split, index, r)
        return {
          ...divided(own.tokens, own.fixed),
          ...(prompt === undefined ? {} : { prompt: Array.from(prompt) }),
          target: Array.from(target),
        }
      },
    }
  }
  if (batching.kind === "document-chunks") {
    const { length } = batching
    const index = buildChunkIndex(split, { boundaryId: tokenizer.boundaryId, length })
    return {
      count: index.starts.length,
      row: (r) => {
        const tokens = new Int32Array(length)
        const own = clean(tokens, undefined, fillChunk(split, index, r, tokens, tokenizer.padId))
        return divided(own.tokens, own.fixed)
      },
    }
  }
  return { count: 0, row: () => ({ prefix: [], suffix: [], free: [] }) }
}

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((token, i) => token === b[i])

/**
 * Texts that answer the items of a test set, one after another: the prompt that the task gives an item, as a row of the
 * experiment holds one.
 *
 * @throws EvaluationError for a prompt that the tokenizer cannot spell or that leaves no room: every item is answered,
 * or none
 */
export const testStarts = (
  { id, count, sampling, from }: Pick<Samples, "id" | "count" | "sampling" | "from">,
  task: Task,
  items: readonly unknown[],
  experiment: Experiment,
  encode: Encode,
): Starts => {
  const { data, objective, model } = experiment
  const shape = documentShape(documentRule(data, encode))
  const free = objectivePart(objective).boundary(objective) === "free"
  const endSlot = networkPart(model).endSlot?.(model) ?? "extra"
  const room = roomOf(experiment, sampling)
  const ids = (text: string, item: unknown): number[] => {
    try {
      return Array.from(encode(text))
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new EvaluationError(
        id,
        `the tokenizer ${data.tokenizer.id} does not spell item ${task.keys(item).id} of the test set: ${error.message}; it was made for other texts`,
      )
    }
  }
  const template = typeof from === "object" ? from.template : undefined
  const marks =
    data.batching.kind !== "documents" || data.batching.infill === undefined
      ? undefined
      : marksOf(data.batching.infill, encode)
  const noRoom = (item: unknown, given: number): EvaluationError =>
    new EvaluationError(
      id,
      `the prompt of item ${task.keys(item).id} has ${given} tokens and leaves no room in a row of ${room}; raise data.batching.length`,
    )
  const starts = items.slice(0, count).map((item, index): Start => {
    const { prefix: text, suffix, apart } = task.prompt(item)
    if (suffix !== undefined) {
      if (marks === undefined)
        throw new EvaluationError(
          id,
          `items of ${task.id} end with given text, which rows of prompts do not hold; give data.batching.infill`,
        )
      const [before, behind] = [ids(text, item), ids(suffix, item)]
      const given = gapStart(before, behind, marks)
      const tokens = given.prefix.length + given.suffix.length
      if (tokens >= room) throw noRoom(item, tokens)
      return { index, ...given, prompt: before, rest: behind, item }
    }
    const parts = template === undefined ? (apart ?? [text]) : [template.replace("{prompt}", () => text)]
    const prompt = parts.flatMap((part) => ids(part, item))
    const row = predictionRow({ prompt }, shape)
    const { tokens } = cleanRow(
      { tokens: row.tokens, length: shape.width, fixed: row.fixed, lengths: Int32Array.of(row.length) },
      0,
      data.tokenizer,
      free ? "boundary" : "none",
      endSlot,
    )
    const given = row.fixed.reduce((n, each) => n + each, 0)
    const start = {
      index,
      prefix: Array.from(tokens.subarray(0, given)),
      suffix: Array.from(tokens.subarray(given)),
      prompt,
      item,
    }
    if (row.cut > 0 || start.prefix.length + start.suffix.length >= room) throw noRoom(item, prompt.length)
    return start
  })
  return { starts }
}

/** @throws EvaluationError where the split has no rows to begin with */
export const startsOf = (
  evaluation: Pick<Samples, "id" | "count" | "from" | "sampling" | "seeds">,
  split: Tokens,
  experiment: Experiment,
  encode: Encode,
): Starts => {
  // The rows are the same for every seed of the evaluation.
  const rows = rowsOf(split, experiment, encode, evaluation.seeds[0])
  if (evaluation.from === "validation") {
    if (rows.count === 0)
      throw new EvaluationError(
        evaluation.id,
        'texts begin as rows of the validation split do, whose batching must be "documents" or "document-chunks"; take "from": "nothing"',
      )
    const room = roomOf(experiment, evaluation.sampling)
    const starts: Start[] = []
    const dataLengths: number[] = []
    for (let r = 0; r < rows.count && starts.length < evaluation.count; r++) {
      const { prefix, suffix, free, prompt, target, rest } = rows.row(r)
      // A row that is given whole asks for nothing.
      if (prefix.length + suffix.length >= room) continue
      starts.push({
        index: r,
        prefix,
        suffix,
        ...(prompt === undefined ? {} : { prompt }),
        ...(target === undefined ? {} : { target }),
        ...(rest === undefined ? {} : { rest }),
      })
      dataLengths.push(free.length)
    }
    return { starts, dataLengths }
  }
  const unasked = unaskedStart(experiment)
  const starts = Array.from({ length: evaluation.count }, (_, index) => ({ index, ...unasked }))
  if (rows.count === 0) return { starts }
  const grows = networkPart(experiment.model).endSlot?.(experiment.model) !== undefined
  const dataLengths: number[] = []
  for (let r = 0; r < rows.count; r++) {
    const { prefix, suffix, free } = rows.row(r)
    // Texts of a network that grows are set beside the rows of which the same is given.
    if (!grows || (same(prefix, unasked.prefix) && same(suffix, unasked.suffix)))
      dataLengths.push(free.length)
  }
  return dataLengths.length === 0 ? { starts } : { starts, dataLengths }
}
