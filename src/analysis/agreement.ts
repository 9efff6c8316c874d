/** How two measured values stand to each other. */

export type Agreement = "identical" | "within-rounding" | "differs"

export interface ValueDiff {
  /** Row of the table, or `evidence/<evaluation>/<tensor>`. */
  readonly where: string
  readonly agreement: Agreement
  /** Values of a row, sums of a tensor; null when that side lacks it. */
  readonly a: number | null
  readonly b: number | null
  /** |a - b| / max(|a|, |b|); null when one side lacks it. */
  readonly relative: number | null
  readonly note?: string
}

export const relativeOf = (a: number, b: number): number =>
  Object.is(a, b) || a === b ? 0 : Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b))

export const agreementOf = (relative: number, same: boolean, tolerance: number): Agreement =>
  same ? "identical" : relative <= tolerance ? "within-rounding" : "differs"
