import { readFile, writeFile } from "node:fs/promises"
import t from "tap"
import { GraphBuilder } from "../../../src/engine/builder.js"
import {
  findPython,
  findTorch,
  OLDEST_TORCH,
  pythonCandidates,
} from "../../../src/engine/torch/find-torch.js"
import { makeTorchExecutor, workerCommand } from "../../../src/engine/torch/index.js"
import { TorchWorker, WORKER_FOLDER, type WorkerCommand } from "../../../src/engine/torch/worker.js"
import { openTorch, testWithTorch } from "./available.js"

// Each worker loads PyTorch, which takes seconds on a busy machine.
t.setTimeout(540_000)

const options = { precision: "fp32", device: "cpu", threads: 1, compile: false } as const
const hello = { ...options }

/** A worker in JavaScript, for answers that the real one never gives. */
const script = (code: string): WorkerCommand => ({
  file: process.execPath,
  args: ["--input-type=module", "-e", code],
  env: process.env,
})

const start = (command: WorkerCommand): Promise<TorchWorker> => TorchWorker.start(command, hello)

const answering = (header: object): WorkerCommand =>
  script(`
    const text = Buffer.from(JSON.stringify({ ...${JSON.stringify(header)}, tensors: [] }))
    const prefix = Buffer.alloc(16)
    prefix.write("RPRO"), prefix.writeUInt32LE(text.length, 4)
    process.stdin.once("data", () => process.stdout.write(Buffer.concat([prefix, text])))
  `)

/** The sum of two numbers repeated. */
const repeated = (repeats: number) => {
  const g = new GraphBuilder()
  const x = g.input("x", "feed", { dtype: "f32", shape: [2] })
  const tiled = g.op("tile", [x], { reps: [repeats] })
  return g.build("wide", [{ name: "y", value: g.op("reduceSum", [tiled], { axes: [0], keepDims: false }) }])
}

void t.test("no Python with PyTorch: one command", async (t) => {
  // REPRO_PYTHON is the only interpreter asked, so an environment without PyTorch is never passed over in silence.
  const env = { ...process.env, REPRO_PYTHON: process.execPath }
  t.same(pythonCandidates(env), [process.execPath])
  t.equal(await findPython(env), undefined)
  await t.rejects(makeTorchExecutor({ ...options, env }), {
    name: "ExecutorError",
    executor: "torch",
    message:
      /^torch: no Python with PyTorch was found \(REPRO_PYTHON is .*\); run `pip install torch==2\.13\.0`$/,
  })
})

void t.test("interpreters are asked in order: the environment's, then the path's", async (t) => {
  const root = t.testdir({ bin: { python3: "" } })
  const env = { VIRTUAL_ENV: root }
  t.same(pythonCandidates(env), [`${root}/bin/python3`, "python3", "python"])
  t.same(pythonCandidates({ VIRTUAL_ENV: `${root}/none` }), ["python3", "python"])
})

void t.test("several processes and nodes are started by torchrun", async (t) => {
  const python = `${t.testdir()}/python`
  await writeFile(python, "#!/bin/sh\necho True\n", { mode: 0o755 })
  const env = { PATH: "/usr/bin:/bin", REPRO_PYTHON: python }
  const args = async (more: NodeJS.ProcessEnv): Promise<string> =>
    (await workerCommand({}, { ...env, ...more })).args.join(" ")
  t.equal(await args({}), "-u -m repro_worker")
  t.equal(
    await args({ REPRO_TORCH_PROCESSES: "4" }),
    "-u -m repro_worker.launch --standalone --nproc-per-node=4 -m repro_worker",
  )
  t.equal(
    await args({ REPRO_TORCH_PROCESSES: "2", REPRO_TORCHRUN: "--nnodes=2 --node-rank=0" }),
    "-u -m repro_worker.launch --nnodes=2 --node-rank=0 --nproc-per-node=2 -m repro_worker",
  )
  await t.rejects(args({ REPRO_TORCH_PROCESSES: "many" }), { message: /NaN is not a number of processes/ })
})

void t.test("a worker of another protocol is refused, whatever it says", async (t) => {
  await t.rejects(start(answering({ type: "ready", protocol: 2 })), {
    name: "ExecutorError",
    message: /protocol mismatch: the worker speaks protocol 2, this program 5; install repro again/,
  })
  await t.rejects(start(script(`console.log("PyTorch worker, at your service")`)), {
    message:
      /protocol mismatch: the worker's output is not its protocol: expected a frame, found "PyTorch worker/,
  })
})

void t.test("a worker that ends before it answers is reported with its last lines", async (t) => {
  const dying = script(`for (let i = 0; i < 100; i++) console.error("line", i); process.exit(3)`)
  await t.rejects(start(dying), {
    message: /the worker ended with code 3; its last lines:\n(.*\n)*line 99\n/,
  })
  await t.rejects(start({ ...dying, file: "/nowhere/python" }), {
    message: /the worker could not be started .*ENOENT/s,
  })
  const missing = script(`console.error("ModuleNotFoundError: No module named 'torch'"); process.exit(1)`)
  await t.rejects(start(missing), {
    message: "torch: PyTorch is not installed; run `pip install torch==2.13.0`",
  })
})

testWithTorch("the real worker refuses another protocol", async (t) => {
  await t.rejects(TorchWorker.start(await workerCommand({}, process.env), { ...hello, protocol: 0 }), {
    message: /protocol mismatch: this program speaks 0, the worker 5; install repro again/,
  })
})

testWithTorch("a PyTorch that is too old is refused with the command that replaces it", async (t) => {
  // A file of this name is read by every start of Python; here it gives the installed PyTorch another version.
  const folder = t.testdir({ "sitecustomize.py": "import torch\ntorch.__version__ = '2.5.1+cu121'\n" })
  const env = { ...process.env, PYTHONPATH: folder }
  await t.rejects(makeTorchExecutor({ ...options, env }), {
    name: "ExecutorError",
    message: "torch: PyTorch 2.5.1+cu121 is older than 2.6; run `pip install torch==2.13.0`",
  })
})

void t.test("the oldest PyTorch is the one that the worker's package asks for", async (t) => {
  t.match(await readFile(`${WORKER_FOLDER}/pyproject.toml`, "utf8"), `"torch>=${OLDEST_TORCH}"`)
})

testWithTorch("a GPU that is not there is a sentence", async (t) => {
  // CUDA_VISIBLE_DEVICES hides every GPU, where there are some.
  const env = { ...process.env, CUDA_VISIBLE_DEVICES: "" }
  await t.rejects(makeTorchExecutor({ ...options, device: "gpu", env }), {
    name: "ExecutorError",
    message: /a GPU was asked for, but PyTorch .* sees none; install .*, or use --device cpu/,
  })
})

testWithTorch("out of memory is a sentence, and the worker goes on", async (t) => {
  const executor = await openTorch(t)
  const feeds = { x: { shape: [2], data: Float32Array.of(1, 2) } }
  const huge = await executor.evaluator(repeated(2 ** 50), {})
  // 2^51 values of four bytes are 2^53 bytes: 2^23 GiB.
  await t.rejects(huge.run(feeds), {
    name: "ExecutorError",
    message: /^torch: out of memory: 8388608\.0 GiB more were needed; lower \/training\/microBatch/,
  })
  const small = await executor.evaluator(repeated(2), {})
  t.same((await small.run(feeds))["y"]!.data, Float32Array.of(6))
})

testWithTorch("an operation that the worker does not have is refused by name", async (t) => {
  const executor = await openTorch(t)
  const g = new GraphBuilder()
  const x = g.input("x", "feed", { dtype: "f32", shape: [2] })
  const graph = g.build("odd", [{ name: "y", value: g.op("neg", [x], {}) }])
  const odd = { ...graph, nodes: graph.nodes.map((n) => (n.op === "neg" ? { ...n, op: "fft" } : n)) }
  await t.rejects(executor.evaluator(odd as never, {}), { message: /odd: the worker has no operation fft/ })
})

testWithTorch("findTorch says what PyTorch says of itself", async (t) => {
  const env = { ...process.env, CUDA_VISIBLE_DEVICES: "" }
  const found = await findTorch(env)
  t.match(found?.version, /^\d+\.\d+/)
  t.equal(found?.cuda, false, "every GPU is hidden")
})
