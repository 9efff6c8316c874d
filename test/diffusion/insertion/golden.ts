/** Golden files of this folder; see golden/README.md. */
import { readFileSync } from "node:fs"
import type { AlphaSchedule } from "../../../src/diffusion/insertion/schedule.js"

export const golden = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), "utf8")) as T

/** |found - expected| relative to the larger of 1 and |expected|. */
export const distance = (found: number, expected: number): number =>
  Object.is(found, expected) ? 0 : Math.abs(found - expected) / Math.max(1, Math.abs(expected))

export const furthest = (found: ArrayLike<number>, expected: readonly number[]): number =>
  found.length === expected.length
    ? expected.reduce((most, x, i) => Math.max(most, distance(found[i]!, x)), 0)
    : Number.POSITIVE_INFINITY

export interface StoredSchedule {
  readonly type: string
  readonly exp?: number
  readonly min?: number
  readonly max?: number
}

export const scheduleOf = (stored: StoredSchedule | string): AlphaSchedule => {
  const { type, exp = 1, min = 10, max = 0.01 } = typeof stored === "string" ? { type: stored } : stored
  if (type === "sin") return { kind: "sine" }
  if (type === "polynomial") return { kind: "polynomial", exponent: exp }
  if (type.startsWith("poly")) return { kind: "polynomial", exponent: Number(type.slice(4)) }
  if (type === "geometric") return { kind: "geometric", min, max }
  if (type === "linear" || type === "cosine") return { kind: type }
  throw new Error(`unknown schedule ${type}`)
}
