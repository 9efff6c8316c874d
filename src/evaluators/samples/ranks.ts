/**
 * Texts of one evaluation made by several processes, each with an executor and the weights of its own: groups are dealt
 * to whoever is free. A group is the same whoever makes it, so the evidence is that of one process.
 */
import { fork, type ChildProcess } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Choice } from "../../engine/choose.js"
import { modulePath } from "../../files/package-files.js"
import { writeSafetensors } from "../../files/safetensors.js"
import type { MadeText } from "../../samplers/texts.js"
import { EvaluationError } from "../job.js"
import type { MakerJob, TextMaker } from "./maker.js"
import type { Opening, Told } from "./told.js"

/** The program of such a process; it knows the families, so it stands where commands do. */
const MODULE = modulePath("app/sampling-rank")

type Answer = { readonly done: unknown } | { readonly fault: string }

/** The GPU of a rank: the r-th of those that this process may see. */
const deviceOf = (rank: number, { options }: Choice): NodeJS.ProcessEnv => {
  if (options.device !== "gpu") return {}
  const visible = process.env["CUDA_VISIBLE_DEVICES"]?.split(",").filter((each) => each !== "")
  return { CUDA_VISIBLE_DEVICES: visible === undefined ? String(rank) : (visible[rank] ?? "") }
}

class Rank {
  readonly #child: ChildProcess
  #waiting: { readonly resolve: (done: unknown) => void; readonly reject: (e: Error) => void } | undefined
  #failure: Error | undefined

  constructor(id: string, rank: number, choice: Choice) {
    this.#child = fork(MODULE, [], {
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: { ...process.env, ...deviceOf(rank, choice) },
    })
    this.#child.on("message", (answer: Answer) => {
      const waiting = this.#waiting
      this.#waiting = undefined
      if ("done" in answer) waiting?.resolve(answer.done)
      else waiting?.reject(new EvaluationError(id, `process ${rank}: ${answer.fault}`))
    })
    const ended = (why: string): void => {
      this.#failure ??= new EvaluationError(id, `process ${rank} that makes texts ${why}`)
      this.#waiting?.reject(this.#failure)
    }
    this.#child.once("error", (error) => ended(`could not be started: ${error.message}`))
    this.#child.once("exit", (code, signal) => ended(`ended (${signal ?? `exit code ${code}`})`))
  }

  tell(told: Told): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#child.send(told, (error) => error !== null && reject(error))
    })
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = new Promise((resolve) => this.#child.once("exit", resolve))
    this.#child.kill("SIGKILL")
    await ended
  }
}

/** @throws EvaluationError where the weights are held by the executor of this process alone */
export const openRanks = async (
  count: number,
  choice: Choice,
  { experiment, evaluation, network, parameters, starts }: MakerJob,
): Promise<TextMaker> => {
  const absent = network.parameters.find(({ name }) => parameters[name] === undefined)
  if (absent !== undefined)
    throw new EvaluationError(
      evaluation.id,
      `frozen weights (${absent.name}) are held once and dealt to no other process; leave execution.samplingProcesses out`,
    )
  const folder = await mkdtemp(join(tmpdir(), "repro-ranks-"))
  const ranks: Rank[] = []
  const dispose = async (): Promise<void> => {
    await Promise.all(ranks.map((rank) => rank.close()))
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const path = join(folder, "parameters.safetensors")
    await writeSafetensors(
      path,
      Object.fromEntries(
        Object.entries(parameters).map(([name, { shape, data }]) => [
          name,
          { dtype: "F32" as const, shape, data: data as Float32Array },
        ]),
      ),
    )
    const opening: Opening = { experiment, evaluation, choice, parameters: path, starts }
    for (let rank = 0; rank < count; rank++) ranks.push(new Rank(evaluation.id, rank, choice))
    const [together] = (await Promise.all(ranks.map((rank) => rank.tell({ open: opening })))) as number[]
    const free = [...ranks]
    const places = new Map(starts.map(({ index }, place) => [index, place]))
    return {
      together: () => Promise.resolve(together!),
      width: count,
      make: async (seed, own) => {
        const rank = free.shift()
        if (rank === undefined) throw new RangeError(`more than ${count} groups at once`)
        const from = places.get(own[0]!.index)!
        try {
          return (await rank.tell({ make: { seed, from, to: from + own.length } })) as readonly MadeText[]
        } finally {
          free.push(rank)
        }
      },
      dispose,
    }
  } catch (error) {
    await dispose()
    throw error
  }
}
