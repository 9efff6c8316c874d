/** Recorded runs of the published samplers, made uniform; see golden/README.md. */
import { readFileSync } from "node:fs"

export interface Tensor {
  readonly shape: readonly number[]
  readonly at: (...index: readonly number[]) => number
}

const indexed = (shape: readonly number[], read: (flat: number) => number): Tensor => ({
  shape,
  at: (...index) => read(index.reduce((flat, i, d) => flat * shape[d]! + i, 0)),
})

const READERS: Readonly<Record<string, (view: DataView, i: number) => number>> = {
  F32: (view, i) => view.getFloat32(4 * i, true),
  I32: (view, i) => view.getInt32(4 * i, true),
  I16: (view, i) => view.getInt16(2 * i, true),
  U8: (view, i) => view.getUint8(i),
}

/** Tensors of a safetensors file, whatever their types. */
export const tensorsOf = (name: string): Readonly<Record<string, Tensor>> => {
  const bytes = readFileSync(new URL(`golden/${name}.safetensors`, import.meta.url))
  const length = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString("utf8")) as Readonly<
    Record<
      string,
      { readonly dtype: string; readonly shape: number[]; readonly data_offsets: [number, number] }
    >
  >
  return Object.fromEntries(
    Object.entries(header).map(
      ([
        key,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        const view = new DataView(bytes.buffer, bytes.byteOffset + 8 + length + from, to - from)
        return [key, indexed(shape, (i) => READERS[dtype]!(view, i))]
      },
    ),
  )
}

export const jsonOf = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), "utf8")) as T

export interface Run {
  readonly name: string
  readonly variant: "F" | "8B" | "X"
  readonly sampler: "tau" | "euler" | "confidence"
  readonly confidence: "position" | "top_prob" | "prob_diff" | "entropy"
  readonly window?: { readonly factor: number; readonly most: number } | undefined
  readonly topK?: number | undefined
  readonly topP?: number | undefined
  readonly temperature: number
  readonly insertion: string
  readonly steps: number
  readonly rows: number
  readonly length: number
  readonly vocabulary: number
  readonly pad: number
  readonly mask: number
  readonly prefix: readonly number[]
  readonly suffix: readonly number[]
  readonly state: (step: number, row: number) => Int32Array
  readonly final: (row: number) => Int32Array
  readonly time: (step: number) => number
  /** Undefined where the run's logits come from a network that is not in the file. */
  readonly logits?: ((step: number, row: number, position: number) => Float64Array) | undefined
  readonly gaps?: ((step: number, row: number) => Float64Array) | undefined
  readonly calls: readonly {
    readonly fn: string
    readonly draw: Tensor
    readonly argument?: Tensor | undefined
  }[]
}

const rowOf = (length: number, read: (i: number) => number): Int32Array =>
  Int32Array.from({ length }, (_, i) => read(i))
const floats = (length: number, read: (i: number) => number): Float64Array =>
  Float64Array.from({ length }, (_, i) => read(i))

interface Options {
  readonly confidence_based_sampling?: boolean
  readonly confidence_method?: Run["confidence"]
  readonly confidence?: Run["confidence"]
  readonly euler?: boolean
  readonly use_sliding_window?: boolean
  readonly alpha?: number
  readonly max_window?: number
  readonly top_k?: number
  readonly top_p?: number
  readonly temperature?: number
}

const samplerOf = (variant: Run["variant"], options: Options): Run["sampler"] => {
  if (options.euler === true) return "euler"
  if (variant === "X") return options.confidence === undefined ? "tau" : "confidence"
  return options.confidence_based_sampling === false ? "tau" : "confidence"
}

const common = (variant: Run["variant"], options: Options) => ({
  sampler: samplerOf(variant, options),
  confidence: options.confidence ?? options.confidence_method ?? ("prob_diff" as const),
  window:
    options.use_sliding_window === false || (options.alpha === undefined && variant !== "8B")
      ? undefined
      : { factor: options.alpha ?? 5, most: options.max_window ?? 32 },
  topK: options.top_k,
  topP: options.top_p,
  temperature: options.temperature ?? 1,
})

const given = (
  rows: readonly (readonly number[])[] | undefined,
  pad: number,
  count: number,
): readonly number[] =>
  Array.from({ length: count }, (_, r) => (rows?.[r] ?? []).filter((id) => id !== pad).length)

export const firstRuns = (): readonly Run[] => {
  const tensors = tensorsOf("samplers-a")
  interface Stored {
    readonly name: string
    readonly kind: Run["variant"]
    readonly config: {
      readonly V: number
      readonly pad: number
      readonly mask: number
      readonly eos?: number
    }
    readonly steps: number
    readonly dt: number
    readonly options: Options
    readonly t: readonly number[]
    readonly final: readonly (readonly number[])[]
    readonly fixed?: readonly (readonly number[])[]
    readonly prompts?: readonly (readonly number[])[]
    readonly prefix?: readonly (readonly number[])[]
    readonly suffix?: readonly (readonly number[])[]
    readonly draws: readonly {
      readonly fn: string
      readonly shape: readonly number[]
      readonly nz?: readonly (readonly number[])[]
      readonly v?: unknown
    }[]
  }
  return jsonOf<readonly Stored[]>("samplers-a").map((c): Run => {
    const rows = c.final.length
    const length = c.final[0]!.length
    const { pad, mask, V } = c.config
    const xt = tensors[`${c.name}.xt`]!
    const logits = tensors[`${c.name}.logits`]!
    const gaps = tensors[`${c.name}.gaps`]!
    const prefix =
      c.kind === "X"
        ? c.fixed!.map((row) => row.reduce((n, f) => n + f, 0))
        : given(c.prefix ?? c.prompts, pad, rows)
    return {
      ...common(c.kind, c.options),
      name: `a ${c.name}`,
      variant: c.kind,
      insertion: "linear",
      steps: c.steps,
      rows,
      length,
      vocabulary: V,
      pad,
      mask,
      prefix,
      suffix: c.kind === "X" ? Array.from({ length: rows }, () => 1) : given(c.suffix, pad, rows),
      state: (s, r) => rowOf(length, (j) => xt.at(s, r, j)),
      final: (r) => Int32Array.from(c.final[r]!),
      time: (s) => s * c.dt,
      logits: (s, r, j) => floats(V, (v) => logits.at(s, r, j, v)),
      gaps: (s, r) => floats(gaps.shape[2]!, (j) => gaps.at(s, r, j)),
      calls: c.draws.map(({ fn, shape, nz, v }) => {
        const size = shape.reduce((a, b) => a * b, 1)
        const flat = new Float64Array(size)
        if (nz !== undefined)
          for (const entry of nz) {
            const index = entry.slice(0, -1)
            flat[index.reduce((at, i, d) => at * shape[d]! + i, 0)] = entry.at(-1)!
          }
        else flat.set((v as readonly number[]).flat(9) as number[])
        return { fn, draw: indexed(shape, (i) => flat[i]!) }
      }),
    }
  })
}

export const secondRuns = (): readonly Run[] => {
  const tensors = tensorsOf("samplers-b")
  interface Stored {
    readonly name: string
    readonly variant: "F" | "F8" | "X"
    readonly kind: string
    readonly model: string
    readonly steps: number
    readonly dt: number
    readonly batch: number
    readonly insert_schedule?: string
    readonly options: Options
    readonly fixed?: readonly (readonly number[])[]
    readonly prompts?: readonly (readonly number[])[]
    readonly prefix?: readonly (readonly number[])[]
    readonly suffix?: readonly (readonly number[])[]
    readonly calls: readonly { readonly fn: string; readonly tensor: string; readonly argument?: string }[]
  }
  return jsonOf<{ readonly cases: readonly Stored[] }>("samplers-b").cases.map((c): Run => {
    const variant = c.variant === "F8" ? "8B" : c.variant
    const states = tensors[`${c.name}/states`]!
    const final = tensors[`${c.name}/final`]!
    const gaps = tensors[`${c.name}/expected_gaps`]
    const length = states.shape[2]!
    const rows = c.batch
    const [pad, mask] = variant === "X" ? [36, 37] : [38, 39]
    const table = c.model.startsWith("table") ? tensors[c.model]! : undefined
    const options = c.kind === "euler" ? { ...c.options, euler: true } : c.options
    return {
      ...common(variant, options),
      ...(variant === "F" && c.options.use_sliding_window !== true ? { window: undefined } : {}),
      name: `b ${c.name}`,
      variant,
      insertion: c.insert_schedule ?? "linear",
      steps: c.steps,
      rows,
      length,
      vocabulary: 40,
      pad,
      mask,
      prefix:
        variant === "X"
          ? c.fixed!.map((row) => row.reduce((n, f) => n + f, 0))
          : given(c.prefix ?? c.prompts, pad, rows),
      suffix: variant === "X" ? Array.from({ length: rows }, () => 1) : given(c.suffix, pad, rows),
      state: (s, r) => rowOf(length, (j) => states.at(s, r, j)),
      final: (r) => rowOf(length, (j) => final.at(r, j)),
      time: (s) => s * c.dt,
      logits:
        table === undefined
          ? undefined
          : (s, r, j) =>
              floats(40, (v) => (c.name.includes("B8") && v === pad ? 8 : table.at(s, r, j, v) / 1024)),
      gaps: gaps === undefined ? undefined : (s, r) => floats(gaps.shape[2]!, (j) => gaps.at(s, r, j)),
      calls: c.calls.map(({ fn, tensor, argument }) => ({
        fn,
        draw: tensors[tensor]!,
        argument: argument === undefined ? undefined : tensors[argument],
      })),
    }
  })
}
