/**
 * `events.ndjson`: one JSON object a line, only ever appended to. A line that a crash left unfinished is never
 * read; it is cut off when the log is opened for writing again.
 */
import { open, readFile, type FileHandle } from "node:fs/promises"
import { systemCode } from "../files/errors.js"
import { RunError, runErrorFrom } from "./errors.js"

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** What happened in a run. Steps count from 1: `step` n is the state after n optimiser steps. */
export type RunEvent =
  | { readonly type: "started" }
  | { readonly type: "resumed"; readonly step: number }
  | {
      readonly type: "step"
      readonly step: number
      /** null: not a finite number */
      readonly loss: number | null
      readonly gradNorm?: number | null
      readonly learningRate?: number
      readonly tokensPerSecond?: number
    }
  | {
      /** A point of the validation curve: the same windows and masks at every step. */
      readonly type: "validation"
      readonly step: number
      /** The evaluation that took it, with its windows and its seed. */
      readonly evaluation: { readonly [field: string]: Json }
      readonly nats: number
      readonly tokens: number
      readonly windows: number
      readonly seconds?: number
    }
  | {
      readonly type: "checkpoint"
      readonly step: number
      readonly file: string
      /** Of the file, recorded before it has its name; absent in runs of earlier versions. */
      readonly sha256?: string
    }
  | {
      readonly type: "evaluation"
      readonly id: string
      readonly file: string
      readonly sha256?: string
      readonly seconds?: number
    }
  | { readonly type: "notice"; readonly text: string }
  | { readonly type: "interrupted"; readonly step: number }
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "finished" }

/** An event as it stands in the file. */
export type StoredEvent = RunEvent & { readonly time: string }

export interface EventLog {
  /** Hand a line to the operating system: it survives the process, and the machine after {@link flush}. */
  readonly append: (event: RunEvent) => Promise<void>
  /** Force every appended line to the disk. */
  readonly flush: () => Promise<void>
  readonly close: () => Promise<void>
  /** Bytes of an unfinished line that were cut off on opening. */
  readonly cut: number
}

const parseLine = (line: string): StoredEvent | undefined => {
  try {
    const value = JSON.parse(line) as unknown
    return typeof value === "object" && value !== null && "type" in value && "time" in value
      ? (value as StoredEvent)
      : undefined
  } catch {
    return undefined
  }
}

/** Length in bytes of the whole lines at the start of the log. Trailing lines that are not events do not count. */
const soundLength = (bytes: Uint8Array): number => {
  const decoder = new TextDecoder()
  let end = bytes.lastIndexOf(0x0a) + 1
  while (end > 0) {
    const start = end < 2 ? 0 : bytes.lastIndexOf(0x0a, end - 2) + 1
    if (parseLine(decoder.decode(bytes.subarray(start, end - 1))) !== undefined) break
    end = start
  }
  return end
}

/**
 * Every whole event of a log; an unfinished last line is left out.
 * @throws RunError `damaged` when a line before the last is not an event.
 */
export const readEvents = async (path: string): Promise<readonly StoredEvent[]> => {
  const { events, damaged } = await scanEvents(path)
  if (damaged.length === 0) return events
  throw new RunError(
    "damaged",
    path,
    `line ${damaged[0]} is not an event; the file was edited or the disk is faulty: restore it from a copy.`,
  )
}

/** Every event of a log that can be read, and the numbers of the lines that are none, from 1. */
export const scanEvents = async (
  path: string,
): Promise<{ readonly events: readonly StoredEvent[]; readonly damaged: readonly number[] }> => {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    if (systemCode(error) === "ENOENT") return { events: [], damaged: [] }
    throw runErrorFrom(error, path, "reading its events")
  }
  const text = new TextDecoder().decode(bytes.subarray(0, soundLength(bytes)))
  const events: StoredEvent[] = []
  const damaged: number[] = []
  for (const [index, line] of text.split("\n").slice(0, -1).entries()) {
    const event = parseLine(line)
    if (event === undefined) damaged.push(index + 1)
    else events.push(event)
  }
  return { events, damaged }
}

/** Open a log for appending; the end of an unfinished line is cut off first. */
export const openEventLog = async (path: string, now: () => Date): Promise<EventLog> => {
  let handle: FileHandle
  let length = 0
  let cut = 0
  try {
    handle = await open(path, "a")
    const before = (await handle.stat()).isFile() ? await readFile(path) : new Uint8Array(0)
    length = soundLength(before)
    cut = before.byteLength - length
    if (cut > 0) {
      await handle.truncate(length)
      await handle.sync()
    }
  } catch (error) {
    throw runErrorFrom(error, path, "opening its events")
  }

  const write = async (bytes: Uint8Array): Promise<void> => {
    try {
      for (let done = 0; done < bytes.byteLength;) {
        done += (await handle.write(bytes, done, bytes.byteLength - done)).bytesWritten
      }
      length += bytes.byteLength
    } catch (error) {
      await handle.truncate(length).catch(() => undefined) // take the half-written line back
      throw runErrorFrom(error, path, "appending an event")
    }
  }

  let queue: Promise<void> = Promise.resolve()
  const enqueue = (work: () => Promise<void>): Promise<void> => {
    const next = queue.then(work)
    queue = next.catch(() => undefined)
    return next
  }
  return {
    cut,
    append: (event) => {
      const line = new TextEncoder().encode(`${JSON.stringify({ time: now().toISOString(), ...event })}\n`)
      return enqueue(() => write(line))
    },
    flush: () =>
      enqueue(() =>
        handle.sync().catch((error: unknown) => {
          if (systemCode(error) === "EINVAL") return // the file system has no fsync
          throw runErrorFrom(error, path, "saving its events")
        }),
      ),
    close: () => enqueue(() => handle.close()),
  }
}

/**
 * The events of the trajectory that counts: when a run was resumed from an earlier step, steps after it were
 * taken again, and their first records are left out; so is the record of evidence that was written again.
 */
export const effectiveEvents = (events: readonly StoredEvent[]): readonly StoredEvent[] => {
  let result: StoredEvent[] = []
  for (const event of events) {
    if (event.type === "evaluation") {
      const earlier = result.findIndex((each) => each.type === "evaluation" && each.id === event.id)
      if (earlier >= 0) result.splice(earlier, 1)
    }
    if (event.type === "resumed") {
      result = result.filter(
        (earlier) =>
          !(
            (earlier.type === "step" || earlier.type === "validation" || earlier.type === "checkpoint") &&
            earlier.step > event.step
          ),
      )
    }
    result.push(event)
  }
  return result
}
