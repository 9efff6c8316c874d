/** Grades a stream of generations under several graders at once, a bounded number at a time. */
import { generationsFile, readGenerations, type GenerationsFile } from "../../tasks/generations/read.js"
import type { Stored } from "../../tasks/generations/formats.js"
import type { Sandbox } from "../../tasks/sandbox/index.js"
import type { Failure, Graded, Grader, Task } from "../../tasks/task.js"
import { matcherOf } from "./match.js"
import type { TestSet } from "../../tasks/test-set.js"

/** Share of a time limit from which a program is run again with twice of it. */
const NEAR = 0.8

/** What a grader said of every generation, by their numbers. */
export interface Column {
  readonly grader: Grader<unknown>
  readonly correct: readonly boolean[]
  readonly failures: Readonly<Record<Failure, number>>
  /** Programs near the limit or over it, and what they came to with twice the time. */
  readonly near: readonly {
    readonly generation: number
    readonly item: string
    readonly correctAtTwice: boolean
  }[]
}

export interface Scored {
  readonly task: Task
  readonly files: readonly GenerationsFile[]
  readonly set: TestSet | undefined
  /** Item of each generation. */
  readonly items: readonly number[]
  /** Ids and clusters of the items, by number. */
  readonly ids: readonly string[]
  readonly clusters: readonly string[]
  readonly columns: readonly Column[]
  readonly empty: number
  /** Undefined where no record says whether it was cut. */
  readonly truncated: number | undefined
  /** Verdicts that the files record beside ours. */
  readonly recorded: readonly { readonly grader: string; readonly agree: number; readonly differ: number }[]
}

/** One line of evidence. */
export interface EvidenceLine {
  readonly item: string
  readonly sample: number
  readonly prompt: string | null
  readonly completion: string
  readonly graders: Readonly<Record<string, Graded>>
}

export interface GradeOptions {
  readonly task: Task
  readonly graders: readonly Grader<unknown>[]
  readonly files: readonly string[]
  readonly set?: TestSet | undefined
  readonly sandbox?: Sandbox | undefined
  readonly onGraded?: (done: number) => void
  readonly onEvidence?: (line: EvidenceLine) => Promise<void>
}

const START = "<|startoftext|>"

/** The part that was generated: a text that repeats its prompt is empty when nothing else is there. */
const completionOf = ({ text, prompt }: Stored["generation"]): string => {
  if (prompt === undefined) return text
  const shown = prompt.startsWith(START) ? prompt.slice(START.length) : prompt
  const found = [prompt, shown].find((start) => text.startsWith(start))
  return found === undefined ? text : text.slice(found.length)
}

const noFailures = (): Record<Failure, number> => ({
  unextracted: 0,
  "timed-out": 0,
  error: 0,
  unscorable: 0,
})

/** A record of a filter after the first repeats a generation that is there; its verdict alone counts. */
class Filters {
  readonly #main = new Map<string, string>()
  readonly #count = new Map<string, number>()

  /** The sample that it repeats; undefined when it is a generation of its own. */
  repeats(path: string, filter: string | undefined, item: number): number | undefined {
    if (filter === undefined) return undefined
    const main = this.#main.get(path) ?? filter
    this.#main.set(path, main)
    if (main === filter) return undefined
    const key = `${path}\0${filter}\0${item}`
    const sample = this.#count.get(key) ?? 0
    this.#count.set(key, sample + 1)
    return sample
  }
}

const isNear = (graded: Graded, { seconds }: Grader<unknown>): boolean =>
  seconds !== undefined && (graded.failure === "timed-out" || (graded.cpu ?? 0) >= NEAR * seconds)

/**
 * Verdicts of every generation of the files, which are joined in the order given.
 * @throws DataError for a bad record, SandboxError when the sandbox fails: then there are no verdicts at all
 */
export const gradeFiles = async (options: GradeOptions): Promise<Scored> => {
  const { task, graders, set, sandbox, onGraded, onEvidence } = options
  const matcher = matcherOf(task, set)
  const files = options.files.map(generationsFile)
  const items: number[] = []
  /** Generations of each item, in order. */
  const samples: number[][] = []
  const columns = graders.map((grader) => ({
    grader,
    correct: [] as boolean[],
    failures: noFailures(),
    near: [] as { generation: number; item: string; correctAtTwice: boolean }[],
  }))
  const recorded: { readonly generation: number; readonly grader: string; readonly correct: boolean }[] = []
  const filters = new Filters()
  let empty = 0
  let truncated: number | undefined
  const width = sandbox === undefined ? 1 : 2 * sandbox.width
  const pending = new Set<Promise<void>>()
  let failed: { readonly error: unknown } | undefined

  const settled = new Map<number, Promise<unknown>>()
  /** What an item is graded by, worked out once for all of its generations. */
  const whole = (number: number, item: unknown): Promise<unknown> => {
    if (task.settle === undefined) return Promise.resolve(item)
    const found = settled.get(number) ?? task.settle(item, { sandbox, patience: 1 })
    settled.set(number, found)
    return found
  }

  const gradeOne = async (
    generation: number,
    sample: number,
    [number, stated]: readonly [number, unknown],
    stored: Stored,
  ): Promise<void> => {
    const item = await whole(number, stated)
    const id = task.keys(item).id
    const evidence: Record<string, Graded> = {}
    for (const column of columns) {
      const { grader } = column
      const graded = await grader.grade(item, stored.generation, { sandbox, patience: 1 })
      column.correct[generation] = graded.correct
      if (graded.failure !== undefined) column.failures[graded.failure]++
      if (isNear(graded, grader)) {
        const again = await grader.grade(item, stored.generation, { sandbox, patience: 2 })
        column.near.push({ generation, item: id, correctAtTwice: again.correct })
      }
      evidence[grader.id] = graded
    }
    await onEvidence?.({
      item: id,
      sample,
      prompt: stored.generation.prompt ?? null,
      completion: stored.generation.text,
      graders: evidence,
    })
    onGraded?.(generation + 1)
  }

  try {
    for (const file of files) {
      let count = 0
      for await (const stored of readGenerations(file)) {
        const place = `${file.path}, generation ${++count}`
        const { number, item } = matcher.match(stored, place)
        const own = (samples[number] ??= [])
        const repeated = filters.repeats(file.path, stored.filter, number)
        const generation = repeated === undefined ? items.length : own[repeated]
        if (generation === undefined) continue
        for (const [grader, correct] of Object.entries(stored.recorded))
          recorded.push({ generation, grader, correct })
        if (repeated !== undefined) continue
        items.push(number)
        own.push(generation)
        if (completionOf(stored.generation).trim() === "") empty++
        if (stored.truncated !== undefined) truncated = (truncated ?? 0) + (stored.truncated ? 1 : 0)
        const job = gradeOne(generation, own.length - 1, [number, item], stored).catch((error: unknown) => {
          failed ??= { error }
        })
        pending.add(job)
        void job.then(() => pending.delete(job))
        if (pending.size >= width) await Promise.race(pending)
        if (failed !== undefined) throw failed.error
      }
    }
  } finally {
    await Promise.all(pending)
  }
  if (failed !== undefined) throw (failed as { readonly error: unknown }).error
  return {
    task,
    files,
    set,
    items,
    ids: matcher.items.map((item) => task.keys(item).id),
    clusters: matcher.items.map((item) => task.cluster(item)),
    columns: columns.map((column) => ({
      ...column,
      near: column.near.sort((a, b) => a.generation - b.generation),
    })),
    empty,
    truncated,
    recorded: agreement(columns, recorded),
  }
}

const agreement = (
  columns: readonly Pick<Column, "grader" | "correct">[],
  recorded: readonly { readonly generation: number; readonly grader: string; readonly correct: boolean }[],
): Scored["recorded"] =>
  columns.flatMap(({ grader, correct }) => {
    const own = recorded.filter((each) => each.grader === grader.id)
    if (own.length === 0) return []
    const agree = own.filter((each) => correct[each.generation] === each.correct).length
    return [{ grader: grader.id, agree, differ: own.length - agree }]
  })
