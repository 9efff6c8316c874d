/** Real commands with an empty home, cache and temporary folder: nothing appears but runs and this program's cache. */
import { spawn } from "node:child_process"
import { mkdir, readdir, rm } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"
import t from "tap"
import { telemetry } from "../../src/app/doctor.js"
import { switchTelemetryOff, TELEMETRY_OFF } from "../../src/engine/telemetry.js"
import { program, smallSpec } from "./small.js"

t.setTimeout(540_000)

interface Home {
  readonly env: NodeJS.ProcessEnv
  /** Everything below the home, cache and temporary folder. */
  readonly written: () => Promise<readonly string[]>
}

const emptyHome = async (folder: string): Promise<Home> => {
  const place = (name: string): string => join(folder, name)
  const places = { HOME: place("home"), XDG_CACHE_HOME: place("xdg"), TMPDIR: place("tmp") }
  for (const path of Object.values(places)) await mkdir(path)
  const { ORT_DISABLE_TELEMETRY: _unset, XDG_CONFIG_HOME: _c, XDG_DATA_HOME: _d, ...env } = process.env
  // What npm keeps of the packages that it fetches is npm's, wherever that is.
  const packages = { npm_config_cache: env["npm_config_cache"] ?? join(homedir(), ".npm") }
  return {
    // The loader that runs the sources keeps what it compiled in the temporary folder unless told otherwise.
    env: {
      ...env,
      ...places,
      REPRO_CACHE: place("cache"),
      TSX_DISABLE_CACHE: "1",
      NO_COLOR: "1",
      ...packages,
    },
    written: async () =>
      (
        await Promise.all(
          Object.values(places).map(async (path) =>
            (await readdir(path, { recursive: true })).map((name) => join(path, name)),
          ),
        )
      ).flat(),
  }
}

const repro = (args: readonly string[], cwd: string, env: NodeJS.ProcessEnv) =>
  new Promise<{ readonly code: number | null; readonly output: string }>((resolve) => {
    const child = spawn(process.execPath, [...program, ...args], { cwd, env })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.on("close", (code) => resolve({ code, output }))
  })

void t.test("a run and a sweep over workers write nothing outside runs and cache", async (test) => {
  const { folder, spec } = await smallSpec(5, {
    training: { schedule: { warmup: 1, warmdown: 2 } },
    sweep: {
      grid: [{ name: "batch", pointer: "/training/microBatch", values: [2, 4] }],
      seeds: [1],
      streams: "paired",
    },
  })
  test.teardown(() => rm(folder, { recursive: true, force: true }))
  const here = join(folder, "here")
  await mkdir(here)
  const { env, written } = await emptyHome(folder)
  const ran = await repro(["run", spec, "--profile", "paper", "--runs", join(folder, "runs")], here, env)
  test.equal(ran.code, 0, ran.output)
  test.match(ran.output, /Engine onnxruntime/, "the library that reports was loaded")
  const swept = await repro(
    ["sweep", spec, "--profile", "paper", "--workers", "2", "--runs", join(folder, "runs")],
    here,
    env,
  )
  test.equal(swept.code, 0, swept.output)
  test.same(await written(), [], "nothing in the home, the cache folder or the temporary folder")
  test.same(await readdir(here), [], "nothing in the current folder")
})

void t.test("a switch that the user turned on is turned off, and the doctor says so", (test) => {
  const env: NodeJS.ProcessEnv = { ORT_DISABLE_TELEMETRY: "0" }
  test.match(telemetry(env), { status: "missing", found: /ORT_DISABLE_TELEMETRY.* not set/ })
  switchTelemetryOff(env)
  test.same(env, TELEMETRY_OFF)
  test.match(telemetry(env), { status: "ok", found: /^off: ORT_DISABLE_TELEMETRY/ })
  test.end()
})
