/** Which item a generation answers: by the name that its file gives, in the test set or in the file itself. */
import { DataError } from "../../files/errors.js"
import type { Stored } from "../../tasks/generations/formats.js"
import { strip } from "../../tasks/python-text.js"
import type { Task } from "../../tasks/task.js"
import type { TestSet } from "../../tasks/test-set.js"

export interface Matched {
  /** Number of the item, from 0, in the order of the set or of its first appearance. */
  readonly number: number
  readonly item: unknown
}

export interface Matcher {
  readonly items: readonly unknown[]
  /** Items of the test set; undefined without one. */
  readonly expected: number | undefined
  /** @throws DataError when the item is not known */
  readonly match: (stored: Stored, place: string) => Matched
}

const question = (text: string): string => strip(text)

const fromSet = (task: Task, { items, name }: TestSet): Matcher => {
  const byId = new Map<string, number>()
  const byQuestion = new Map<string, number>()
  for (const [number, item] of items.entries()) {
    const keys = task.keys(item)
    byId.set(keys.id, number)
    if (keys.question !== undefined) byQuestion.set(question(keys.question), number)
  }
  return {
    items,
    expected: items.length,
    match: ({ names }, place) => {
      // A question is the item itself; a number says only where some file had it.
      const asked =
        names.question === undefined || byQuestion.size === 0 ? undefined : question(names.question)
      const number = asked === undefined ? byId.get(names.id ?? "") : byQuestion.get(asked)
      if (number !== undefined) return { number, item: items[number] }
      if (names.id === undefined && names.question === undefined)
        throw new DataError(
          "invalid",
          place,
          "it does not say which item it answers: it has neither an id nor a question.",
        )
      const said =
        asked === undefined ? `"${names.id ?? ""}"` : `the question ${JSON.stringify(asked.slice(0, 60))}`
      throw new DataError(
        "invalid",
        place,
        `${name} has no item ${said}: the generations are of another test set.`,
      )
    },
  }
}

const fromFile = (task: Task): Matcher => {
  const items: unknown[] = []
  const known = new Map<string, number>()
  return {
    items,
    expected: undefined,
    match: ({ names, fields }, place) => {
      // A generation that names no item is one of its own: nothing else can be said of it.
      const name = names.id ?? names.question ?? `unnamed-${items.length}`
      const there = known.get(name)
      if (there !== undefined) return { number: there, item: items[there] }
      const item = task.itemOf?.(fields, name)
      if (item === undefined)
        throw new DataError(
          "missing",
          place,
          task.published === undefined
            ? `it does not carry its item, and ${task.title} has no test set to look it up in: give generations with their prompt and target.`
            : `it does not carry its item's answer or tests, so ${task.title} is needed: give --data published (${task.published.url}), --data file:PATH or another source.`,
        )
      known.set(name, items.length)
      items.push(item)
      return { number: items.length - 1, item }
    },
  }
}

export const matcherOf = (task: Task, set: TestSet | undefined): Matcher =>
  set === undefined ? fromFile(task) : fromSet(task, set)
