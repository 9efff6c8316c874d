/** How two values of one axis may stand to each other. */

/**
 * same: no difference. noted: a difference that leaves the definition alone (a seed, a precision). open: the definition
 * compared against does not fix this field. convertible: arithmetic leads from one to the other. ordered: both are code
 * lengths, and at most an order follows. different: no arithmetic leads across. unknown: a source does not say.
 */
export type AxisRelation = "same" | "noted" | "open" | "convertible" | "ordered" | "different" | "unknown"

export interface Outcome {
  readonly relation: AxisRelation
  readonly reason: string
  /** The arithmetic from the first to the second, where there is any. */
  readonly conversion?: string
}

/** What is known beside the two contracts. */
export interface Circumstances {
  /** The second contract is a definition: its "not stated" fields fix nothing. */
  readonly definition: boolean
  /** Both numbers stand in one table or file: what it leaves out, it leaves out of both alike. */
  readonly sameSource: boolean
}

export const same = (reason: string): Outcome => ({ relation: "same", reason })
export const noted = (reason: string): Outcome => ({ relation: "noted", reason })
export const different = (reason: string): Outcome => ({ relation: "different", reason })
export const ordered = (reason: string): Outcome => ({ relation: "ordered", reason })
export const unknown = (reason: string): Outcome => ({ relation: "unknown", reason })
export const convertible = (reason: string, conversion: string): Outcome => ({
  relation: "convertible",
  reason,
  conversion,
})

export const equal = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
export const digits = (x: number, n = 7): string => String(Number(x.toPrecision(n)))

/** Words for which side does not say something. */
export const silentSide = (first: boolean, second: boolean): string =>
  first && second ? "neither source states it" : `the ${first ? "first" : "second"} source does not state it`
