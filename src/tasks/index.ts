/** The tasks: the one place where they are registered. */
import { nearest } from "../spec/nearest.js"
import { BRACKETS } from "./brackets/index.js"
import { GSM8K } from "./gsm8k/index.js"
import { HUMANEVAL_INFILL } from "./humaneval-infill/index.js"
import { PRIMER_CODE, PRIMER_MATH } from "./primer/index.js"
import { STAR } from "./star/index.js"
import type { Grader, Task } from "./task.js"
import { TINYGSM } from "./tinygsm/index.js"

/** A task whose items nobody outside its own functions looks into. */
const anyItem = <I>(task: Task<I>): Task => task as unknown as Task

export const TASKS: readonly Task[] = [
  anyItem(GSM8K),
  anyItem(HUMANEVAL_INFILL),
  anyItem(TINYGSM),
  anyItem(STAR),
  anyItem(PRIMER_MATH),
  anyItem(PRIMER_CODE),
  anyItem(BRACKETS),
]

let tasks = TASKS

/**
 * Adds a task for the rest of the process, as if it stood in the list above.
 *
 * @returns what takes it away again
 * @throws Error where its id is taken
 */
export const registerTask = <I>(task: Task<I>): (() => void) => {
  if (tasks.some(({ id }) => id === task.id)) throw new Error(`the task "${task.id}" is taken`)
  const added = anyItem(task)
  tasks = [...tasks, added]
  return () => {
    tasks = tasks.filter((each) => each !== added)
  }
}

export const taskIds = (): readonly string[] => tasks.map(({ id }) => id)

const unknown = (what: string, id: string, known: readonly string[]): RangeError => {
  const near = nearest(id, known)
  return new RangeError(
    `There is no ${what} "${id}"${near === undefined ? "" : `; did you mean "${near}"`}. Known: ${known.join(", ")}.`,
  )
}

/** @throws RangeError naming the nearest task */
export const taskOf = (id: string): Task => {
  const found = tasks.find((task) => task.id === id)
  if (found === undefined) throw unknown("task", id, taskIds())
  return found
}

/** The graders of the given ids, the task's usual ones without any; "all" is every one. @throws RangeError */
export const gradersOf = (task: Task, ids: readonly string[]): readonly Grader<unknown>[] => {
  if (ids.includes("all")) return task.graders
  const wanted = ids.length === 0 ? task.usual : [...new Set(ids)]
  const known = task.graders.map(({ id }) => id)
  return wanted.map((id) => {
    const found = task.graders.find((grader) => grader.id === id)
    if (found === undefined) throw unknown(`grader of ${task.id}`, id, [...known, "all"])
    return found
  })
}
