import { existsSync } from "node:fs"
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import t from "tap"
import { compareVersions, findLibraries, findLibrary } from "../../../src/engine/tensorflow/find-library.js"
import {
  checkVersion,
  makeTensorflowExecutor,
  probeTensorflow,
} from "../../../src/engine/tensorflow/index.js"
import { testWithLibrary } from "./available.js"

const FILE =
  process.platform === "darwin"
    ? "libtensorflow_cc.2.dylib"
    : process.platform === "win32"
      ? "tensorflow.dll"
      : "libtensorflow_cc.so.2"
const options = { precision: "fp32", device: "cpu", threads: 1 } as const

/** A virtual environment with a TensorFlow whose library is an empty file. */
const fakeEnvironment = async (root: string, distribution: string, cuda: boolean): Promise<string> => {
  const site =
    process.platform === "win32"
      ? join(root, "Lib", "site-packages")
      : join(root, "lib", "python3.11", "site-packages")
  const folder = join(site, "tensorflow")
  await mkdir(join(folder, "python", "platform"), { recursive: true })
  await mkdir(join(site, `${distribution}.dist-info`))
  await writeFile(join(folder, FILE), "")
  await writeFile(
    join(folder, "python", "platform", "build_info.py"),
    `build_info = {'is_cuda_build': ${cuda ? "True" : "False"}}\n`,
  )
  return join(folder, FILE)
}

void t.test("a virtual environment's library, its version and its build", async (t) => {
  const root = t.testdir({})
  const cpu = await fakeEnvironment(join(root, "a"), "tensorflow_cpu-2.20.1", false)
  const gpu = await fakeEnvironment(join(root, "b"), "tensorflow-2.18.0", true)
  const env = { VIRTUAL_ENV: join(root, "a"), CONDA_PREFIX: join(root, "b"), PATH: "" }
  const found = await findLibraries({ env })
  const at = (path: string) => found.find((f) => f.path === path)
  t.match(at(cpu), { kind: "found", version: "2.20.1", gpu: false, source: "Python package" })
  t.match(at(gpu), { kind: "found", version: "2.18.0", gpu: true })
  t.match(await findLibrary({ env, gpu: true }), { path: gpu }, "a GPU build where a GPU is asked for")
  const best = await findLibrary({ env })
  t.ok(best.kind === "found" && compareVersions(best.version, "2.20.1") >= 0, "else the newest")
})

void t.test("a path given comes first and is checked", async (t) => {
  const root = t.testdir({ empty: {}, deps: { lib: { [FILE]: "" } } })
  t.match(await findLibrary({ path: join(root, "deps") }), {
    kind: "found",
    path: join(root, "deps", "lib", FILE),
    source: "path given",
  })
  t.match(await findLibrary({ env: { REPRO_LIBTENSORFLOW: join(root, "deps", "lib", FILE) } }), {
    kind: "found",
    source: "REPRO_LIBTENSORFLOW",
  })
  t.same(await findLibrary({ path: join(root, "nowhere") }), {
    kind: "missing",
    problem: `path given: ${join(root, "nowhere")} does not exist`,
    command: "pip install tensorflow-cpu",
  })
  t.match(await findLibrary({ path: join(root, "empty"), gpu: true }), {
    kind: "missing",
    problem: /no libtensorflow in the folder/,
    command: "pip install 'tensorflow[and-cuda]'",
  })
})

void t.test("errors: missing, damaged and old libraries, and a precision it lacks", async (t) => {
  const root = t.testdir({ [FILE]: "not a library" })
  await t.rejects(makeTensorflowExecutor({ ...options, library: join(root, "nowhere") }), {
    name: "ExecutorError",
    executor: "tensorflow",
    cure: "run `pip install tensorflow-cpu`",
    message: /nowhere does not exist; run `pip install tensorflow-cpu`$/,
  })
  await t.rejects(makeTensorflowExecutor({ ...options, library: root }), {
    name: "ExecutorError",
    message: /could not be loaded/,
  })
  await t.rejects(makeTensorflowExecutor({ ...options, precision: "bf16-params" }), {
    name: "ExecutorError",
    message: /parameters stay fp32; use --precision bf16/,
  })
  t.throws(() => checkVersion("2.8.4", "/lib/x.so"), {
    name: "ExecutorError",
    message:
      "tensorflow: /lib/x.so is TensorFlow 2.8.4, older than 2.9.0; run `pip install --upgrade tensorflow-cpu`",
  })
  t.doesNotThrow(() => checkVersion("2.9.1", "x"))
})

void t.test("versions compare by number", (t) => {
  t.ok(compareVersions("2.10.0", "2.9.1") > 0)
  t.ok(compareVersions("2.9.0-rc1", "2.9.0") === 0)
  t.ok(compareVersions(undefined, "0.1.0") < 0)
  t.end()
})

testWithLibrary("a GPU that is not there", async (t) => {
  if (existsSync("/dev/nvidia0")) {
    t.comment("skipped: this machine has a GPU")
    return
  }
  await t.rejects(makeTensorflowExecutor({ ...options, device: "gpu" }), {
    name: "ExecutorError",
    message: /sees no GPU; use --device cpu/,
  })
  t.match(await probeTensorflow(), { version: /^2\./, gpu: false })
})

testWithLibrary("what provenance says of the executor names no folder of this machine", async (t) => {
  const executor = await makeTensorflowExecutor({
    ...options,
    precision: "bf16",
    bf16Products: "fp32",
    xla: true,
  })
  t.match(executor.version, /^2\.\d+\.\d+ \([\w .@/-]+\), fp32 products of bf16 operands, XLA$/)
  t.notMatch(executor.version, /site-packages|\/(root|home|usr)/)
  await executor.dispose()
})
