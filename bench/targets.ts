/** What the measurements are held to. */
import { bf16Peak } from "./machine.js"
import type { Measured, Timing } from "./measure.js"
import { quantile } from "./measure.js"
import type { Parity } from "./parity.js"
import type { Other } from "./other.js"
import { PUBLISHED_BATCH, trainFlops } from "./shapes.js"

/** One line of the table of targets; `met` is undefined where nothing was measured. */
export interface Verdict {
  readonly what: string
  readonly measuredAs: string
  readonly target: string
  readonly result: string
  readonly met: boolean | undefined
  readonly remark: string
}

const LOSS_TOLERANCE = 1e-4
const GRADIENT_TOLERANCE = 1e-3

export interface Ratio {
  readonly median: number
  readonly low: number
  readonly high: number
}

/**
 * How many times faster `ours` was than `base`: over rounds that alternated, so that drift cancels.
 * Undefined where they did not take turns.
 */
export const ratioOf = (ours: Timing | undefined, base: Timing | undefined): Ratio | undefined => {
  if (ours === undefined || base === undefined || ours.group !== base.group) return undefined
  const ratios = ours.rounds.map((seconds, round) => base.rounds[round]! / seconds)
  return { median: quantile(ratios, 0.5), low: Math.min(...ratios), high: Math.max(...ratios) }
}

export const tokensPerSecond = (m: Measured, t: Timing): number => (m.shape.batch * m.shape.length) / t.median

const find = (timings: readonly Timing[] | undefined, id: string): Timing | undefined =>
  timings?.find((t) => t.id === id)

const notMeasured = (what: string, measuredAs: string, target: string, remark = ""): Verdict => ({
  what,
  measuredAs,
  target,
  result: "not measured",
  met: undefined,
  remark,
})

const scientific = (value: number): string => value.toExponential(1)

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`

const atLeast = (what: string, measuredAs: string, value: number, target: number, unit: string): Verdict => ({
  what,
  measuredAs,
  target: `>= ${target}${unit}`,
  result: `${value.toFixed(2)}${unit}`,
  met: value >= target,
  remark: value >= target ? "" : `missed by ${percent(1 - value / target)}`,
})

const atMost = (
  what: string,
  measuredAs: string,
  value: number,
  target: number,
  show: (value: number) => string,
): Verdict => ({
  what,
  measuredAs,
  target: `< ${show(target)}`,
  result: show(value),
  met: value < target,
  remark: value < target ? "" : `missed by ${percent(value / target - 1)}`,
})

const EAGER = "torch eager fp32"

/** Ours, the PyTorch contender, what is timed, the shape, and how many times faster ours must be. */
const SPEED: readonly (readonly [
  ours: string,
  base: string,
  of: "steps" | "elbo",
  shape: string,
  atLeast: number,
])[] = [
  ["onnxruntime fp32", EAGER, "steps", "small", 1],
  ["onnxruntime fp32", EAGER, "steps", "paper", 1],
  ["tensorflow fp32", "torch compile fp32", "steps", "small", 1.15],
  ["tensorflow fp32", "torch compile fp32", "steps", "paper", 1.15],
  ["tensorflow bf16", "torch compile bf16", "steps", "small", 1.3],
  ["tensorflow bf16", "torch compile bf16", "steps", "paper", 1.3],
  ["onnxruntime fp32", EAGER, "elbo", "small", 2],
  ["tensorflow fp32", "torch compile fp32", "elbo", "small", 2],
  ["tensorflow bf16", "torch compile bf16", "elbo", "small", 2],
]

/** Whether all that was compared is within tolerance. */
export const agrees = (p: Parity): boolean =>
  p.lossDifference < LOSS_TOLERANCE &&
  p.worstGradient < GRADIENT_TOLERANCE &&
  (p.elboDifference ?? 0) < LOSS_TOLERANCE

/**
 * What an fp32 executor and PyTorch disagree on, in sentences, and the executors that could not be compared.
 * @param compared ids of the fp32 executors that should agree at every shape with a comparison
 */
export const disagreements = (
  measured: readonly Measured[],
  compared: readonly string[],
): readonly string[] =>
  measured.flatMap(({ shape, parity, failures }) =>
    compared.flatMap((id) => {
      const found = parity.find((p) => p.id === id)
      if (found !== undefined) return agrees(found) ? [] : [`${shape.name}: ${id} and ${EAGER} disagree`]
      const why = failures.find((failure) => failure.id === id || failure.id === EAGER)
      return why === undefined ? [] : [`${shape.name}: ${id} was not compared: ${why.id}: ${why.why}`]
    }),
  )

const parityVerdicts = (measured: readonly Measured[]): readonly Verdict[] =>
  measured.flatMap((m) =>
    m.parity
      .filter((p) => p.id.endsWith("fp32"))
      .flatMap((p): readonly Verdict[] => {
        const [measuredAs, relative] = [`${p.id} against ${EAGER}`, `${m.shape.name}, relative difference`]
        return [
          atMost(`loss, ${relative}`, measuredAs, p.lossDifference, LOSS_TOLERANCE, scientific),
          atMost(
            `gradient of every parameter, ${relative}`,
            measuredAs,
            p.worstGradient,
            GRADIENT_TOLERANCE,
            scientific,
          ),
          ...(p.elboDifference === undefined
            ? []
            : [atMost(`ELBO, ${relative}`, measuredAs, p.elboDifference, LOSS_TOLERANCE, scientific)]),
        ]
      }),
  )

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`
const seconds = (value: number): string => `${value.toFixed(2)} s`

export const cpuVerdicts = (measured: readonly Measured[], other: readonly Other[]): readonly Verdict[] => {
  const at = (shape: string): Measured | undefined => measured.find((m) => m.shape.name === shape)
  const speed = SPEED.map(([ours, base, of, shape, target]): Verdict => {
    const what = `${of === "steps" ? "train step" : "ELBO evaluation"}, ${shape}`
    const measuredAs = `${ours} against ${base}`
    const ratio = ratioOf(find(at(shape)?.[of], ours), find(at(shape)?.[of], base))
    if (ratio === undefined) return notMeasured(what, measuredAs, `>= ${target}x`)
    return atLeast(what, measuredAs, ratio.median, target, "x")
  })
  const memory = find(at("paper")?.steps, "onnxruntime fp32")?.peakBytes
  const others = other.flatMap((o): readonly Verdict[] => [
    o.seconds === undefined
      ? notMeasured(o.what, "wall clock", `< ${seconds(o.target)}`, o.note)
      : atMost(o.what, "wall clock", o.seconds, o.target, seconds),
    ...(o.peakTarget === undefined
      ? []
      : [
          o.peakBytes === undefined
            ? notMeasured(o.what, "peak memory", `< ${gigabytes(o.peakTarget)}`, o.note)
            : atMost(o.what, "peak memory", o.peakBytes, o.peakTarget, gigabytes),
        ]),
  ])
  return [
    ...parityVerdicts(measured),
    ...speed,
    memory === undefined
      ? notMeasured("train step, paper", "onnxruntime fp32, peak memory", `< ${gigabytes(4e9)}`)
      : atMost("train step, paper", "onnxruntime fp32, peak memory", memory, 4e9, gigabytes),
    ...others,
  ]
}

/** Share of the GPU's dense bf16 peak that the model's FLOPs make up; undefined for an unknown GPU. */
export const utilisation = (m: Measured, t: Timing, gpu: string): number | undefined => {
  const peak = bf16Peak(gpu)
  return peak === undefined ? undefined : (tokensPerSecond(m, t) * trainFlops(m.shape)) / peak.flops
}

export const OURS_GPU = "torch executor bf16"
export const PUBLISHED = "torch published step"

export const gpuVerdicts = (measured: readonly Measured[], gpu: string | undefined): readonly Verdict[] => {
  const published = measured.find((m) => m.shape.batch === PUBLISHED_BATCH)
  const base = find(published?.steps, PUBLISHED)
  const mine = measured
    .flatMap((m) => m.steps.filter(({ id }) => id === OURS_GPU).map((timing) => ({ m, timing })))
    .sort((a, b) => tokensPerSecond(b.m, b.timing) - tokensPerSecond(a.m, a.timing))
  const atEight = ratioOf(find(published?.steps, OURS_GPU), base)
  const best = mine[0]
  const share = best === undefined || gpu === undefined ? undefined : utilisation(best.m, best.timing, gpu)
  const measuredAs = `${OURS_GPU} against ${PUBLISHED}`
  return [
    atEight === undefined
      ? notMeasured("GPU train step, paper x 8", measuredAs, ">= 2.5x", "needs a GPU and --gpu")
      : atLeast(`GPU train step, ${published!.shape.name}`, measuredAs, atEight.median, 2.5, "x"),
    base === undefined || best === undefined
      ? notMeasured("GPU tokens/s at the best batch", measuredAs, ">= 2.5x", "needs a GPU and --gpu")
      : atLeast(
          `GPU tokens/s, ${best.m.shape.name}`,
          `${measuredAs} at 8`,
          tokensPerSecond(best.m, best.timing) / tokensPerSecond(published!, base),
          2.5,
          "x",
        ),
    share === undefined
      ? notMeasured(
          "GPU model FLOPs utilisation at the best batch",
          OURS_GPU,
          ">= 47 %",
          "needs a GPU and --gpu",
        )
      : atLeast(`GPU model FLOPs utilisation, ${best!.m.shape.name}`, OURS_GPU, 100 * share, 47, " %"),
  ]
}
