/** One shape: parity first, then speed in interleaved blocks of every contender. */
import { rm } from "node:fs/promises"
import type { EngineName } from "../src/engine/choose.js"
import { startOurs, startReference, type Contender } from "./contender.js"
import { makeJob, type Job } from "./job.js"
import { gpuBytes, peakBytes } from "./machine.js"
import { compare, goldenOf, type Parity } from "./parity.js"
import { measureProducts, type ProductsAlone } from "./products.js"
import type { Shape } from "./shapes.js"

export interface Side {
  readonly id: string
  readonly ours?: { readonly engine: EngineName; readonly precision: "fp32" | "bf16" }
  /** false: its answers are compared, its speed is not measured. */
  readonly timed?: false
  /** A mode of the PyTorch reference. */
  readonly mode?: "eager" | "eager-bf16" | "compile" | "compile-bf16" | "published"
}

/** The contender that the others' loss, gradients and bound are held to. */
export const REFERENCE: Side = { id: "torch eager fp32", mode: "eager" }

export interface Timing {
  readonly id: string
  /** Contenders of one group took turns; those of different groups did not. */
  readonly group: number
  /** Seconds of one unit (a step, a window): median and quartiles of all. */
  readonly median: number
  readonly low: number
  readonly high: number
  readonly count: number
  /** Median of each round; the rounds of a group alternate. */
  readonly rounds: readonly number[]
  /** Largest resident memory, or on a GPU what the process took there; absent where it cannot be read. */
  readonly peakBytes?: number
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
  readonly elboSteps: number
  /** The step's matrix products by themselves; absent on a GPU. */
  readonly products?: ProductsAlone
  readonly failures: readonly Failure[]
}

export interface Plan {
  readonly rounds: number
  readonly stepsPerBlock: number
  readonly warmup: number
  readonly parity: boolean
  /** 0: not measured at this shape */
  readonly elboWindows: number
  readonly elboSteps: number
  readonly threads: number
  readonly device: "cpu" | "gpu"
}

export const quantile = (values: readonly number[], p: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * p
  const low = Math.floor(at)
  return sorted[low]! + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)]! - sorted[low]!)
}

const open = async (side: Side, job: Job, plan: Plan): Promise<Contender> => {
  const { shape, parameters, batch, capacity } = job
  const { threads, device } = plan
  const { layers, width, heads, length } = shape
  const contender = side.ours === undefined ? startReference(side.id, threads) : startOurs(side.id)
  const request =
    side.ours === undefined
      ? { layers, width, heads, length, mode: side.mode, device: device === "gpu" ? "cuda" : "cpu" }
      : { shape, ...side.ours, device, capacity }
  try {
    await contender.ask("init", { ...request, parameters, batch, threads })
  } catch (error) {
    await contender.close()
    throw error
  }
  return contender
}

/** Parity in processes of its own, so that it adds nothing to the memory of those that are timed. */
const measureParity = async (
  sides: readonly Side[],
  job: Job,
  plan: Plan,
  failed: (side: Side, error: unknown) => void,
): Promise<readonly Parity[]> => {
  const elbo = plan.elboWindows > 0
  const golden = await open(REFERENCE, job, plan)
    .then((reference) => goldenOf(reference, job, elbo).finally(() => reference.close()))
    .catch((error: unknown) => failed(REFERENCE, error))
  if (golden === undefined) return []
  const yardstick: readonly Side[] = sides.some((side) => side.ours?.precision === "bf16")
    ? [{ id: "torch eager bf16", mode: "eager-bf16" }]
    : []
  const all: Parity[] = []
  for (const side of [...sides.filter((each) => each.ours !== undefined), ...yardstick]) {
    try {
      const contender = await open(side, job, plan)
      all.push(
        await compare(contender, golden, job, { ours: side.ours !== undefined, elbo }).finally(() =>
          contender.close(),
        ),
      )
    } catch (error) {
      failed(side, error)
    }
  }
  return all
}

type Samples = ReadonlyMap<string, readonly (readonly number[])[]>

const timings = (samples: Samples, group: number, memory: ReadonlyMap<string, number>): readonly Timing[] =>
  [...samples].map(([id, rounds]) => {
    const all = rounds.flat()
    const peak = memory.get(id)
    return {
      id,
      group,
      median: quantile(all, 0.5),
      low: quantile(all, 0.25),
      high: quantile(all, 0.75),
      count: all.length,
      rounds: rounds.map((round) => quantile(round, 0.5)),
      ...(peak === undefined ? {} : { peakBytes: peak }),
    }
  })

const ask = async (contender: Contender, command: string, request: object): Promise<readonly number[]> =>
  (await contender.ask<{ seconds: readonly number[] }>(command, request)).seconds

/** Contenders that take turns. One that fails is named and leaves; the others go on. */
class Group {
  #open: readonly Contender[] = []
  readonly #failed: (side: { readonly id: string }, error: unknown) => void

  constructor(failed: (side: { readonly id: string }, error: unknown) => void) {
    this.#failed = failed
  }

  get contenders(): readonly Contender[] {
    return this.#open
  }

  async add(side: Side, job: Job, plan: Plan): Promise<void> {
    await open(side, job, plan).then(
      (contender) => void (this.#open = [...this.#open, contender]),
      (error: unknown) => this.#failed(side, error),
    )
  }

  /** Asks the contender; undefined when it failed. */
  async try<T>(contender: Contender, run: (contender: Contender) => Promise<T>): Promise<T | undefined> {
    try {
      return await run(contender)
    } catch (error) {
      this.#failed(contender, error)
      this.#open = this.#open.filter((each) => each !== contender)
      await contender.close()
      return undefined
    }
  }

  /** Rounds A B C A B C ... of blocks. */
  async interleave(
    rounds: number,
    block: (contender: Contender) => Promise<readonly number[]>,
  ): Promise<Samples> {
    const all = new Map<string, readonly (readonly number[])[]>()
    for (let round = 0; round < rounds; round++)
      for (const contender of this.#open) {
        const seconds = await this.try(contender, block)
        if (seconds === undefined) all.delete(contender.id)
        else all.set(contender.id, [...(all.get(contender.id) ?? []), seconds])
      }
    return all
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map((contender) => contender.close()))
  }
}

const timeGroup = async (
  group: Group,
  index: number,
  sides: readonly Side[],
  job: Job,
  plan: Plan,
  say: (line: string) => void,
): Promise<{ readonly steps: readonly Timing[]; readonly elbo: readonly Timing[] }> => {
  const memory = new Map<string, number>()
  for (const side of sides) {
    say(`starting ${side.id}`)
    const before = plan.device === "gpu" ? gpuBytes() : 0
    await group.add(side, job, plan)
    const contender = group.contenders.find(({ id }) => id === side.id)
    if (contender === undefined) continue
    await group.try(contender, (c) => c.ask("steps", { count: plan.warmup }))
    const taken = plan.device === "gpu" ? gpuBytes() - before : Number.NaN
    if (Number.isFinite(taken)) memory.set(side.id, taken)
  }
  say(`${plan.rounds} rounds of ${plan.stepsPerBlock} steps`)
  const steps = await group.interleave(plan.rounds, (c) => ask(c, "steps", { count: plan.stepsPerBlock }))
  if (plan.device === "cpu")
    for (const { id, pid } of group.contenders) {
      const peak = peakBytes(pid, sides.find((side) => side.id === id)?.ours !== undefined)
      if (peak !== undefined) memory.set(id, peak)
    }
  let elbo: Samples = new Map()
  if (plan.elboWindows > 0) {
    say(`ELBO, T = ${plan.elboSteps}, ${plan.elboWindows} windows a block`)
    for (const contender of group.contenders)
      await group.try(contender, (c) => c.ask("elbo", { windows: 1, steps: 2 }))
    elbo = await group.interleave(plan.rounds, (c) =>
      ask(c, "elbo", { windows: plan.elboWindows, steps: plan.elboSteps }),
    )
  }
  return { steps: timings(steps, index, memory), elbo: timings(elbo, index, new Map()) }
}

/** Measures one shape, group by group: the contenders of a group are in memory together and take turns. */
export const measure = async (
  shape: Shape,
  groups: readonly (readonly Side[])[],
  plan: Plan,
  log: (line: string) => void,
): Promise<Measured> => {
  const say = (line: string): void => log(`${shape.name}: ${line}`)
  const job = await makeJob(shape)
  const failures: Failure[] = []
  const failed = ({ id }: { readonly id: string }, error: unknown): void => {
    const why = error instanceof Error ? error.message : String(error)
    if (failures.every((failure) => failure.id !== id)) failures.push({ id, why })
    say(`${id} failed: ${why}`)
  }
  try {
    if (plan.parity) say("parity")
    const parity = plan.parity ? await measureParity(groups.flat(), job, plan, failed) : []
    const timed: Awaited<ReturnType<typeof timeGroup>>[] = []
    for (const [index, sides] of groups.entries()) {
      const group = new Group(failed)
      const raced = sides.filter((side) => side.timed !== false)
      timed.push(await timeGroup(group, index, raced, job, plan, say).finally(() => group.close()))
    }
    if (plan.device === "cpu") say("matrix products alone")
    const products =
      plan.device === "cpu"
        ? await measureProducts(shape, job.capacity, plan.threads).catch((error: unknown) =>
            failed({ id: "matrix products alone" }, error),
          )
        : undefined
    return {
      shape,
      masked: job.masked,
      capacity: job.capacity,
      parity,
      steps: timed.flatMap(({ steps }) => steps),
      elbo: timed.flatMap(({ elbo }) => elbo),
      elboSteps: plan.elboSteps,
      ...(products === undefined ? {} : { products }),
      failures,
    }
  } finally {
    await rm(job.folder, { recursive: true, force: true })
  }
}
