/**
 * A program that owns a worker and does nothing: prints the process id of the worker and its number of ranks.
 *
 *     node owner.js [RANKS]
 */
import { workerCommand } from "../../../src/engine/torch/index.js"
import { TorchWorker } from "../../../src/engine/torch/worker.js"

const processes = Number(process.argv[2] ?? 1)
const command = await workerCommand(processes === 1 ? {} : { processes }, process.env)
const hello = { precision: "fp32", device: "cpu", threads: 1, compile: false } as const
const worker = await TorchWorker.start(command, hello)
process.stdout.write(`${worker.pid} ${worker.ready.world}\n`)
setInterval(() => undefined, 1000)
