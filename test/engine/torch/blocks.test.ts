/** Blocks in the torch worker: compiled by themselves, computed again instead of kept, and weights that stay outside. */
import { open, writeFile } from "node:fs/promises"
import { execa } from "execa"
import t from "tap"
import { makeTfjsExecutor } from "../../../src/engine/tfjs/index.js"
import { findPython } from "../../../src/engine/torch/find-torch.js"
import { wireGraph } from "../../../src/engine/torch/wire.js"
import { WORKER_FOLDER } from "../../../src/engine/torch/worker.js"
import { feeds, frozen, frozenValues, initial, programs } from "../shared-weights.js"
import { openTorch, testWithTorch } from "./available.js"

// Each worker loads PyTorch, and Inductor calls a C++ compiler for every program.
t.setTimeout(540_000)

testWithTorch(
  "a block's activations are computed again for the gradient where that was asked for",
  async (t) => {
    const { graph, constants } = wireGraph("loss", programs().loss)
    t.same(constants, [], "the script below needs the graph alone")
    const path = `${t.testdir({})}/graph.json`
    await writeFile(path, JSON.stringify(graph))
    // Bytes that autograd keeps for the backward pass, outside of what checkpointing handles by itself.
    const code = `
import json, sys, torch
from repro_worker.frames import dtype_of
from repro_worker.graph import build
from repro_worker.settings import Settings
wire = json.load(open(sys.argv[1]))
types = {name: (wire["nodes"][node][3][0], kind) for name, kind, node, _ in wire["inputs"]}
for recompute in (False, True):
    settings = Settings("fp32", torch.device("cpu"), False, "", None, recompute)
    program = build(wire, {}, settings)
    args = [torch.ones(shape, dtype=dtype_of(dtype), requires_grad=kind == "parameter")
            for (dtype, shape), kind in (types[name] for name in program.inputs)]
    kept = 0
    def pack(x):
        global kept
        kept += x.nbytes
        return x
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        loss = program.module(*args)[0]
    loss.backward()
    print(kept)
`
    const env = { PYTHONPATH: WORKER_FOLDER }
    const { stdout } = await execa((await findPython())!, ["-c", code, path], { env })
    const [kept, recomputed] = stdout.trim().split("\n").map(Number)
    t.ok(recomputed! > 0 && recomputed! < kept! / 2, `${recomputed} bytes kept instead of ${kept}`)
  },
)

testWithTorch("compiled by Inductor, blocks give the steps of the oracle", async (t) => {
  const losses = await Promise.all(
    [
      await makeTfjsExecutor({ precision: "fp32", device: "cpu", threads: 1 }),
      await openTorch(t, { compile: true, recompute: true }),
    ].map(async (on) => {
      const weights = await on.weights({ kind: "values", tensors: frozen, values: frozenValues })
      const trainer = await on.trainer(programs(), initial, weights)
      const all: number[] = []
      for (let i = 0; i < 3; i++) all.push((await trainer.step([feeds], {})).loss)
      return all
    }),
  )
  // Inductor fuses and reorders fp32 sums: 1e-5 of the loss.
  losses[0]!.forEach((loss, i) => t.ok(Math.abs(losses[1]![i]! / loss - 1) < 1e-5, `loss of step ${i + 1}`))
})

testWithTorch("a large file of weights leaves this process as small as it was", async (t) => {
  const executor = await openTorch(t)
  // 512 MiB of zeros in bf16 that take no room on the disk.
  const shape = [2 ** 14, 2 ** 14]
  const path = `${t.testdir({})}/sparse.safetensors`
  const bytes = 2 * shape[0]! * shape[1]!
  const header = Buffer.from(JSON.stringify({ w: { dtype: "BF16", shape, data_offsets: [0, bytes] } }))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  const file = await open(path, "w")
  await file.write(Buffer.concat([length, header]))
  await file.truncate(8 + header.length + bytes)
  await file.close()
  const before = process.memoryUsage().rss
  const weights = await executor.weights({
    kind: "files",
    tensors: [{ name: "w", shape, storage: "bf16" }],
    files: [{ path }],
  })
  const grown = process.memoryUsage().rss - before
  t.ok(grown < bytes / 4, `grew by ${(grown / 2 ** 20).toFixed(0)} MiB`)
  await weights.dispose()
})
