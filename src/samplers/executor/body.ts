/** Passes of a network's body over rows of any lengths. */
import type { HostTensors } from "../../engine/executor.js"
import { batchesOf, roomFor, widthsOf } from "./batches.js"
import type { SampledNetwork } from "./network.js"
import type { ProgramSource, Programs } from "./programs.js"

export interface BodyRow {
  /** Without padding. */
  readonly tokens: Int32Array
  /** Where the network has a time. */
  readonly t?: number
}

export interface BodyOutput {
  /** [positions, width], the row's tokens first. */
  readonly features: Float32Array
  /** One for each slot, where rows grow. */
  readonly gaps: Float32Array
}

export interface BodyOptions {
  /** Tokens of the longest row; rows of a network that sees its padding are all padded to it. exact: no row is padded. */
  readonly canvas: number | "exact"
  readonly padId: number
  /** Rows in one pass at most. */
  readonly batch: number
}

const sourceOf =
  (network: SampledNetwork, rows: number, width: number): (() => ProgramSource) =>
  () => {
    const { takes } = network
    return {
      feeds: [
        { name: "inputIds", dtype: "i32", shape: [rows, width] },
        ...(takes.lengths ? [{ name: "lengths", dtype: "i32", shape: [rows] } as const] : []),
        ...(takes.time ? [{ name: "time", dtype: "f32", shape: [rows] } as const] : []),
      ],
      outputs: (all) => {
        const { features, gaps } = network.body(all, all)
        return gaps === undefined ? { features } : { features, gaps }
      },
    }
  }

export const makeBody = (
  network: SampledNetwork,
  programs: Programs,
  { canvas, padId, batch }: BodyOptions,
): ((rows: readonly BodyRow[]) => Promise<readonly BodyOutput[]>) => {
  const { takes, embeddedTime } = network
  const extra = network.endSlot === "extra" ? 1 : 0
  const widths = canvas === "exact" ? [] : widthsOf(canvas + extra)
  const widthOf = (n: number): number =>
    canvas === "exact"
      ? n
      : network.padding === "seen"
        ? canvas + extra
        : (widths.find((width) => width >= n) ?? n)

  const pass = async (
    given: readonly BodyRow[],
    width: number,
    rows: number,
  ): Promise<readonly BodyOutput[]> => {
    const inputIds = new Int32Array(rows * width).fill(padId)
    const lengths = new Int32Array(rows).fill(1)
    const time = new Float32Array(rows)
    given.forEach(({ tokens, t = 0 }, r) => {
      inputIds.set(tokens, r * width)
      lengths[r] = tokens.length + extra
      time[r] = embeddedTime(t)
    })
    const feeds: HostTensors = {
      inputIds: { shape: [rows, width], data: inputIds },
      ...(takes.lengths ? { lengths: { shape: [rows], data: lengths } } : {}),
      ...(takes.time ? { time: { shape: [rows], data: time } } : {}),
    }
    const out = await programs.run(`${rows}x${width}`, sourceOf(network, rows, width), feeds)
    const features = out["features"]!.data as Float32Array
    const gaps = out["gaps"]?.data as Float32Array | undefined
    return given.map(({ tokens }, r) => ({
      features: features.subarray(r * width * network.width, (r + 1) * width * network.width),
      gaps: gaps?.subarray(r * width, r * width + tokens.length + extra) ?? new Float32Array(0),
    }))
  }

  return async (rows) => {
    const out = Array.from<BodyOutput>({ length: rows.length })
    const lengths = rows.map(({ tokens }) => tokens.length + extra)
    for (const { width, rows: indices } of batchesOf(lengths, widthOf, batch)) {
      const outputs = await pass(
        indices.map((i) => rows[i]!),
        width,
        roomFor(indices.length, width, batch),
      )
      indices.forEach((i, r) => (out[i] = outputs[r]!))
    }
    return out
  }
}
