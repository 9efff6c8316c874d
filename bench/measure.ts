/** Parity first, then speed: interleaved blocks of every contender, medians and ratios. */
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { readSafetensors, toFloat32 } from "../src/data/safetensors.js"
import type { EngineName } from "../src/engine/choose.js"
import { startOurs, startReference, type Contender } from "./contender.js"
import { makeJob, type Job } from "./job.js"
import type { Shape } from "./shapes.js"

export interface Side {
  readonly id: string
  readonly ours?: { readonly engine: EngineName; readonly precision: "fp32" | "bf16" }
  /** A mode of the PyTorch reference. */
  readonly mode?: "eager" | "compile" | "compile-bf16" | "published"
}

export interface Timing {
  readonly id: string
  /** Median seconds of one unit (a step, a window), and the quartiles. */
  readonly median: number
  readonly low: number
  readonly high: number
  readonly count: number
  readonly rssBytes: number
}

export interface Parity {
  readonly id: string
  readonly against: string
  readonly loss: number
  /** |ours - theirs| / |theirs| */
  readonly lossDifference: number
  /** The worst parameter: largest difference over that parameter's largest entry. */
  readonly worstGradient: number
  readonly worstParameter: string
  readonly parameters: number
}

export interface Failure {
  readonly id: string
  readonly why: string
}

export interface Measured {
  readonly shape: Shape
  readonly masked: number
  readonly capacity: number
  readonly parity: readonly Parity[]
  readonly steps: readonly Timing[]
  readonly elbo: readonly Timing[]
  readonly failures: readonly Failure[]
}

export interface Plan {
  readonly rounds: number
  readonly stepsPerBlock: number
  readonly warmup: number
  /** 0: not measured at this shape */
  readonly elboWindows: number
  readonly elboSteps: number
  readonly threads: number
  readonly device: "cpu" | "gpu"
}

const quantile = (values: readonly number[], p: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * p
  const low = Math.floor(at)
  return sorted[low]! + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)]! - sorted[low]!)
}

const open = async (side: Side, job: Job, plan: Plan): Promise<Contender> => {
  const { shape, parameters, batch, capacity } = job
  if (side.ours !== undefined) {
    const contender = startOurs(side.id)
    await contender.ask("init", {
      shape,
      ...side.ours,
      device: plan.device,
      threads: plan.threads,
      parameters,
      batch,
      capacity,
    })
    return contender
  }
  const contender = startReference(side.id, plan.threads)
  const { layers, width, heads, length } = shape
  await contender.ask("init", {
    layers,
    width,
    heads,
    length,
    mode: side.mode,
    device: plan.device === "gpu" ? "cuda" : "cpu",
    parameters,
    batch,
    threads: plan.threads,
  })
  return contender
}

const compareGradients = async (
  ours: string,
  theirs: string,
): Promise<{ readonly worst: number; readonly name: string; readonly count: number }> => {
  const [a, b] = [(await readSafetensors(ours)).tensors, (await readSafetensors(theirs)).tensors]
  let [worst, name] = [0, ""]
  for (const [key, tensor] of b) {
    const mine = a.get(key)
    if (mine === undefined) throw new Error(`no gradient of ${key} on our side`)
    const [x, y] = [toFloat32(mine), toFloat32(tensor)]
    const size = y.reduce((m, v) => Math.max(m, Math.abs(v)), 0)
    const difference = y.reduce((m, v, i) => Math.max(m, Math.abs(v - x[i]!)), 0) / Math.max(size, 1e-12)
    if (difference >= worst) [worst, name] = [difference, key]
  }
  return { worst, name, count: b.size }
}

/** Interleaves blocks of `ask` over the contenders: A B C A B C ... */
const interleave = async (
  contenders: readonly Contender[],
  rounds: number,
  ask: (c: Contender) => Promise<readonly number[]>,
): Promise<Map<string, number[]>> => {
  const all = new Map<string, number[]>(contenders.map((c) => [c.id, []]))
  for (let round = 0; round < rounds; round++)
    for (const c of contenders) all.get(c.id)!.push(...(await ask(c)))
  return all
}

/** Measures one shape. Contenders that cannot start are named in `failures`. */
export const measure = async (
  shape: Shape,
  sides: readonly Side[],
  plan: Plan,
  log: (line: string) => void,
): Promise<Measured> => {
  const job = await makeJob(shape)
  const contenders: Contender[] = []
  const failures: Failure[] = []
  try {
    for (const side of sides) {
      log(`${shape.name}: starting ${side.id}`)
      try {
        contenders.push(await open(side, job, plan))
      } catch (error) {
        failures.push({ id: side.id, why: error instanceof Error ? error.message : String(error) })
      }
    }
    const reference = contenders.find((c) => c.id === "torch eager fp32")
    const parity: Parity[] = []
    if (reference !== undefined) {
      const theirs = join(job.folder, "theirs.safetensors")
      const { loss } = await reference.ask<{ loss: number }>("gradients", { out: theirs })
      for (const c of contenders.filter((each) => sides.find((s) => s.id === each.id)?.ours !== undefined)) {
        const ours = join(job.folder, "ours.safetensors")
        const mine = await c.ask<{ loss: number }>("gradients", { out: ours })
        const { worst, name, count } = await compareGradients(ours, theirs)
        parity.push({
          id: c.id,
          against: reference.id,
          loss: mine.loss,
          lossDifference: Math.abs(mine.loss / loss - 1),
          worstGradient: worst,
          worstParameter: name,
          parameters: count,
        })
      }
    }
    for (const c of contenders) {
      log(`${shape.name}: warming up ${c.id}`)
      await c.ask("steps", { count: plan.warmup })
    }
    log(`${shape.name}: ${plan.rounds} rounds of ${plan.stepsPerBlock} steps`)
    const steps = await interleave(
      contenders,
      plan.rounds,
      async (c) => (await c.ask<{ seconds: number[] }>("steps", { count: plan.stepsPerBlock })).seconds,
    )
    const memory = new Map<string, number>()
    for (const c of contenders) memory.set(c.id, (await c.ask<{ rss: number }>("memory")).rss)
    const timings = (map: Map<string, number[]>): Timing[] =>
      [...map].map(([id, seconds]) => ({
        id,
        median: quantile(seconds, 0.5),
        low: quantile(seconds, 0.25),
        high: quantile(seconds, 0.75),
        count: seconds.length,
        rssBytes: memory.get(id)!,
      }))
    let elbo: readonly Timing[] = []
    if (plan.elboWindows > 0) {
      log(`${shape.name}: ELBO, T = ${plan.elboSteps}, ${plan.elboWindows} windows a block`)
      elbo = timings(
        await interleave(
          contenders,
          plan.rounds,
          async (c) =>
            (await c.ask<{ seconds: number[] }>("elbo", { windows: plan.elboWindows, steps: plan.elboSteps }))
              .seconds,
        ),
      )
    }
    return {
      shape,
      masked: job.masked,
      capacity: job.capacity,
      parity,
      steps: timings(steps),
      elbo,
      failures,
    }
  } finally {
    for (const c of contenders) c.close()
    await rm(job.folder, { recursive: true, force: true })
  }
}
