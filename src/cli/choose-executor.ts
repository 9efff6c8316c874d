/** The executor that the command line asks for, else the spec, else what fits this machine. */
import * as Option from "effect/Option"
import {
  chooseEngine,
  findAvailable,
  type Available,
  type Choice,
  type EngineName,
  type EngineRequest,
} from "../engine/choose.js"
import type { ExecutorOptions } from "../engine/executor.js"
import type { Execution } from "../spec/experiment.js"

/** Flags of every command that computes. */
export interface EngineFlags {
  readonly engine: Option.Option<EngineName | "auto">
  readonly precision: Option.Option<ExecutorOptions["precision"]>
  readonly device: Option.Option<ExecutorOptions["device"]>
  readonly threads: Option.Option<number>
}

const requestOf = (flags: EngineFlags, execution: Execution | undefined): EngineRequest => {
  const engine = Option.getOrUndefined(flags.engine) ?? execution?.engine
  const precision = Option.getOrUndefined(flags.precision) ?? execution?.precision
  const device = Option.getOrUndefined(flags.device) ?? execution?.device
  const threads = Option.getOrUndefined(flags.threads) ?? execution?.threads
  return {
    ...(engine === undefined ? {} : { engine }),
    ...(precision === undefined ? {} : { precision }),
    ...(device === undefined ? {} : { device }),
    ...(threads === undefined ? {} : { threads }),
  }
}

/** The machine is searched only where the answer matters: it takes a moment. */
export const chooseExecutor = async (
  flags: EngineFlags,
  execution: Execution | undefined,
  available: () => Promise<Available> = findAvailable,
): Promise<Choice> => {
  const request = requestOf(flags, execution)
  const search =
    (request.engine ?? "auto") === "auto" &&
    (request.device === "gpu" || (request.precision ?? "fp32") !== "fp32")
  return chooseEngine(request, search ? await available() : { tensorflow: false, torch: false, gpu: false })
}
