/**
 * The `torch` executor: a generic PyTorch worker in processes of its own.
 *
 * The worker gets the loss graph and the state once, differentiates by itself, and keeps the state; a step sends
 * the feeds and gets two numbers back. With several processes the micro-batches of a step are dealt out in turn.
 */
import { resolve } from "node:path"
import { ExecutorError } from "../errors.js"
import {
  WHOLE,
  type Evaluator,
  type Executor,
  type ExecutorOptions,
  type Feeds,
  type HostTensors,
  type Trainer,
  type TrainPrograms,
} from "../executor.js"
import type { Graph } from "../ir.js"
import {
  SharedWeights,
  tensorsOver,
  weightsAs,
  type Weights,
  type WeightSource,
  type WeightSpec,
} from "../weights.js"
import { findPython, INSTALL_TORCH } from "./find-torch.js"
import { namedTensors, type FrameTensor } from "./frames.js"
import { wireGraph } from "./wire.js"
import { SAME_BITS, TorchWorker, WORKER_FOLDER, type WorkerCommand, type WorkerReady } from "./worker.js"

export interface TorchOptions extends ExecutorOptions {
  /** Processes on this machine, one per GPU. Default: REPRO_TORCH_PROCESSES, else 1. */
  readonly processes?: number
  readonly env?: NodeJS.ProcessEnv
  /** Starts another worker than the project's own. */
  readonly command?: WorkerCommand
}

/** @throws ExecutorError when Python or PyTorch is missing, or the worker does not start */
export const makeTorchExecutor = async (options: TorchOptions): Promise<Executor> => {
  const env = options.env ?? process.env
  const command = options.command ?? (await workerCommand(options, env))
  const worker = await TorchWorker.start(command, {
    precision: options.precision,
    device: options.device,
    threads: options.threads,
    compile: compiles(env, options),
    recompute: options.recompute === true,
    deterministic: env["REPRO_TORCH_DETERMINISTIC"] !== "0",
    graphs: env["REPRO_TORCH_GRAPHS"] !== "0",
  })
  let ids = 0
  const held = (weights: Weights | undefined): TorchWeights | undefined => {
    const own = weightsAs("torch", TorchWeights, weights)
    if (own === undefined || own.worker === worker) return own
    throw new ExecutorError("torch", "these weights belong to another executor", "load them on this one")
  }
  return {
    name: "torch",
    repeats: true,
    precision: options.precision,
    layout: WHOLE,
    // Asked for again at every use: an operation that has no deterministic form is found out when it first runs.
    get version() {
      return versionOf(worker.ready)
    },
    trainer: async (programs, initial, weights) =>
      makeTrainer(worker, ids++, programs, initial, held(weights)),
    evaluator: async (graph, parameters, weights) =>
      makeEvaluator(worker, ids++, graph, parameters, held(weights)),
    weights: (source) =>
      TorchWeights.load(worker, ids++, source, source.kind === "values" ? held(source.over) : undefined),
    acceleratorBytes: async () => {
      const { tensors } = await worker.request({ type: "memory", id: 0 })
      const found = read(tensors)["mebibytes"]
      return found === undefined ? null : Number(found.data[0]) * 2 ** 20
    },
    dispose: () => worker.close(),
  }
}

/** What the worker says where a GPU replays graphs, which is what it is expected to do. */
const CAPTURED = "CUDA graphs"

/** PyTorch, its device, and what a reader of its numbers must know; that bits may differ among it. */
const versionOf = ({ torch, device, world, compile, bits = SAME_BITS, graphs = "" }: WorkerReady): string => {
  const said = [
    device,
    compile,
    ...(world > 1 ? [`${world} processes`] : []),
    ...(bits === SAME_BITS ? [] : [bits]),
    ...(graphs === "" || graphs === CAPTURED ? [] : [graphs]),
  ]
  return `${torch} (${said.join(", ")})`
}

/** REPRO_TORCH_COMPILE, else what was asked for, else on a GPU only. */
const compiles = (env: NodeJS.ProcessEnv, { compile, device }: TorchOptions): boolean => {
  const said = env["REPRO_TORCH_COMPILE"] ?? ""
  return said === "" ? (compile ?? device === "gpu") : said !== "0"
}

/**
 * The command that starts the worker: Python itself, or `torchrun` for several processes. REPRO_TORCHRUN holds
 * more of torchrun's arguments: the nodes of a job and where they meet.
 */
export const workerCommand = async (
  options: Pick<TorchOptions, "processes">,
  env: NodeJS.ProcessEnv,
): Promise<WorkerCommand> => {
  const python = await findPython(env)
  if (python === undefined)
    throw new ExecutorError(
      "torch",
      `no Python with PyTorch was found${env["REPRO_PYTHON"] ? ` (REPRO_PYTHON is ${env["REPRO_PYTHON"]})` : " (REPRO_PYTHON, VIRTUAL_ENV and the path were searched)"}`,
      `run \`${INSTALL_TORCH}\``,
    )
  const processes = options.processes ?? Number(env["REPRO_TORCH_PROCESSES"] || "1")
  if (!Number.isInteger(processes) || processes < 1)
    throw new ExecutorError(
      "torch",
      `${processes} is not a number of processes`,
      "set REPRO_TORCH_PROCESSES to the number of GPUs of this machine",
    )
  const nodes = (env["REPRO_TORCHRUN"] ?? "").split(/\s+/).filter((arg) => arg !== "")
  const meeting = nodes.length > 0 ? nodes : ["--standalone"]
  const launch =
    processes > 1 || nodes.length > 0
      ? ["-m", "repro_worker.launch", ...meeting, `--nproc-per-node=${processes}`]
      : []
  return {
    file: python,
    args: ["-u", ...launch, "-m", "repro_worker"],
    env: {
      // Threads that wait do not spin: beside another busy program spinning made a step forty times slower.
      OMP_WAIT_POLICY: "PASSIVE",
      ...env,
      // One that is killed before the worker looks for it is missed.
      REPRO_WORKER_PARENT: String(process.pid),
      PYTHONPATH: [WORKER_FOLDER, env["PYTHONPATH"]]
        .filter(Boolean)
        .join(process.platform === "win32" ? ";" : ":"),
    },
  }
}

const prefixed = (prefix: string, tensors: HostTensors): readonly FrameTensor[] =>
  namedTensors(tensors).map((tensor) => ({ ...tensor, name: `${prefix}${tensor.name}` }))

/** Feeds as a frame has them: numbers as tensors, and what the worker draws itself in words. */
const split = (
  feeds: readonly (readonly [string, Feeds])[],
): { readonly draws: readonly object[]; readonly tensors: readonly FrameTensor[] } => {
  const draws: object[] = []
  const tensors: FrameTensor[] = []
  for (const [prefix, all] of feeds)
    for (const [name, feed] of Object.entries(all))
      if ("draw" in feed) draws.push({ name: `${prefix}${name}`, shape: feed.shape, draw: feed.draw })
      else tensors.push(...prefixed(prefix, { [name]: feed }))
  return { draws, tensors }
}

/** Weights in the worker's processes. */
class TorchWeights extends SharedWeights {
  readonly worker: TorchWorker
  readonly id: number

  constructor(worker: TorchWorker, id: number, tensors: readonly WeightSpec[]) {
    super("torch", tensors)
    this.worker = worker
    this.id = id
  }

  static async load(
    worker: TorchWorker,
    id: number,
    source: WeightSource,
    over: TorchWeights | undefined,
  ): Promise<TorchWeights> {
    const { kind, tensors } = source
    const values =
      kind === "values"
        ? valuesOf(
            tensors.map(({ name }) => name),
            source.values,
            "weights",
          )
        : {}
    const files =
      kind === "files"
        ? {
            files: source.files.map((file) => ({ ...file, path: resolve(file.path) })),
            unused: source.unused ?? [],
          }
        : {}
    await worker.request(
      {
        type: "weights",
        id,
        kind,
        weights: tensors,
        over: over?.id ?? null,
        merged: kind === "values" ? (source.merged ?? []) : [],
        ...files,
      },
      prefixed("value/", values),
    )
    return new TorchWeights(worker, id, tensorsOver(source))
  }

  protected async readHeld(names: readonly string[]): Promise<HostTensors> {
    return read((await this.worker.request({ type: "readWeights", id: this.id, names })).tensors)
  }

  protected async release(): Promise<void> {
    await this.worker.request({ type: "dispose", id: this.id })
  }
}

/** Names of the inputs that the worker keeps. */
const heldBy = (graph: Graph): readonly string[] =>
  graph.inputs.filter(({ kind }) => kind === "parameter" || kind === "state").map(({ name }) => name)

/** @throws ExecutorError for a frozen input that the weights lack */
const checkFrozen = (graph: Graph, weights: TorchWeights | undefined): void => {
  const missing = graph.inputs.find(({ name, kind }) => kind === "frozen" && weights?.has(name) !== true)
  if (missing !== undefined)
    throw new ExecutorError(
      "torch",
      `${graph.name}: the weights hold no ${missing.name}`,
      "load the weights of the same model",
    )
}

const valuesOf = (names: readonly string[], values: HostTensors, what: string): HostTensors =>
  Object.fromEntries(
    names.map((name) => {
      const tensor = values[name]
      if (tensor === undefined)
        throw new ExecutorError(
          "torch",
          `${what}: no value for the input ${name}`,
          "load a checkpoint of the same model",
        )
      return [name, tensor]
    }),
  )

/** The update in words where the job has them, so that the worker takes PyTorch's fused kernel; else its graph. */
const updateOf = ({
  loss,
  update,
  apply,
}: TrainPrograms): {
  readonly message: object
  readonly constants: readonly FrameTensor[]
  readonly held: readonly string[]
} => {
  if (update === undefined) {
    const graph = apply()
    const wired = wireGraph("apply", graph)
    return { message: { apply: wired.graph }, constants: wired.constants, held: heldBy(graph) }
  }
  const prefixes = ["", ...update.moments, ...(update.average === undefined ? [] : [update.average.prefix])]
  const held = prefixes.flatMap((prefix) => heldBy(loss).map((name) => `${prefix}${name}`))
  return { message: { update }, constants: [], held }
}

const read = (tensors: readonly FrameTensor[]): HostTensors =>
  Object.fromEntries(tensors.map(({ name, shape, data }) => [name, { shape, data }]))

/** A step that runs and two that wait for its end: a device goes on while the results of the last are still on their way. */
const IN_FLIGHT = 3

const makeTrainer = async (
  worker: TorchWorker,
  id: number,
  programs: TrainPrograms,
  initial: HostTensors,
  weights: TorchWeights | undefined,
): Promise<Trainer> => {
  checkFrozen(programs.loss, weights)
  const loss = wireGraph("loss", programs.loss)
  const { message, constants, held } = updateOf(programs)
  const given = held.filter((name) => initial[name] !== undefined || weights?.has(name) !== true)
  await worker.request(
    {
      type: "trainer",
      id,
      loss: loss.graph,
      ...message,
      weights: weights?.id ?? null,
      copied: held.filter((name) => !given.includes(name)),
      // Averages move by less than half a bf16 unit per step, so they stay fp32 at every precision.
      exact: held.filter((name) => name.startsWith("ema/")),
    },
    [...loss.constants, ...constants, ...prefixed("state/", valuesOf(given, initial, "training"))],
  )
  const slices = programs.slices ?? 1
  /** The worker's number of each slice's loss, by program. */
  const sent = new Map<number, readonly number[]>()
  let known = 1
  const add = async (graph: Graph): Promise<number> => {
    const wired = wireGraph("loss", graph)
    await worker.request({ type: "program", id, program: known, loss: wired.graph }, wired.constants)
    return known++
  }
  /** The loss of the first slice of the job itself came with the trainer. */
  const numbersOf = async (program: number): Promise<readonly number[]> => {
    const ready = sent.get(program)
    if (ready !== undefined) return ready
    const { loss: first, losses } = program === 0 ? programs : programs.larger![program - 1]!
    const numbers: number[] = []
    for (const [slice, graph] of (losses?.() ?? [first]).entries())
      numbers.push(program === 0 && slice === 0 ? 0 : await add(graph))
    sent.set(program, numbers)
    return numbers
  }
  /** What is sent goes in the order of the steps, also where one of them first sends a program. */
  let turn: Promise<unknown> = Promise.resolve()
  return {
    inFlight: IN_FLIGHT,
    step: async (micro, scalars, program = 0) => {
      const { world } = worker.ready
      if (micro.length % world !== 0)
        throw new ExecutorError(
          "torch",
          `${micro.length} micro-batches cannot be dealt out evenly to ${world} processes`,
          `make /training/accumulation a multiple of ${world} (and /training/microBatch smaller by the same factor), or start fewer processes (REPRO_TORCH_PROCESSES)`,
        )
      const feeds = split([["scalar/", scalars], ...micro.map((all, i) => [`${i}/`, all] as const)])
      const asked = turn
        .then(() => numbersOf(program))
        .then((numbers) => ({
          answer: worker.request(
            {
              type: "step",
              id,
              programs: micro.map((_, i) => numbers[i % numbers.length]!),
              divisor: micro.length / slices,
              draws: feeds.draws,
            },
            feeds.tensors,
          ),
        }))
      turn = asked.catch(() => undefined)
      const { tensors } = await (await asked).answer
      const { loss: value, gradNorm } = read(tensors)
      return { loss: value!.data[0]!, gradNorm: gradNorm!.data[0]! }
    },
    readState: async () => read((await worker.request({ type: "read", id })).tensors),
    dispose: async () => {
      await worker.request({ type: "dispose", id })
    },
  }
}

const makeEvaluator = async (
  worker: TorchWorker,
  id: number,
  graph: Graph,
  parameters: HostTensors,
  weights: TorchWeights | undefined,
): Promise<Evaluator> => {
  const wired = wireGraph("graph", graph)
  const held = graph.inputs.filter(({ kind }) => kind !== "feed").map(({ name }) => name)
  const own = held.filter((name) => parameters[name] !== undefined || weights?.has(name) !== true)
  await worker.request({ type: "evaluator", id, graph: wired.graph, weights: weights?.id ?? null }, [
    ...wired.constants,
    ...prefixed("state/", valuesOf(own, parameters, graph.name)),
  ])
  return {
    run: async (feeds) => {
      const names = graph.inputs.filter((i) => i.kind === "feed").map((i) => i.name)
      const given = Object.fromEntries(names.flatMap((n) => (feeds[n] === undefined ? [] : [[n, feeds[n]]])))
      const { draws, tensors } = split([["feed/", given]])
      return read((await worker.request({ type: "evaluate", id, draws }, tensors)).tensors)
    },
    repeat: async ({ steps, feeds, each, carried }) =>
      read(
        (
          await worker.request({ type: "repeat", id, steps, carried }, [
            ...prefixed("feed/", feeds),
            ...prefixed("each/", each),
          ])
        ).tensors,
      ),
    dispose: async () => {
      await worker.request({ type: "dispose", id })
    },
  }
}
