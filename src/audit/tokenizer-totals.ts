/** Token and byte totals of the FineWeb validation text under the tokenizers of public logs. */
import { FINEWEB_SP1024 } from "../metric/contract/builders.js"

export interface Tokenizer {
  readonly id: string
  readonly name: string
  /** Pieces; a model's own vocabulary may be padded beyond them. */
  readonly pieces: number
  /** Scored tokens of the whole split, and their bytes where they are known to the byte. */
  readonly totals: readonly { readonly tokens: number; readonly bytes: number | undefined }[]
  readonly source: string
}

/** UTF-8 bytes of the validation text (published manifest), which no tokenizer changes. */
export const TEXT_BYTES = 151_080_645

export const SP1024: Tokenizer = {
  id: "sp1024",
  name: "SP-1024",
  pieces: 1024,
  totals: [{ tokens: FINEWEB_SP1024.tokens, bytes: FINEWEB_SP1024.bytes }],
  source: "parameter-golf manifest",
}

export const TOKENIZERS: readonly Tokenizer[] = [
  SP1024,
  {
    id: "sp4096",
    name: "SP-4096",
    pieces: 4096,
    totals: [{ tokens: 45_508_608, bytes: 151_074_052 }],
    source: "records/track_10min_16mb/2026-04-01_Vocab4096_MLPMult4_WD085/train_seed1337.log",
  },
  {
    id: "sp8192",
    name: "SP-8192",
    pieces: 8192,
    totals: [{ tokens: 40_540_160, bytes: 151_078_222 }],
    source: "records/track_10min_16mb/2026-04-05_SP8192_GPTQ-Embeddings_SDClip_Loop45x2/train_seed1.log",
  },
  {
    id: "sp8192-caseops",
    name: "SP-8192 CaseOps",
    pieces: 8192,
    totals: [{ tokens: 47_851_520, bytes: undefined }],
    source: "2026-04-18_PR1626_CaseOps_Taper: 3.157 bytes per token, 151.08 million",
  },
  {
    id: "byte260",
    name: "bytes with special ids",
    pieces: 260,
    totals: [{ tokens: 151_130_112, bytes: 151_080_112 }],
    source: "records/track_non_record_16mb/2026-03-29_HNet_ByteVsSubword_Study/train_byte260_4h.log",
  },
  {
    id: "bytes",
    name: "bytes",
    pieces: 256,
    totals: [{ tokens: 151_076_864, bytes: 151_076_864 }],
    source: "records/track_non_record_16mb/2026-03-30_ByteJEPA/logs/train_run_rtx5090.txt",
  },
]

/** Counts of tokens that belong to another split: the tokenizer is known, the bytes are not. */
export const OTHER_SPLITS = [
  {
    tokens: 10_485_760,
    name: "GPT-2's tokens: the validation count of modded-nanogpt (VAL_TOKENS), whose bytes no log states",
  },
] as const

/** A model's vocabulary may hold special ids beyond the pieces, or be padded to a multiple of 64. */
const PADDING = 64

/** The tokenizers that a number of pieces may mean. */
export const tokenizersOf = (pieces: number): readonly Tokenizer[] => {
  const exact = TOKENIZERS.filter((tokenizer) => tokenizer.pieces === pieces)
  return exact.length > 0
    ? exact
    : TOKENIZERS.filter(
        (tokenizer) => pieces > tokenizer.pieces && pieces - tokenizer.pieces <= PADDING,
      ).filter(({ pieces: own }, _, all) => own === Math.max(...all.map((each) => each.pieces)))
}

/** The tokenizer with this total, other than SP-1024, whose slices are listed on their own. */
export const tokenizerWithTotal = (tokens: number): Tokenizer | undefined =>
  TOKENIZERS.find(({ totals, id }) => id !== SP1024.id && totals.some((total) => total.tokens === tokens))
