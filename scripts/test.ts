/**
 * Runs tests: `npm test` all, `npm test -- test/spec test/floors.test.ts` those of a folder and of a file. Each file is
 * a process of its own, some at a time, from sources that were transpiled once. A file that passed is one line, with
 * what it skipped, with the seconds that it took and those of processors; of a file that failed everything is said.
 */
import { spawn } from "node:child_process"
import { readdir, readFile, stat } from "node:fs/promises"
import { join, relative, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import { builtPath, root } from "./node-arguments.js"
import { startForks, type Forks } from "./torch-forks.js"
import { transpileAll } from "./transpile.js"

/**
 * Folders whose tests start other processes and train: begun first, so that no long one is left to the end. The walks
 * are one file that takes minutes: behind the bundle, which wants the machine, and before the many short ones, which
 * run beside it.
 */
const LONGEST = ["test/bench/", "test/walks/", "test/cli/", "test/engine/", "test/train/"]

interface Counts {
  readonly total: number
  readonly pass: number
  readonly fail: number
  readonly skip: number
}

interface Ended {
  readonly output: string
  readonly failed: string | undefined
  readonly counts: Counts
  readonly seconds: number
  /** Of the processor, in the file's process, its children and its forked workers; unknown of one that was killed. */
  readonly cpu: number | undefined
}

const NONE: Counts = { total: 0, pass: 0, fail: 0, skip: 0 }

/** Test files that a path of a file or a folder means, relative to the repository. */
const filesOf = async (path: string): Promise<readonly string[]> => {
  const whole = resolve(path)
  const found = await stat(whole).catch(() => undefined)
  if (found === undefined) throw new Error(`${path}: no such file or folder of tests`)
  if (!found.isDirectory()) return [relative(root, whole)]
  return (await readdir(whole, { recursive: true }))
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => relative(root, join(whole, name)))
}

const rank = (file: string): number => {
  const at = LONGEST.findIndex((folder) => file.startsWith(folder))
  return at < 0 ? LONGEST.length : at
}

/** The counts that a file ends with; a file that died has none. */
const countsOf = (output: string): Counts | undefined => {
  const last = [...output.matchAll(/^# \{ (total: .*) \}$/gm)].at(-1)?.[1]
  if (last === undefined) return undefined
  const count = (name: string): number => Number(new RegExp(`\\b${name}: (\\d+)`).exec(last)?.[1] ?? 0)
  return { total: count("total"), pass: count("pass"), fail: count("fail"), skip: count("skip") }
}

/** A file that starts PyTorch workers asks for them here. */
const WORKERS = "torch/available.js"

/** Workers are forked where one of the files starts them. */
const forksFor = async (files: readonly string[]): Promise<Forks | undefined> => {
  const sources = await Promise.all(files.map((file) => readFile(join(root, file), "utf8")))
  return sources.some((source) => source.includes(WORKERS) || /from "\.\/available\.js"/.test(source))
    ? startForks()
    : undefined
}

const runFile = (file: string, timeout: number, forks: Forks | undefined): Promise<Ended> =>
  new Promise((done) => {
    const begun = performance.now()
    const before = pathToFileURL(join(root, builtPath("scripts/report-cpu.ts"))).href
    const child = spawn(
      process.execPath,
      ["--enable-source-maps", "--import", before, join(root, builtPath(file))],
      {
        cwd: root,
        env: {
          ...process.env,
          TAP: "1",
          TAP_TIMEOUT: String(timeout),
          REPRO_TEST_RUNNER: String(process.pid),
          REPRO_TEST_FILE: file,
          ...(forks === undefined ? {} : { REPRO_TEST_FORKS: forks.python }),
        },
        stdio: ["ignore", "pipe", "pipe", "pipe"],
      },
    )
    let cpu = ""
    child.stdio[3]!.on("data", (chunk: Buffer) => (cpu += chunk.toString()))
    let output = ""
    let late = false
    const keep = (chunk: Buffer): void => void (output += chunk.toString())
    child.stdout!.on("data", keep)
    child.stderr!.on("data", keep)
    // On SIGTERM a test file says what it was waiting for.
    const timers = [
      setTimeout(() => (late = child.kill("SIGTERM")), timeout * 1000),
      setTimeout(() => child.kill("SIGKILL"), timeout * 1000 + 5000),
    ]
    child.on("close", (code, signal) => {
      timers.forEach(clearTimeout)
      const counts = countsOf(output)
      const failed = late
        ? `not done after ${timeout} s`
        : signal !== null
          ? `ended by ${signal}`
          : code !== 0
            ? `exit code ${code}`
            : counts === undefined
              ? "ended without a result"
              : undefined
      done({
        output,
        failed,
        counts: counts ?? NONE,
        seconds: (performance.now() - begun) / 1000,
        cpu: cpu === "" ? undefined : Number(cpu) + (forks?.seconds.get(file) ?? 0),
      })
    })
  })

const sum = (a: Counts, b: Counts): Counts => ({
  total: a.total + b.total,
  pass: a.pass + b.pass,
  fail: a.fail + b.fail,
  skip: a.skip + b.skip,
})

const indented = (text: string): string => text.replace(/^(?=.)/gm, "    ")

/** What is said of a file that passed: what it skipped, and what it wrote that is not of the protocol. */
const remarks = (output: string): string =>
  output
    .split("\n")
    .filter((line) => /^ *ok .*# (SKIP|TODO)|^fuzz: /i.test(line))
    .map((line) => `    ${line.trim()}\n`)
    .join("")

const main = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      jobs: { type: "string", default: "2" },
      timeout: { type: "string", default: "600" },
    },
  })
  const asked = await Promise.all((positionals.length > 0 ? positionals : [join(root, "test")]).map(filesOf))
  const files = [...new Set(asked.flat())].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
  await transpileAll()
  const forks = await forksFor(files)
  process.stdout.write(`TAP version 14\n1..${files.length}\n`)
  const failures: string[] = []
  let counts = NONE
  let next = 0
  let ended = 0
  let total = 0
  const worker = async (): Promise<void> => {
    while (next < files.length) {
      const file = files[next++]!
      const one = await runFile(file, Number(values.timeout), forks)
      counts = sum(counts, one.counts)
      total += one.cpu ?? 0
      const cpu = one.cpu === undefined ? "" : ` cpu=${one.cpu.toFixed(1)}s`
      const line = `ok ${++ended} - ${file} # time=${one.seconds.toFixed(1)}s${cpu}`
      if (one.failed === undefined) process.stdout.write(`${remarks(one.output)}${line}\n`)
      else {
        failures.push(`${file}: ${one.failed}`)
        process.stdout.write(`# Subtest: ${file}\n${indented(one.output)}not ${line} ${one.failed}\n`)
      }
    }
  }
  const begun = performance.now()
  await Promise.all(Array.from({ length: Number(values.jobs) }, worker))
  await forks?.end()
  total += forks?.seconds.get("") ?? 0
  for (const failure of failures) process.stdout.write(`# failed: ${failure}\n`)
  const { pass, fail, skip } = counts
  const rest = [fail > 0 ? `, fail: ${fail}` : "", skip > 0 ? `, skip: ${skip}` : ""].join("")
  process.stdout.write(`# { total: ${counts.total}, pass: ${pass}${rest} }\n`)
  process.stdout.write(`# ${files.length - failures.length} of ${files.length} files passed`)
  process.stdout.write(` in ${((performance.now() - begun) / 1000).toFixed(0)} s`)
  process.stdout.write(`, ${total.toFixed(0)} s of processors\n`)
  process.exitCode = failures.length > 0 ? 1 : 0
}

await main()
