/** What a plot of values against their cost shows. */
import type { BoundKind } from "../metric/contract/fields.js"

export interface LadderPoint {
  readonly label: string
  /** Network evaluations of one window, or another cost; positive. */
  readonly cost: number
  readonly value: number
  readonly low?: number
  readonly high?: number
  readonly boundKind: BoundKind
  /** Points of one series share a colour, such as those of one model; one series when absent. Equal labels of several series share a number. */
  readonly series?: string
  /** Points of one curve are joined in order of cost; none when absent. */
  readonly curve?: string
}

export interface LadderPlot {
  readonly title: string
  readonly cost: string
  readonly unit: string
  readonly points: readonly LadderPoint[]
  readonly references?: readonly { readonly name: string; readonly y: number }[]
}
