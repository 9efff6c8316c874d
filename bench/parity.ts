/** Parity: the same parameters and the same batch give the same loss, gradients and bound on both sides. */
import { join } from "node:path"
import { readSafetensors, toFloat32 } from "../src/files/safetensors.js"
import type { Contender } from "./contender.js"
import { PARITY_ELBO_STEPS, type Job } from "./job.js"

export interface Parity {
  readonly id: string
  readonly loss: number
  /** |loss / reference loss - 1| */
  readonly lossDifference: number
  /** The worst parameter: largest difference over that parameter's largest reference entry. */
  readonly worstGradient: number
  readonly worstParameter: string
  readonly parameters: number
  /** |bits / reference bits - 1| of a short bound under the same masks; absent where it was not asked for */
  readonly elboDifference?: number
}

/** Answers of the contender that the others are held to. */
export interface Golden {
  readonly loss: number
  readonly bits?: number
  /** Path of its gradients. */
  readonly gradients: string
}

/** What is compared. */
export interface Asked {
  /** Whether the contender is one of our executors, which draw the noise themselves. */
  readonly ours: boolean
  /** Whether the bound is compared, too. */
  readonly elbo: boolean
}

const answers = async (
  contender: Contender,
  job: Job,
  { ours, elbo }: Asked,
  name: string,
): Promise<Golden> => {
  const gradients = join(job.folder, `${name}.safetensors`)
  const { loss } = await contender.ask<{ loss: number }>("gradients", { out: gradients })
  if (!elbo) return { loss, gradients }
  const noise = ours ? {} : { uniforms: job.uniforms }
  const { bits } = await contender.ask<{ bits: number }>("elbo", {
    windows: 1,
    steps: PARITY_ELBO_STEPS,
    ...noise,
  })
  return { loss, bits, gradients }
}

const worstGradient = async (
  mine: string,
  theirs: string,
): Promise<{ readonly difference: number; readonly name: string; readonly count: number }> => {
  const [a, b] = [(await readSafetensors(mine)).tensors, (await readSafetensors(theirs)).tensors]
  if (a.size !== b.size) throw new Error(`${a.size} gradients against ${b.size}`)
  let worst = { difference: 0, name: "" }
  for (const [name, tensor] of b) {
    const other = a.get(name)
    if (other === undefined) throw new Error(`no gradient of ${name}`)
    const [x, y] = [toFloat32(other), toFloat32(tensor)]
    let [size, apart] = [0, 0]
    for (let i = 0; i < y.length; i++) {
      size = Math.max(size, Math.abs(y[i]!))
      apart = Math.max(apart, Math.abs(y[i]! - x[i]!))
    }
    const difference = apart / size
    // Not a number is the worst of all.
    if (!(difference <= worst.difference)) worst = { difference, name }
  }
  return { ...worst, count: b.size }
}

/** What the reference answers; must come before any of its steps. */
export const goldenOf = (reference: Contender, job: Job, elbo: boolean): Promise<Golden> =>
  answers(reference, job, { ours: false, elbo }, "golden")

/** Compares a contender that has taken no step yet. */
export const compare = async (
  contender: Contender,
  golden: Golden,
  job: Job,
  asked: Asked,
): Promise<Parity> => {
  const mine = await answers(contender, job, asked, "mine")
  const { difference, name, count } = await worstGradient(mine.gradients, golden.gradients)
  return {
    id: contender.id,
    loss: mine.loss,
    lossDifference: Math.abs(mine.loss / golden.loss - 1),
    worstGradient: difference,
    worstParameter: name,
    parameters: count,
    ...(mine.bits === undefined || golden.bits === undefined
      ? {}
      : { elboDifference: Math.abs(mine.bits / golden.bits - 1) }),
  }
}
