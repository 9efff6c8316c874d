/** The executor that the command line asks for, else the spec, else what fits this machine. */
import { availableParallelism, totalmem } from "node:os"
import * as Option from "effect/Option"
import {
  chooseEngine,
  findAvailable,
  needsSearch,
  NOTHING,
  type Available,
  type Choice,
  type EngineName,
  type EngineRequest,
} from "../engine/choose.js"
import type { ExecutorOptions } from "../engine/executor.js"
import { makePlan } from "../plan/plan.js"
import type { ExecutorProvenance } from "../run/provenance.js"
import type { Execution } from "../spec/experiment.js"
import type { LoadedSpec } from "../spec/spec-file.js"

/** Flags of every command that computes. */
export interface EngineFlags {
  readonly engine: Option.Option<EngineName | "auto">
  readonly precision: Option.Option<ExecutorOptions["precision"]>
  readonly device: Option.Option<ExecutorOptions["device"]>
  readonly threads: Option.Option<number>
  readonly xla: Option.Option<"on" | "off">
  readonly recompute?: Option.Option<"on" | "off">
}

const requestOf = (flags: EngineFlags, execution: Execution | undefined): EngineRequest => {
  const engine = Option.getOrUndefined(flags.engine) ?? execution?.engine
  const precision = Option.getOrUndefined(flags.precision) ?? execution?.precision
  const device = Option.getOrUndefined(flags.device) ?? execution?.device
  const threads = Option.getOrUndefined(flags.threads) ?? execution?.threads
  const xla = Option.getOrUndefined(flags.xla) ?? execution?.xla
  const recompute = Option.getOrUndefined(flags.recompute ?? Option.none()) ?? execution?.recompute
  return {
    ...(engine === undefined ? {} : { engine }),
    ...(precision === undefined ? {} : { precision }),
    ...(device === undefined ? {} : { device }),
    ...(threads === undefined ? {} : { threads }),
    ...(xla === undefined ? {} : { xla }),
    ...(recompute === undefined ? {} : { recompute }),
  }
}

/** Seconds of training that the plan estimates on this machine. */
export const trainingSeconds = (spec: LoadedSpec): number =>
  makePlan(spec, { cores: availableParallelism(), memory: totalmem() }).time.training

/**
 * The machine is searched only where the answer matters: it takes a moment.
 * @param seconds of training, which make a faster executor worth its start; absent: a short run
 */
export const chooseExecutor = async (
  flags: EngineFlags,
  execution: Execution | undefined,
  available: () => Promise<Available> = findAvailable,
  seconds = 0,
): Promise<Choice> => {
  const request = requestOf(flags, execution)
  const choice = chooseEngine(request, needsSearch(request, seconds) ? await available() : NOTHING, seconds)
  return Option.isNone(flags.engine) && (execution?.engine ?? "auto") !== "auto"
    ? { ...choice, reason: "the spec asks for it" }
    : choice
}

/** A resumed run ends bit-identical on the executor that began it, so that one is taken where none is asked for. */
export const chooseResumed = async (
  flags: EngineFlags,
  begunWith: ExecutorProvenance,
  ...rest: readonly [Execution | undefined, () => Promise<Available>, number]
): Promise<Choice> => {
  if (Option.isSome(flags.engine) && flags.engine.value !== "auto") return chooseExecutor(flags, ...rest)
  const engine = Option.some(begunWith.name as EngineName)
  return { ...(await chooseExecutor({ ...flags, engine }, ...rest)), reason: "the run was begun on it" }
}
