/** The forms that files of generations have, and what each of their records says. */
import { isRecord } from "../records.js"
import type { Generation } from "../task.js"

export const FORMATS = {
  flexmdm: "FlexMDM / d1 generations (*_generations.json)",
  "lm-eval": "lm-evaluation-harness samples (samples_*.jsonl)",
  "human-eval": "HumanEval samples (task_id and completion)",
  evalplus: "EvalPlus samples (task_id and solution)",
  xlm: "xlm-core predictions (generated_text)",
  plain: "plain JSON lines (an id and a text)",
} as const
export type Format = keyof typeof FORMATS

/** One generation as a file has it. */
export interface Stored {
  /** How the file names the item, by kind of name. */
  readonly names: { readonly id?: string; readonly question?: string }
  readonly generation: Generation
  /** Fields from which a task may make the item itself: question, answer, ground_truth. */
  readonly fields: Readonly<Record<string, unknown>>
  /** Verdicts that the file records, by grader. */
  readonly recorded: Readonly<Record<string, boolean>>
  /** Whether the text was cut by a limit of length; absent where the file does not say. */
  readonly truncated?: boolean
  /** lm-evaluation-harness repeats a generation for every filter. */
  readonly filter?: string
}

type Fields = Readonly<Record<string, unknown>>

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)
const name = (value: unknown): string | undefined =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined

/** By what a record holds, never by the name of its file. */
export const formatOf = (record: Fields, inDocument: boolean): Format | undefined => {
  const has = (field: string): boolean => Object.hasOwn(record, field)
  if (text(record["generations"]) !== undefined && has("ground_truth")) return "flexmdm"
  if (Array.isArray(record["resps"]) && (has("doc_id") || has("doc"))) return "lm-eval"
  if (text(record["generated_text"]) !== undefined || (text(record["text"]) !== undefined && has("truth")))
    return "xlm"
  if (has("task_id") && text(record["solution"]) !== undefined) return "evalplus"
  if (has("task_id") && text(record["completion"]) !== undefined) return "human-eval"
  return plainText(record) !== undefined && (plainName(record) !== undefined || inDocument)
    ? "plain"
    : undefined
}

const TEXTS = [
  "completion",
  "generation",
  "output",
  "response",
  "prediction",
  "generated_text",
  "text",
] as const
const NAMES = ["id", "task_id", "item", "doc_id", "index", "idx"] as const

const plainText = (record: Fields): string | undefined =>
  TEXTS.map((field) => text(record[field])).find((value) => value !== undefined)
const plainName = (record: Fields): string | undefined =>
  NAMES.map((field) => name(record[field])).find((value) => value !== undefined) ?? text(record["question"])

const names = (id: string | undefined, question: string | undefined): Stored["names"] => ({
  ...(id === undefined ? {} : { id }),
  ...(question === undefined ? {} : { question }),
})

const truncation = (record: Fields): { readonly truncated?: boolean } => {
  const { truncated, finish_reason: reason } = record
  if (typeof truncated === "boolean") return { truncated }
  return typeof reason === "string" ? { truncated: reason === "length" } : {}
}

const generation = (content: string, prompt: string | undefined): Generation => ({
  text: content,
  ...(prompt === undefined ? {} : { prompt }),
})

const HARNESS_FILTERS: Readonly<Record<string, string>> = {
  "strict-match": "strict-match",
  "flexible-extract": "flexible",
}

/**
 * Every text of nested lists: lm-evaluation-harness keeps the repeats of a request in one. Undefined where there is none,
 * or something else among them, such as the log-likelihoods of a choice.
 */
const texts = (value: unknown): readonly string[] | undefined => {
  if (typeof value === "string") return [value]
  if (!Array.isArray(value) || value.length === 0) return undefined
  const each = value.map(texts)
  return each.includes(undefined) ? undefined : each.flatMap((found) => found!)
}

const harness = (record: Fields): readonly Stored[] | undefined => {
  const doc = isRecord(record["doc"]) ? record["doc"] : {}
  const filter = text(record["filter"])
  const grader = filter === undefined ? undefined : HARNESS_FILTERS[filter]
  const responses = texts(record["resps"])
  if (responses === undefined) return undefined
  const exact = record["exact_match"]
  const recorded =
    grader !== undefined &&
    (typeof exact === "number" || typeof exact === "boolean") &&
    responses.length === 1
      ? { [grader]: Number(exact) === 1 }
      : {}
  return responses.map((content): Stored => ({
    names: names(name(record["doc_id"]) ?? name(doc["task_id"]), text(doc["question"])),
    generation: generation(content, undefined),
    fields: { ...doc, ...(text(doc["answer"]) === undefined ? { answer: record["target"] } : {}) },
    recorded,
    ...(filter === undefined ? {} : { filter }),
  }))
}

/** A record of the format; undefined where it lacks what the format has. */
export const readRecord = (format: Format, record: Fields): readonly Stored[] | undefined => {
  const prompt = text(record["prompt_input"]) ?? text(record["prompt"])
  switch (format) {
    case "flexmdm": {
      const content = text(record["generations"])
      if (content === undefined) return undefined
      const at = names(undefined, text(record["question"]))
      return [
        {
          names: at,
          generation: generation(content, prompt),
          fields: record,
          recorded: {},
          ...truncation(record),
        },
      ]
    }
    case "lm-eval":
      return harness(record)
    case "human-eval":
    case "evalplus": {
      const whole = text(record["solution"])
      const content = whole ?? text(record["completion"])
      const id = name(record["task_id"])
      if (content === undefined || id === undefined) return undefined
      const { passed } = record
      return [
        {
          names: { id },
          generation: whole === undefined ? { text: content } : { text: content, whole: true },
          fields: record,
          recorded: typeof passed === "boolean" ? { official: passed } : {},
          ...truncation(record),
        },
      ]
    }
    case "xlm": {
      const suffix = text(record["generated_text"])
      const content = suffix !== undefined && suffix.trim() !== "" ? suffix : (text(record["text"]) ?? suffix)
      if (content === undefined) return undefined
      const { correct } = record
      return [
        {
          names: names(plainName({ ...record, question: undefined }), text(record["question"])),
          generation: generation(content, undefined),
          fields: record,
          recorded: typeof correct === "boolean" ? { "execution-published": correct } : {},
          ...truncation(record),
        },
      ]
    }
    case "plain": {
      const content = plainText(record)
      if (content === undefined) return undefined
      return [
        {
          names: names(
            NAMES.map((field) => name(record[field])).find((value) => value !== undefined),
            text(record["question"]),
          ),
          generation: generation(content, prompt),
          fields: record,
          recorded: {},
          ...truncation(record),
        },
      ]
    }
  }
}
