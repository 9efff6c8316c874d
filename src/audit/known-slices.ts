/**
 * Token and byte totals of FineWeb validation slices under SP-1024 and the exact byte table.
 *
 * Tokens are printed by the evaluators; bytes follow from loss and BPB of public logs, which agree to one byte:
 * nats/token / (ln 2 * bits/byte) * tokens.
 */

export interface KnownSlice {
  readonly name: string
  readonly tokens: number
  readonly bytes: number
  readonly source: string
}

/** The whole present split first. */
export const KNOWN_SLICES: readonly [KnownSlice, ...KnownSlice[]] = [
  {
    name: "the whole validation file",
    tokens: 62_021_846,
    bytes: 151_080_891,
    source: "parameter-golf manifest and statements of the total",
  },
  {
    name: "all full windows of 512 to 8192 tokens",
    tokens: 62_021_632,
    bytes: 151_080_363,
    source: "63 loss and BPB pairs in 59 public logs",
  },
  {
    name: "all full windows of 32768 tokens",
    tokens: 61_997_056,
    bytes: 151_024_099,
    source: "one public log, 2026-04-04_GDN_Hybrid_LongContext",
  },
  {
    name: "all full windows of the older export",
    tokens: 63_779_840,
    bytes: 155_769_746,
    source: "one public log, 2026-03-17_NaiveBaseline",
  },
]

/** The slice with this many targets, if it is known. */
export const knownSlice = (tokens: number): KnownSlice | undefined =>
  KNOWN_SLICES.find((slice) => slice.tokens === tokens)
