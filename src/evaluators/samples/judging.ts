/** How probable a judge finds texts: they are spelled anew by its tokenizer and scored token by token, and in chunks. */
import type { StoredTensor } from "../../files/safetensors.js"
import { chunksOf } from "../../metric/samples/generative-perplexity.js"
import { makeCausalScorer, type CausalRow } from "../autoregressive/measure.js"
import { EvaluationError, type KeptItems, type Measured, type OpenJudge } from "../job.js"
import { judgedNames } from "./judged.js"

/** A text or a chunk as the judge reads it. */
export interface JudgedUnit {
  /** What is read, cut at the judge's row; the opening token is none of them. */
  readonly tokens: readonly number[]
  /** Nats of the scored ones: all of them behind an opening token, else all but the first. */
  readonly nats: readonly number[]
  /** Tokens behind the row. */
  readonly cut: number
}

/** Units that are judged together and kept together. */
const TOGETHER = 64

const rowOf = (read: readonly number[], window: number): CausalRow => {
  const [inputIds, targets] = [new Int32Array(window), new Int32Array(window)]
  inputIds.set(read.slice(0, -1))
  targets.set(read.slice(1))
  return { inputIds, targets }
}

export interface Judging {
  readonly id: string
  readonly kept?: KeptItems | undefined
  readonly requireGoing?: (() => Promise<void>) | undefined
}

const flat = (values: readonly (readonly number[])[], dtype: "I32" | "F32"): StoredTensor => {
  const all = values.flat()
  return dtype === "I32"
    ? { dtype, shape: [all.length], data: Int32Array.from(all) }
    : { dtype, shape: [all.length], data: Float32Array.from(all) }
}

const tensorsOf = (
  unit: "text" | "chunk",
  judged: readonly JudgedUnit[],
): Readonly<Record<string, StoredTensor>> => {
  const names = judgedNames(unit)
  return {
    [names.tokens]: flat(
      judged.map(({ tokens }) => tokens),
      "I32",
    ),
    [names.lengths]: flat([judged.map(({ tokens }) => tokens.length)], "I32"),
    [names.nats]: flat(
      judged.map(({ nats }) => nats),
      "F32",
    ),
    [names.scored]: flat([judged.map(({ nats }) => nats.length)], "I32"),
    [names.cut]: flat([judged.map(({ cut }) => cut)], "I32"),
  }
}

/**
 * Scores texts, each alone and all of them joined by the token between documents and cut into rows of the judge.
 *
 * @throws EvaluationError where the judge's tokenizer cannot spell a text
 */
export const judgeTexts = async (
  texts: readonly string[],
  judge: OpenJudge,
  { id, kept, requireGoing }: Judging,
): Promise<Required<Pick<Measured, "judge" | "tensors">>> => {
  const { account, network, executor, batch } = judge
  const { window, begin, tokenizer } = account
  const spelled = texts.map((text, k) => {
    try {
      return Array.from(judge.encode(text))
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new EvaluationError(
        id,
        `the tokenizer ${tokenizer.id} of the judge ${account.spec} does not spell text ${k}: ${error.message}; take a judge whose tokenizer falls back to bytes`,
      )
    }
  })
  const scorer = await makeCausalScorer(executor, network, {}, { length: window, batch })
  let seconds = 0
  const score = async (
    unit: "text" | "chunk",
    units: readonly (readonly number[])[],
    opening: readonly number[],
  ): Promise<readonly JudgedUnit[]> => {
    const all: JudgedUnit[] = []
    for (let first = 0; first < units.length; first += TOGETHER) {
      const own = units.slice(first, first + TOGETHER)
      const part = `judged by ${account.digest.slice(0, 16)}, ${unit}s ${first} to ${first + own.length - 1} of ${units.length}`
      const there = kept?.find(part)
      if (there === undefined) await requireGoing?.()
      const began = performance.now()
      const read = own.map((tokens) => [...opening, ...tokens.slice(0, window)])
      const scored = read.map((each) => each.length > 1)
      const rows = read.filter((_, i) => scored[i])
      const nats = there === undefined ? await scorer.score(rows.map((each) => rowOf(each, window))) : []
      let next = 0
      const made = there ?? {
        items: own.map((tokens, i): JudgedUnit => {
          const found = scored[i]! ? nats[next++]!.slice(0, read[i]!.length - 1) : []
          return {
            tokens: tokens.slice(0, window),
            nats: Array.from(found),
            cut: Math.max(0, tokens.length - window),
          }
        }),
        seconds: (performance.now() - began) / 1000,
      }
      if (there === undefined) await kept?.keep(part, made)
      all.push(...(made.items as readonly JudgedUnit[]))
      seconds += made.seconds
    }
    return all
  }
  try {
    const alone = await score("text", spelled, begin === "boundary" ? [tokenizer.boundaryId] : [])
    // As published: a chunk's first token is read and not scored.
    const chunks = chunksOf(spelled, tokenizer.boundaryId, window).map((chunk) => Array.from(chunk))
    const joined = await score("chunk", chunks, [])
    const forwards = [...alone, ...joined].filter(({ nats }) => nats.length > 0).length
    return {
      judge: { ...account, forwards, seconds },
      tensors: { ...tensorsOf("text", alone), ...tensorsOf("chunk", joined) },
    }
  } finally {
    await scorer.dispose()
  }
}
