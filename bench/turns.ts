/** Contenders that take turns: started, trained round by round, and left out of what follows where they fail. */
import type { Contender } from "./contender.js"

/** Seconds, on the wall and of the processor, all threads together. */
export interface Seconds {
  readonly wall: number
  readonly cpu: number
}

export interface StepTimes {
  readonly id: string
  /** One unit each, round by round; contenders of a measurement took turns. */
  readonly rounds: readonly Seconds[]
}

export interface Failure {
  readonly id: string
  readonly why: string
}

interface Steps {
  readonly wall: readonly number[]
  readonly cpu: readonly number[]
  readonly loss: number
}

const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  return sorted.length % 2 === 1 ? sorted[Math.floor(half)]! : (sorted[half - 1]! + sorted[half]!) / 2
}
export const medianOf = (rounds: readonly Seconds[]): Seconds => ({
  wall: median(rounds.map(({ wall }) => wall)),
  cpu: median(rounds.map(({ cpu }) => cpu)),
})

export const torchName = (mode: "eager" | "compile"): string => `torch ${mode} fp32`
export const engineName = (engine: "onnxruntime" | "tensorflow"): string => `${engine} fp32`

export class Turns {
  readonly failures: Failure[] = []
  readonly #open: Contender[] = []
  readonly #losses = new Map<string, number>()
  readonly #steps = new Map<string, Seconds[]>()
  readonly #say: (line: string) => void
  readonly #common: object

  /** @param common what every contender is told when it starts */
  constructor(say: (line: string) => void, common: object) {
    this.#say = say
    this.#common = common
  }

  /** Those that have not failed. */
  get standing(): readonly Contender[] {
    return this.#open.slice()
  }

  async add(contender: Contender, request: object): Promise<void> {
    this.#say(`starting ${contender.id}`)
    this.#open.push(contender)
    await this.ask(contender, "init", { ...request, ...this.#common }, () => undefined)
  }

  /** Its answer, for `use`; a contender that fails is closed, said, and asked no more. */
  async ask<T>(
    contender: Contender,
    command: string,
    request: object,
    use: (answer: T) => void,
  ): Promise<void> {
    try {
      use(await contender.ask<T>(command, request))
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.failures.push({ id: contender.id, why })
      this.#say(`${contender.id} failed: ${why}`)
      const at = this.#open.indexOf(contender)
      if (at >= 0) this.#open.splice(at, 1)
      await contender.close()
    }
  }

  /** Rounds of train steps. The first step compiles, and its loss is of the same parameters and rows on every side. */
  async train(rounds: number, count: number): Promise<void> {
    if (rounds === 0) return
    for (const contender of this.standing)
      await this.ask<Steps>(contender, "steps", { count: 1 }, ({ loss }) => {
        this.#losses.set(contender.id, loss)
      })
    this.#say(`${rounds} rounds of ${count} steps`)
    for (let round = 0; round < rounds; round++)
      for (const contender of this.standing)
        await this.ask<Steps>(contender, "steps", { count }, ({ wall, cpu }) => {
          const fresh = wall.map((seconds, i) => ({ wall: seconds, cpu: cpu[i]! }))
          this.#steps.set(contender.id, [...(this.#steps.get(contender.id) ?? []), ...fresh])
        })
  }

  get steps(): readonly StepTimes[] {
    return [...this.#steps].map(([id, rounds]) => ({ id, rounds }))
  }

  /** Relative difference of the first losses: each of `ids` against PyTorch eager. */
  differences(ids: readonly string[]): readonly { readonly id: string; readonly difference: number }[] {
    const base = this.#losses.get(torchName("eager"))
    return ids.flatMap((id) => {
      const own = this.#losses.get(id)
      return own === undefined || base === undefined ? [] : [{ id, difference: Math.abs(own / base - 1) }]
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map((contender) => contender.close()))
  }
}
