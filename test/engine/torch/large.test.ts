/**
 * Weights of 8 billion parameters are read by the worker alone. The shards are sparse: real headers over holes. The worker
 * has less memory than they need, so that it refuses them in the middle, whatever machine this is.
 */
import { mkdtemp, open, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import t from "tap"
import { findBeginning, parametersOf } from "../../../src/app/beginning.js"
import { openSpec } from "../../../src/app/open-spec.js"
import { OutOfMemoryError } from "../../../src/engine/errors.js"
import { makeTorchExecutor, workerCommand } from "../../../src/engine/torch/index.js"
import { explainMemory } from "../../../src/plan/fit.js"
import { testWithTorch } from "./available.js"

t.setTimeout(540_000)

const INDEX = "model.safetensors.index.json"
const SHARDS = 4
const GIB = 2 ** 30

const size = (shape: readonly number[]): number => 2 * shape.reduce((a, b) => a * b, 1)

/** A file of bf16 tensors that are a hole. */
const sparseShard = async (
  path: string,
  tensors: readonly { readonly name: string; readonly shape: readonly number[] }[],
): Promise<number> => {
  let at = 0
  const entries = tensors.map(({ name, shape }) => {
    const data_offsets = [at, (at += size(shape))]
    return [name, { dtype: "BF16", shape, data_offsets }] as const
  })
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  const file = await open(path, "w")
  await file.write(length)
  await file.write(header)
  await file.truncate(8 + header.length + at)
  await file.close()
  return at
}

const folder = await mkdtemp(join(tmpdir(), "repro-large-"))
t.teardown(() => rm(folder, { recursive: true, force: true }))

testWithTorch(
  "this process does not grow while the worker reads shards of 8 billion parameters",
  async (t) => {
    if (process.platform !== "linux") {
      t.comment("only Linux's shell sets a limit of address space")
      return
    }
    const { experiment } = await openSpec("specs/flexmdm_8b_transfer.json", "paper")
    const backbone = parametersOf(experiment).filter(({ frozen }) => frozen === true)
    const files = Array.from({ length: SHARDS }, (_, i) => `model-0000${i + 1}-of-0000${SHARDS}.safetensors`)
    let bytes = 0
    for (const [i, file] of files.entries())
      bytes += await sparseShard(
        join(folder, file),
        backbone.filter((_, k) => k % SHARDS === i),
      )
    // 8 015 581 184 parameters of two bytes, from the published shapes.
    t.equal(bytes, 16_031_162_368)
    const map = backbone.map(({ name }, k) => [name, files[k % SHARDS]!])
    await writeFile(join(folder, INDEX), JSON.stringify({ weight_map: Object.fromEntries(map) }))
    const own = {
      ...experiment,
      init: {
        checkpoint: `file:${join(folder, INDEX)}`,
        // Stated, so that nobody here reads 16 GB for them.
        sha256: Object.fromEntries(files.map((file, i) => [file, String(i).repeat(64)])),
      },
    }
    const before = process.memoryUsage.rss()
    const beginning = await findBeginning(own, undefined)
    t.equal(beginning!.source.tensors.length, backbone.length)
    const command = await workerCommand({}, process.env)
    const limit = Math.round((bytes + 6 * GIB) / 1024)
    const executor = await makeTorchExecutor({
      precision: "bf16",
      device: "cpu",
      threads: 1,
      command: {
        ...command,
        file: "/bin/sh",
        args: ["-c", `ulimit -v ${limit} && exec "$0" "$@"`, command.file, ...command.args],
      },
    })
    t.teardown(() => executor.dispose())
    let most = process.memoryUsage.rss()
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 20)
    // Digests of holes would have to be computed first; the reading itself is what is measured.
    const source = { ...beginning!.source, files: beginning!.source.files.map(({ path }) => ({ path })) }
    const error: unknown = await executor.weights(source).then(
      () => undefined,
      (cause: unknown) => cause,
    )
    clearInterval(watch)
    t.ok(error instanceof OutOfMemoryError, String(error))
    const grown = (most - before) / 2 ** 20
    t.ok(grown < 200, `this process grew by ${grown.toFixed(0)} MiB`)
    const told = explainMemory(error, own, { executor: "torch", device: "cpu", machineBytes: 8 * GIB })
    t.match(
      String(told),
      /out of memory.*the plan estimates [\d.]+ GiB for micro-batches of 4 and this machine has 8\.0 GiB/,
    )
  },
)
