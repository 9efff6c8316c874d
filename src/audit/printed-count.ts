/** Counts and figures as programs print them: read whole, or not at all. */

export type PrintedCount =
  | { readonly kind: "whole"; readonly value: number }
  /** `reason` completes the sentence "the count ... is not used: ". */
  | { readonly kind: "refused"; readonly printed: string; readonly reason: string }

const SUFFIXES: Readonly<Record<string, number>> = { k: 3, m: 6, b: 9, g: 9, t: 12 }

/** Groups of three after the first: one separator throughout. */
const GROUPED = /^\d{1,3}(?:([,_'\u00a0\u2009\u202f’])\d{3})(?:\1\d{3})*$/
const DOTTED = /^\d{1,3}(?:\.\d{3}){2,}$/
const SCALED = /^(\d+)(?:\.(\d+))?(?:[eE]\+?(\d{1,2})|\s?([kKmMbBgGtT]))?$/

/**
 * A number of things as printed: `62021632`, `62,021,632`, `62_021_632`, `6.2021632e7` or `62.021632M`, each of them
 * to the last unit. A rounded count such as `62M` is refused: what it leaves out is unknown.
 */
export const printedCount = (text: string): PrintedCount => {
  const printed = text.trim()
  const refused = (reason: string): PrintedCount => ({ kind: "refused", printed, reason })
  const whole = (value: number): PrintedCount =>
    value > 0 && Number.isSafeInteger(value) ? { kind: "whole", value } : refused("it counts nothing")
  if (GROUPED.test(printed) || DOTTED.test(printed)) return whole(Number(printed.replaceAll(/\D/g, "")))
  const scaled = SCALED.exec(printed)
  if (scaled === null) return refused("it is no plain whole number")
  const [, integer = "", fraction = "", exponent, suffix] = scaled
  const zeros = exponent === undefined ? (SUFFIXES[suffix?.toLowerCase() ?? ""] ?? 0) : Number(exponent)
  const digits = fraction.replace(/0+$/, "")
  if (digits.length > zeros) return refused("it is no whole number")
  // An integer printed with an exponent or a suffix was rounded unless its digits reach the last unit.
  if (fraction.length < zeros) return refused("it is rounded")
  return whole(Number(integer + digits.padEnd(zeros, "0")))
}

export type PrintedFigure =
  | { readonly kind: "figure"; readonly printed: string }
  | { readonly kind: "refused"; readonly printed: string; readonly reason: string }

/** A positive decimal number as printed; its digits stay as they are, since they say what rounding hid. */
export const printedFigure = (text: string): PrintedFigure => {
  const printed = text.trim()
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/.test(printed))
    return { kind: "refused", printed, reason: "it is no plain decimal number" }
  const value = Number(printed)
  return value > 0 && Number.isFinite(value)
    ? { kind: "figure", printed: printed.replace(/^\+/, "") }
    : { kind: "refused", printed, reason: "it is not above 0" }
}
