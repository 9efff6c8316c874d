/**
 * What a family is made of: networks and objectives, each with everything about it that needs no tensor.
 *
 * The schema of a spec is the union of the parts' schemas; the plan counts, the trainer cuts and fills its batches by
 * asking the part that an experiment names. What is traced stands in `traced.ts`: reading a spec or making a plan
 * loads no tensor library.
 */
import type { NoiseSchedule } from "../diffusion/schedule.js"
import type * as Schema from "effect/Schema"
import type { CorpusPart } from "../data/corpora/part.js"
import type { Feeds } from "../diffusion/batch.js"
import type { EndSlot } from "../diffusion/insertion/interpolant.js"
import type { HittingRule } from "../diffusion/insertion/hitting.js"
import type { JointSchedule } from "../diffusion/insertion/schedule.js"
import type { StepLayout } from "../diffusion/step-layout.js"
import type { ParameterSpec } from "../model/parameters.js"
import type { Data, Tokenizer } from "../spec/data.js"
import type { Problem } from "../spec/spec-error.js"
import type { Training } from "../spec/training.js"

/** A network or an objective as a spec holds it. */
export interface Kind {
  readonly kind: string
}

/** What the rules of a part may read: an experiment with the parts that its kinds name. */
export interface RuleSubject<M extends Kind = Kind, O extends Kind = Kind> {
  readonly system: string
  readonly model: M
  readonly objective: O
  readonly data: Data
  readonly training: Training
  readonly parts: {
    readonly network: NetworkPart
    readonly objective: ObjectivePart
    readonly corpus: CorpusPart
  }
}

/**
 * One rule between fields. It reads no more fields than it is about: a field of the wrong form silences the rules that
 * read it, and no other.
 */
export type Rule<M extends Kind = Kind, O extends Kind = Kind> = {
  // A method: the rules of one kind are only ever given that kind.
  judge(subject: RuleSubject<M, O>): Problem | false
}["judge"]

export const problem = (pointer: string, expected: string, found: unknown, hint?: string): Problem => ({
  pointer,
  expected,
  found: typeof found === "string" ? found : JSON.stringify(found),
  ...(hint === undefined ? {} : { hint }),
})

/** An objective over full rows of one length would noise prompts and count rows that are absent. */
export const fullRows: Rule = ({ objective, data: { batching } }) =>
  batching.kind === "documents" &&
  problem(
    "/data/batching/kind",
    `"document-chunks", "random-windows" or "sequential-windows" for the objective "${objective.kind}"`,
    JSON.stringify(batching.kind),
    "Rows that are whole documents are for objectives that know the length of a row.",
  )

/** One input of a traced program, beside parameters and state. */
export interface FeedSpec {
  readonly name: string
  readonly dtype: "f32" | "i32" | "bool"
  readonly shape: readonly number[]
  /** Only for networks that take it. */
  readonly optional?: true
}

/** The feeds of a program: of every slice alike, or of each slice where their shapes differ. */
export type ProgramFeeds = readonly FeedSpec[] | readonly (readonly FeedSpec[])[]

/** The feeds of each of the `slices` slices of a micro-batch. */
export const sliceFeeds = (program: ProgramFeeds, slices: number): readonly (readonly FeedSpec[])[] => {
  const [first] = program
  if (first !== undefined && "name" in first)
    return Array.from({ length: slices }, () => program as readonly FeedSpec[])
  if (program.length !== slices)
    throw new RangeError(`a program has the feeds of ${program.length} slices, the micro-batch has ${slices}`)
  return program as readonly (readonly FeedSpec[])[]
}

/** A named group of parameters in a plan, and the names that belong to it. */
export type Section = readonly [name: string, members: RegExp]

export interface NetworkPart<M extends Kind = Kind> {
  readonly kind: M["kind"]
  readonly schema: Schema.Codec<M>
  /** The systems whose experiments may use it; every system when absent. */
  readonly systems?: readonly string[]
  readonly rules: readonly Rule<M>[]
  /** How the plan groups parameters by name; each name belongs to one section. */
  readonly sections: readonly Section[]
  /** Rows of the token table: every id that is read or predicted is below. */
  tokenRows(model: M, vocabSize: number): number
  /** Classes that it predicts; the tokenizer's pieces when absent. */
  classes?(model: M, vocabSize: number): number
  /** Whether a position sees those after it. */
  attention(model: M): "bidirectional" | "causal"
  /**
   * Where tokens behind the last one are inserted, of a network whose rows grow: in a slot of their own, carried by a PAD
   * behind the row, or before the EOS that closes it. Absent, or undefined, for a network of fixed length.
   */
  endSlot?(model: M): EndSlot | undefined
  /** unseen, when absent: what stands behind a row changes nothing in it. seen: it is attended to, so the canvas has one width. */
  padding?(model: M): "seen" | "unseen"
  /** inside: MASK and PAD may be among the predicted classes, and PAD may be the boundary token, as in LLaDA. */
  readonly specials?: "inside"
  /** Where training drops activations; nowhere when absent. */
  dropout?(model: M): DropoutUse | undefined
  /** The optional feeds that it takes, such as `sigma`, the noise level of each row. */
  takes(model: M): readonly string[]
  /** Frequencies base^(-i / count) of the noise level's embedding, where it has one. */
  levelFrequencies?(model: M): { readonly count: number; readonly base: number } | undefined
  /** The name here of a tensor of a published file, null for what is derived; their names are ours when absent. */
  publishedName?(stored: string): string | null
  /** Every parameter, in the order of the published state dict. */
  parameters(model: M, vocabSize: number): readonly ParameterSpec[]
  /** FLOPs of one position in a forward pass over sequences of `length` tokens. */
  flops(model: M, vocabSize: number, length: number): number
  /** FLOPs of one position in a training step; three forward passes when absent. */
  trainingFlops?(model: M, vocabSize: number, length: number): number
  /** Bytes that a training step in fp32 keeps for its backward pass. */
  activationBytes(model: M, vocabSize: number, rows: number, length: number): number
  /** The same in bf16 on an accelerator, where it is known. */
  acceleratorBytes?(model: M, vocabSize: number, rows: number, length: number): number
}

/**
 * Dropout of a network: a mask bool [rows * length, width], true where an activation is kept, is fed to the loss at each
 * place, under the name `maskName` gives it (docs/adr/0007-dropout.md).
 */
export interface DropoutUse {
  /** Share that is dropped; above 0. */
  readonly rate: number
  /** Entries of an activation. */
  readonly width: number
  readonly places: readonly string[]
}

export const maskName = (place: string): string => `kept/${place}`

/** A named random stream that an objective draws from, with the words for a plan. */
export interface StreamUse {
  readonly name: "time" | "mask"
  readonly used: string
}

/** Rows of one step, row-major. */
export interface Rows {
  /** [rows * length] */
  readonly tokens: Int32Array
  /** Sequence length in tokens. */
  readonly length: number
  /** [rows * length]: 1 where a token is given and never noised; nothing is fixed when absent. */
  readonly fixed?: Uint8Array
  /** [rows]: tokens of each row before its padding; every row is full when absent. */
  readonly lengths?: Int32Array
}

/** Tokens of a row of the corpus. */
export interface RowContent {
  /** Before its padding. */
  readonly length: number
  /** Those that may be noised. */
  readonly free: number
}

/** The shape of one micro-batch. */
export interface RowShape {
  readonly microBatch: number
  readonly length: number
  /** The network's, where rows grow. */
  readonly endSlot?: EndSlot
  /** The network sees what stands behind a row. */
  readonly paddingSeen?: true
  /** Predicted classes of the network. */
  readonly classes?: number
  /** What rows of the corpus hold; every row is full and free when absent. */
  readonly typical?: readonly RowContent[]
}

/** Feeds of a program that a family's objective offers and a network takes. */
export interface Layout {
  /** Slices of each micro-batch; each has `rows` rows. */
  readonly slices: number
  readonly rows: number
  /** The feeds of each program, smallest first; the last serves every micro-batch. */
  readonly programs: readonly ProgramFeeds[]
}

export interface FeedJob extends RowShape {
  readonly tokenizer: Tokenizer
  readonly seed: number
  readonly accumulation: number
  readonly layout: Layout
}

export interface StepFeeds {
  /** Slices of the micro-batches, one micro-batch after another. */
  readonly micro: readonly Feeds[]
  /** Which of the layout's programs serves every slice of the step. */
  readonly program: number
  /** The rows of the step that each slice holds, in its order. */
  readonly rows?: readonly (readonly number[])[]
}

/** What sampling rows of a fixed length asks of an objective. */
export interface FixedRows {
  readonly kind: "masked" | "causal"
  /** Noise levels of a masked network. */
  readonly schedule: NoiseSchedule
}

/** What sampling and scoring rows that grow ask of an objective. */
export interface GrowingRows {
  readonly schedules: JointSchedule
  /** How the times of a token are drawn from its uniforms; the published rule of FlexMDM when absent. */
  readonly hitting?: HittingRule
  /** boundary: boundary tokens are never noised. */
  readonly fixed: "none" | "boundary"
}

export interface ObjectivePart<O extends Kind = Kind> {
  readonly kind: O["kind"]
  readonly schema: Schema.Codec<O>
  readonly rules: readonly Rule<Kind, O>[]
  /** `masked`: the positions under the loss are listed by the feeds. `all`: every position, in order. */
  readonly scored: "masked" | "all"
  /** The streams of training beside `init` and `data`. */
  readonly streams: readonly StreamUse[]
  /** Ids beside the tokenizer's own that training puts into rows. */
  ids(objective: O, tokenizer: Tokenizer): readonly number[]
  /** free: boundary tokens are never masked. */
  boundary(objective: O): "free" | "maskable"
  /** The token that stands behind a text and is learned there as its end; absent where nothing is. */
  textEnd?(objective: O, tokenizer: Tokenizer): number | undefined
  /** The share of tokens still visible at the end of the noise schedule, where there is one. */
  eps(objective: O): number | undefined
  /** Of an objective whose rows have a fixed length: how a text is drawn. Absent where rows grow. */
  fixedRows?(objective: O): FixedRows
  /** Of an objective whose rows grow: how they are noised; sampling and scoring use no other schedules. */
  growingRows?(objective: O): GrowingRows
  /** Whether its layout asks what rows hold (`RowShape.typical`). */
  readonly measuresRows?: true
  /** How a micro-batch is cut, and the feeds that the programs have, those a network may leave out included. */
  layout(objective: O, shape: RowShape, preferred: StepLayout): Layout
  /** Makes the feeds of a step from its rows [accumulation * microBatch, length]. */
  feeds(objective: O, job: FeedJob): (step: number, rows: Rows) => StepFeeds
}

export interface Family {
  readonly name: string
  /** Systems that no family above names: what an experiment may say that it belongs to. */
  readonly systems?: readonly string[]
  readonly networks: readonly NetworkPart[]
  readonly objectives: readonly ObjectivePart[]
}
