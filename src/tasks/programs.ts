/**
 * Answers that are programs: `simple_math_problem()` is run in the sandbox and its value compared, outside, with the
 * gold number.
 */
import { pythonFloat, strip } from "./python-text.js"
import { limitsOf, SandboxError, type Execution, type Job, type Sandbox } from "./sandbox/sandbox.js"
import { decodePlain, type Plain } from "./sandbox/values.js"
import type { Graded, Grader, Run } from "./task.js"

/** Of TinyGSM: the name that every program has. */
export const FUNCTION = "simple_math_problem"
/** xlm-core's time limit. */
export const SECONDS = 1
/** Last lines that may be left out until a text compiles, plus one: xlm-core's number. */
export const DROP_LINES = 50
/** xlm-core's tolerance where either number is no integer. */
const TOLERANCE = 1e-3
const STOPS = ["<|endoftext|>", "<|eot_id|>", "</s>"] as const

const untilStop = (text: string): string =>
  STOPS.reduce((rest, stop) => (rest.includes(stop) ? rest.slice(0, rest.indexOf(stop)) : rest), text)

const FENCE = "```"

/** What stands between the first two fences, without the language's name; the text where there are no two. */
const firstFence = (text: string): string => {
  const open = text.indexOf(FENCE)
  const close = open < 0 ? -1 : text.indexOf(FENCE, open + FENCE.length)
  return close < 0 ? text : text.slice(open + FENCE.length, close).replace(/^python/i, "")
}

/** xlm-core's rule: the first fenced block, from the first "def " wherever it stands; imports before it are lost. */
export const publishedProgram = (text: string): string => {
  const block = firstFence(untilStop(text))
  const start = block.indexOf("def ")
  return strip(start < 0 ? block : block.slice(start))
}

/** The first fenced block, from the first line that begins a definition or an import. */
export const programText = (text: string): string => {
  const block = firstFence(untilStop(text))
  const start = /^(?:def |import |from |class |@)/m.exec(block)
  return strip(start === null ? block : block.slice(start.index))
}

/**
 * Whether the function's name stands in a source at all. Where it does not nothing is run: prose would take as long as a
 * program. Python reads names in their NFKC form.
 */
const namesFunction = (source: string): boolean => source.normalize("NFKC").includes(FUNCTION)

/** @throws SandboxError where there is no sandbox */
export const requireSandbox = (run: Run): Sandbox => {
  if (run.sandbox === undefined)
    throw new SandboxError("This grader runs programs, and programs are not run without a sandbox.")
  return run.sandbox
}

export const execute = (run: Run, job: Job, seconds: number): Promise<Execution> =>
  requireSandbox(run).run(job, limitsOf(seconds * run.patience))

/** A verdict where the program gave none; undefined where it answered. */
export const withoutAnswer = (execution: Execution, extracted: string): Graded | undefined => {
  const { cpu } = execution
  switch (execution.status) {
    case "answered":
      return undefined
    case "over":
      return execution.limit === "output"
        ? { correct: false, extracted, failure: "error", value: "it answered more than allowed", cpu }
        : { correct: false, extracted, failure: "timed-out", value: `${execution.limit} limit`, cpu }
    case "ended":
      return { correct: false, extracted, failure: "error", value: `it ended with ${execution.exit}`, cpu }
    case "malformed":
      return { correct: false, extracted, failure: "error", value: "its answer is malformed", cpu }
  }
}

/** Of a value, in evidence: programs give numbers of a million digits. */
const MOST_SHOWN = 300

const brief = (text: string): string =>
  text.length <= MOST_SHOWN ? text : `${text.slice(0, MOST_SHOWN)}... (${text.length} characters)`

/** Long numbers in hexadecimal: writing them in decimal takes seconds. */
const shownInt = (value: bigint): string => {
  const hex = value.toString(16)
  return hex.length <= MOST_SHOWN / 2 ? value.toString() : hex.replace(/^-?/, "$&0x")
}

const shown = (value: Plain): string => {
  switch (value.type) {
    case "none":
      return "None"
    case "other":
      return `a ${value.name}`
    case "int":
      return brief(shownInt(value.value))
    default:
      return brief(String(value.value))
  }
}

/** The number that a value is: int and float by exact type, or text that is a number and nothing else. */
export const numberOf = (value: Plain): number | bigint | undefined => {
  if (value.type === "int") return value.value
  if (value.type === "float") return Number.isFinite(value.value) ? value.value : undefined
  if (value.type !== "str") return undefined
  const number = pythonFloat(value.value.replaceAll(/[,$]/g, ""))
  return number !== undefined && Number.isFinite(number) ? number : undefined
}

const equal = (found: number | bigint, gold: number): boolean =>
  typeof found === "bigint" && Number.isSafeInteger(gold)
    ? found === BigInt(gold)
    : Math.abs(Number(found) - gold) <= TOLERANCE

/** Programs as they should be graded: all of Python's built-ins, the value compared by exact type. */
export const executionGrader = <I>(goldOf: (item: I) => number | undefined): Grader<I> => ({
  id: "execution",
  title: "program run",
  rule: `program from the first fenced block or definition, run in a sandbox with all built-ins, ${SECONDS} s of processor time; value of ${FUNCTION}() of exact type int, float or number as text, within ${TOLERANCE} unless both are integers`,
  seconds: SECONDS,
  grade: async (item, { text }, run) => {
    const source = programText(text)
    const gold = goldOf(item)
    if (!namesFunction(source)) return { correct: false, extracted: null, failure: "unextracted" }
    const job: Job = { kind: "call", source, function: FUNCTION, dropLines: DROP_LINES }
    const execution = await execute(run, job, SECONDS)
    if (execution.status !== "answered") return withoutAnswer(execution, source)!
    const { answer, cpu } = execution
    if (typeof answer["error"] === "string")
      return { correct: false, extracted: source, failure: "error", value: answer["error"], cpu }
    const value = Object.hasOwn(answer, "value") ? decodePlain(answer["value"]) : undefined
    if (value === undefined)
      return { correct: false, extracted: source, failure: "error", value: "its answer is malformed", cpu }
    const found = numberOf(value)
    const correct = found !== undefined && gold !== undefined && equal(found, gold)
    const evidence = { correct, extracted: source, value: shown(value), cpu }
    if (gold === undefined) return { ...evidence, failure: "unscorable" }
    return found === undefined ? { ...evidence, failure: "error" } : evidence
  },
})

/** xlm-core's metric, faults included; inside our sandbox nevertheless. */
export const publishedExecutionGrader = <I>(goldOf: (item: I) => string | undefined): Grader<I> => ({
  id: "execution-published",
  title: "program run, as published",
  rule: `code_exec_accuracy of xlm-core (tinygsm/gsm8k.py): from the first "def ", restricted built-ins (abs min max sum len range enumerate int float str bool round), import of math alone, ${SECONDS} s by alarm; first number of the value, within ${TOLERANCE} unless both are integers`,
  published: "dhruvdcoder/xlm-core",
  seconds: SECONDS,
  grade: async (item, { text }, run) => {
    const source = publishedProgram(text)
    const gold = goldOf(item)
    if (!namesFunction(source))
      return { correct: false, extracted: source, failure: "error", value: `${FUNCTION} not defined` }
    const job: Job = {
      kind: "published-call",
      source,
      gold: gold ?? "",
      seconds: SECONDS * run.patience,
      dropLines: DROP_LINES,
    }
    const execution = await execute(run, job, 3 * SECONDS)
    if (execution.status !== "answered") return withoutAnswer(execution, source)!
    const { answer, cpu } = execution
    const extracted = typeof answer["extracted"] === "string" ? answer["extracted"] : source
    if (typeof answer["error"] === "string") {
      const failure = answer["error"] === "timeout" ? ("timed-out" as const) : ("error" as const)
      return { correct: false, extracted, failure, value: answer["error"], cpu }
    }
    const value = decodePlain(answer["value"])
    const evidence = {
      correct: answer["correct"] === true,
      extracted,
      ...(value === undefined ? {} : { value: shown(value) }),
      cpu,
    }
    return gold === undefined || gold === "" ? { ...evidence, failure: "unscorable" } : evidence
  },
})
