/**
 * How numbers are printed, the same on every machine and in every language setting.
 *
 * With an interval, a value has as many decimals as show two significant digits of its half-width (0 to 6). Without one, by unit:
 * ratios four decimals, totals in bits or nats one, percent two, counts none. CSV and JSON carry the shortest decimal
 * that reads back as the same double instead.
 */
import { boundSign, type BoundKind, type Interval, type TableRow } from "./table.js"

const BY_UNIT: readonly (readonly [RegExp, number])[] = [
  [/^(bits|nats)$/, 1],
  [/^percent$/, 2],
  [/^(count|tokens|bytes|steps)$/, 0],
]

/** Decimals for a value of this unit with this interval. */
export const decimalsFor = (unit: string, interval: Interval | null): number => {
  const half = interval === null ? 0 : (interval.high - interval.low) / 2
  if (half > 0 && Number.isFinite(half)) return Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(half))))
  return BY_UNIT.find(([pattern]) => pattern.test(unit))?.[1] ?? 4
}

/**
 * Standard error of an endpoint over the half-width, of a percentile bootstrap with 2000 resamples at 95 %:
 * sqrt(p (1 - p) / B) / (phi(z) z), the spread of an order statistic under a normal law (p = 0.025, z = 1.96).
 */
const ENDPOINT_ERROR = 0.0305

/**
 * Decimals of an interval's ends: those of the value, fewer where a unit of the last place is less than resampling
 * resolves. Intervals by a formula keep the decimals of the value.
 */
export const endDecimals = ({ low, high, method }: Interval, decimals: number): number => {
  const half = (high - low) / 2
  if (!method.startsWith("bootstrap") || !(half > 0) || !Number.isFinite(half)) return decimals
  return Math.max(0, Math.min(decimals, Math.floor(-Math.log10(ENDPOINT_ERROR * half))))
}

/** `-0` never appears; a magnitude that would show as zero or is huge is written with an exponent. */
export const formatNumber = (value: number, decimals: number): string => {
  const size = Math.abs(value)
  if (size !== 0 && (size >= 1e15 || (size < 0.5 * 10 ** -decimals && size < 1e-3))) {
    return value.toExponential(2)
  }
  const text = value.toFixed(decimals)
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text
}

/** Digits in groups of three, separated by spaces (from five digits on). */
export const formatCount = (value: number): string => {
  const text = String(Math.round(value))
  return text.replace("-", "").length < 5 ? text : text.replace(/\B(?=(\d{3})+$)/g, " ")
}

/** Text in place of a value that is not there. */
export const NO_VALUE = "n/a"

export interface ShownNumber {
  readonly sign: ReturnType<typeof boundSign>
  readonly value: string
  /** `low` and `high` with the decimals of the value, or those that resampling resolves where they are fewer. */
  readonly interval: { readonly low: string; readonly high: string; readonly level: string } | undefined
}

/** `0.95` as `95 %`. */
export const formatLevel = (level: number): string => `${Number((level * 100).toFixed(2))} %`

/** What every human-readable renderer prints for a row. */
export const showNumber = (
  row: Pick<TableRow, "value" | "unit" | "interval" | "boundKind" | "decimals">,
): ShownNumber => {
  const decimals = row.decimals ?? decimalsFor(row.unit, row.interval)
  const kind: BoundKind = row.boundKind
  return {
    sign: row.value === null ? "" : boundSign(kind),
    value: row.value === null ? NO_VALUE : formatNumber(row.value, decimals),
    interval:
      row.interval === null
        ? undefined
        : {
            low: formatNumber(row.interval.low, endDecimals(row.interval, decimals)),
            high: formatNumber(row.interval.high, endDecimals(row.interval, decimals)),
            level: formatLevel(row.interval.level),
          },
  }
}
