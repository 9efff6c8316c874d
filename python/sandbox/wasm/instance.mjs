/**
 * A thread that holds one interpreter for one job. It is ended when the job is.
 *
 * The interpreter lives in a context of its own that no object of Node is given to; what comes out of it is text.
 */
import { readFileSync } from "node:fs"
import vm from "node:vm"
import { parentPort, workerData } from "node:worker_threads"

const { module, library, sources, lock, snapshot } = workerData
/** States of the wire between the two interpreters of a job with tests. */
const [IDLE, ASKED, ANSWERED, ENDED] = [0, 1, 2, 3]

const say = (message) => parentPort.postMessage(message, [])

const context = vm.createContext(Object.create(null), {
  codeGeneration: { strings: false, wasm: true },
})
const evaluate = (code) => vm.runInContext(code, context)

const loaded = async (name) => {
  const source = new vm.SourceTextModule(sources[name], {
    context,
    identifier: `file:///pyodide/${name}`,
    initializeImportMeta: (meta) => {
      meta.url = `file:///pyodide/${name}`
    },
    importModuleDynamically: () => {
      throw new Error("nothing is imported")
    },
  })
  await source.link(() => {
    throw new Error("nothing is imported")
  })
  await source.evaluate()
  return source.namespace
}

/** Hands the realm a text: no other kind of value goes in once a guest runs. */
const called = (name, ...texts) => {
  const result = evaluate(`python.${name}(${texts.map((text) => JSON.stringify(text)).join(", ")})`)
  if (typeof result !== "string") throw new TypeError("the interpreter gave no text")
  return result
}

const read = (state, bytes) => Buffer.from(Uint8Array.from(bytes.subarray(0, state[1]))).toString("utf8")

const written = (state, bytes, text, next) => {
  const encoded = Buffer.from(text, "utf8")
  if (encoded.length > bytes.length) {
    state[1] = 0
    Atomics.store(state, 0, ENDED)
  } else {
    bytes.set(encoded)
    state[1] = encoded.length
    Atomics.store(state, 0, next)
  }
  Atomics.notify(state, 0)
}

const wireOf = ({ state, bytes }) => ({ state: new Int32Array(state), bytes: new Uint8Array(bytes) })

/** Answers the calls of the tests until this thread is ended. */
const serve = (job) => {
  const { state, bytes } = wireOf(job.wire)
  const first = called("begin", job.text)
  say({ first })
  for (;;) {
    Atomics.wait(state, 0, IDLE)
    Atomics.wait(state, 0, ANSWERED)
    if (Atomics.load(state, 0) !== ASKED) continue
    let answer
    try {
      answer = called("answer", read(state, bytes))
    } catch {
      written(state, bytes, "", ENDED)
      return
    }
    written(state, bytes, answer, ANSWERED)
  }
}

/** Of the tests: asks the other interpreter and waits; null where it has ended. */
const asking = (given) => {
  const { state, bytes } = wireOf(given)
  return (request) => {
    written(state, bytes, request, ASKED)
    Atomics.wait(state, 0, ASKED)
    return Atomics.load(state, 0) === ANSWERED ? read(state, bytes) : null
  }
}

const work = (job) => {
  if (job.role === "serve") return serve(job)
  const answer =
    job.role === "check" ? called("check", job.text, job.first) : called("run", job.role, job.text)
  say({ answer })
}

// Promises of a realm do not keep a thread going.
const going = setInterval(() => undefined, 2 ** 30)
evaluate(readFileSync(new URL("./realm.js", import.meta.url), "utf8"))
context.createModule = (await loaded("pyodide.asm.mjs")).default
context.loadPyodide = (await loaded("pyodide.mjs")).loadPyodide
Object.assign(context, { binary: module, library, lock, ...(snapshot === undefined ? {} : { snapshot }) })
await evaluate("begin()")
clearInterval(going)
if (snapshot === undefined) {
  context.guests = JSON.stringify(workerData.guests)
  context.first = workerData.first
  say({
    snapshot: Uint8Array.from(evaluate("prepare(JSON.parse(guests), first)")),
    python: String(evaluate("version()")),
  })
} else {
  parentPort.once("message", (job) => {
    context.most = job.memory
    if (job.role === "check") context.ask = asking(job.wire)
    evaluate("settle(most, globalThis.ask); delete globalThis.most; delete globalThis.ask")
    say({ settled: true })
    try {
      work(job)
    } catch (error) {
      say({ ended: 1, why: String(error).slice(0, 300) })
    }
  })
  say({ ready: true })
}
