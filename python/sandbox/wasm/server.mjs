/**
 * Pyodide as a sandbox, spoken to as python/sandbox/server.py is: a process that may read its own files and nothing
 * else, with a thread for each job that is ended with it.
 *
 * This thread runs no guest: it counts time and ends what is over. Processor time is that of the whole process, which
 * does nothing else meanwhile.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Worker } from "node:worker_threads"

const PROTOCOL = 2
const REQUEST_BYTES = 37
const REPORT_BYTES = 26
const KINDS = ["call", "check", "published-call", "published-check"]
const LIMITS = { cpu: 1, wall: 2, output: 3 }
const MOST_MESSAGE = 2 ** 20
const LOOK_MS = 10
/** Of the wire between two interpreters, as instance.mjs numbers its states. */
const ENDED = 3
const [, , pyodide] = process.argv
const guest = new URL("../", import.meta.url)

const text = (name) => readFileSync(join(pyodide, name), "utf8")
const shared = {
  module: await WebAssembly.compile(readFileSync(join(pyodide, "pyodide.asm.wasm"))),
  library: readFileSync(join(pyodide, "python_stdlib.zip")),
  sources: { "pyodide.asm.mjs": text("pyodide.asm.mjs"), "pyodide.mjs": text("pyodide.mjs") },
  lock: text("pyodide-lock.json"),
}

const opened = (more) => {
  const worker = new Worker(new URL("./instance.mjs", import.meta.url), {
    workerData: { ...shared, ...more },
    env: {},
    stdin: false,
    resourceLimits: { maxOldGenerationSizeMb: 512, stackSizeMb: 4 },
  })
  const inbox = []
  let waiting
  const receive = (message) => {
    if (waiting === undefined) inbox.push(message)
    else {
      const resolve = waiting
      waiting = undefined
      resolve(message)
    }
  }
  worker.on("message", receive)
  worker.on("error", (error) => receive({ ended: 1, why: String(error).slice(0, 300) }))
  worker.on("exit", (code) => receive({ ended: code }))
  return {
    next: () =>
      inbox.length > 0 ? Promise.resolve(inbox.shift()) : new Promise((resolve) => (waiting = resolve)),
    send: (message) => worker.postMessage(message, []),
    end: () => worker.terminate(),
  }
}

const expected = async (instance, name) => {
  const message = await instance.next()
  if (message[name] === undefined)
    throw new Error(`an interpreter did not start: ${message.why ?? "it ended"}`)
  return message
}

const maker = opened({
  guests: Object.fromEntries(
    ["values.py", "programs.py", "wasm.py"].map((name) => [name, readFileSync(new URL(name, guest), "utf8")]),
  ),
  first: 'import sys\nsys.path.insert(0, "/home/pyodide")\nimport wasm\nwasm.preload()',
})
const { snapshot, python } = await expected(maker, "snapshot")
await maker.end()

/** One interpreter is always ready, so that a job does not wait for its start. */
const boot = async () => {
  const instance = opened({ snapshot })
  await expected(instance, "ready")
  return instance
}
let spare
const take = () => {
  const ready = spare ?? boot()
  spare = undefined
  return ready
}

const seconds = ({ user, system }) => (user + system) / 1e6

const run = async (kind, tests, program, limits) => {
  const instances = [await take(), ...(kind === "check" ? [await boot()] : [])]
  const began = performance.now()
  const base = process.cpuUsage()
  const spent = () => ({ cpu: seconds(process.cpuUsage(base)), wall: (performance.now() - began) / 1000 })
  const allowed = kind.startsWith("published-")
    ? Math.min(limits.cpu, JSON.parse(program).seconds)
    : limits.cpu
  let look
  const over = new Promise((resolve) => {
    look = setInterval(() => {
      const { cpu, wall } = spent()
      if (cpu > allowed) resolve({ over: "cpu" })
      else if (wall > limits.wall) resolve({ over: "wall" })
    }, LOOK_MS)
  })
  const wire = { state: new SharedArrayBuffer(8), bytes: new SharedArrayBuffer(MOST_MESSAGE) }
  const { memory } = limits
  const work = async () => {
    const [first, second] = instances
    if (kind !== "check") {
      first.send({ role: kind, text: program, memory })
      await expected(first, "settled")
      return first.next()
    }
    first.send({ role: "serve", text: program, memory, wire })
    await expected(first, "settled")
    const greeting = await first.next()
    if (greeting.first === undefined)
      return {
        answer: JSON.stringify({ passed: false, error: "the program ended before it answered", calls: 0 }),
      }
    // A program that ends answers no more; the tests must not wait for it.
    void first.next().then(() => {
      const state = new Int32Array(wire.state)
      Atomics.store(state, 0, ENDED)
      Atomics.notify(state, 0)
    })
    second.send({ role: "check", text: tests, memory, wire, first: greeting.first })
    await expected(second, "settled")
    return second.next()
  }
  try {
    const result = await Promise.race([work(), over])
    const { cpu, wall } = spent()
    if (result.over !== undefined) return { limit: result.over, exit: 0, cpu, wall, answer: "" }
    if (result.answer === undefined) return { exit: result.ended ?? 1, cpu, wall, answer: "" }
    if (result.answer.length > limits.output) return { limit: "output", exit: 0, cpu, wall, answer: "" }
    return { exit: 0, cpu, wall, answer: result.answer }
  } finally {
    clearInterval(look)
    await Promise.all(instances.map((instance) => instance.end()))
  }
}

const report = ({ fault = 0, limit, exit, cpu, wall, answer }) => {
  const body = Buffer.from(answer, "utf8")
  const framed = fault === 1 || body.length === 0 ? body : Buffer.concat([Buffer.alloc(4), body])
  if (framed !== body) framed.writeUInt32BE(body.length, 0)
  const head = Buffer.alloc(REPORT_BYTES)
  head.writeUInt8(fault, 0)
  head.writeUInt8(limit === undefined ? 0 : LIMITS[limit], 1)
  head.writeInt32BE(exit, 2)
  head.writeDoubleBE(cpu, 6)
  head.writeDoubleBE(wall, 14)
  head.writeUInt32BE(framed.length, 22)
  process.stdout.write(Buffer.concat([head, framed]))
}

const hello = Buffer.from(JSON.stringify({ ready: PROTOCOL, python }), "utf8")
const length = Buffer.alloc(4)
length.writeUInt32BE(hello.length)
spare = boot()
await spare
process.stdout.write(Buffer.concat([length, hello]))

let buffer = Buffer.alloc(0)
for await (const part of process.stdin) {
  buffer = Buffer.concat([buffer, part])
  while (buffer.length >= REQUEST_BYTES) {
    const [tests, program] = [buffer.readUInt32BE(1), buffer.readUInt32BE(5)]
    const whole = REQUEST_BYTES + tests + program
    if (buffer.length < whole) break
    const limits = {
      cpu: buffer.readDoubleBE(9),
      wall: buffer.readDoubleBE(17),
      memory: Number(buffer.readBigUInt64BE(25)),
      output: buffer.readUInt32BE(33),
    }
    const words = (from, to) => buffer.toString("utf8", from, to)
    try {
      const done = await run(
        KINDS[buffer.readUInt8(0)],
        words(REQUEST_BYTES, REQUEST_BYTES + tests),
        words(REQUEST_BYTES + tests, whole),
        limits,
      )
      report(done)
    } catch (error) {
      report({ fault: 1, exit: 0, cpu: 0, wall: 0, answer: String(error).slice(0, 1000) })
      process.exit(1)
    }
    buffer = buffer.subarray(whole)
    spare = boot()
    spare.catch(() => undefined)
  }
}
process.exit(0)
