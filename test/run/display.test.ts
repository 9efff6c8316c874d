import { test } from "tap"
import {
  openDisplay,
  plainDisplay,
  recordingDisplay,
  terminalDisplay,
  type DisplayStream,
} from "../../src/run/display.js"
import { bar, duration, rate, remaining, type ProgressState } from "../../src/run/progress.js"

const state: ProgressState = {
  name: "train",
  unit: "step",
  done: 50,
  total: 200,
  from: 0,
  elapsed: 10,
  loss: 6.54321,
  tokensPerSecond: 12_345,
  detail: "group 1 of 8",
}

// eslint-disable-next-line no-control-regex
const visible = (text: string): string => text.replace(/\x1b\[[0-9;]*[mK]/g, "").replace(/\r/g, "")

class Stream implements DisplayStream {
  text = ""
  columns: number
  readonly isTTY: boolean
  resize: (() => void) | undefined
  constructor(isTTY: boolean, columns = 80) {
    this.isTTY = isTTY
    this.columns = columns
  }
  write(text: string): void {
    this.text += text
  }
  on(_event: "resize", listener: () => void): void {
    this.resize = listener
  }
  off(): void {
    this.resize = undefined
  }
}

test("durations and rates", (t) => {
  t.equal(duration(3.14), "3.1 s")
  t.equal(duration(59.4), "59 s")
  t.equal(duration(65), "1 min 05 s")
  t.equal(duration(7380), "2 h 03 min")
  t.equal(rate(950), "950")
  t.equal(rate(12_345), "12.3k")
  t.equal(rate(4_560_000), "4.56M")
  t.end()
})

test("the time left follows the rate of this phase alone", (t) => {
  t.equal(remaining(state), 30) // 150 steps at 5 a second
  t.equal(remaining({ ...state, done: 150, from: 100 }), 10) // resumed at 100: 50 in 10 s, 50 to go
  t.equal(remaining({ ...state, done: 0 }), undefined)
  t.equal(remaining({ ...state, total: undefined }), undefined)
  t.end()
})

test("a bar never exceeds the width and drops the least important first", (t) => {
  for (let width = 1; width <= 140; width++) {
    t.ok(visible(bar(state, width, true)).length <= width, `width ${width}`)
  }
  const wide = bar(state, 119, false)
  t.equal(
    wide,
    "train  50/200  ██████░░░░░░░░░░░░░░░░░░  ETA 30 s  loss 6.5432  12.3k tokens/s  group 1 of 8",
  )
  t.equal(bar(state, 40, false), "train  50/200  ETA 30 s  loss 6.5432")
  t.equal(bar(state, 13, false), "train  50/200")
  t.equal(bar(state, 8, false), "train  …")
  t.end()
})

test("a terminal is redrawn at most ten times a second and left clean", (t) => {
  const stream = new Stream(true)
  let now = 0
  const display = terminalDisplay({ stream, now: () => now, env: {} })
  display.phase("train", 1000)
  for (now = 1; now <= 1000; now++) display.update({ done: now, loss: 1 })
  const drawings = stream.text.split("\r\x1b[2K").length - 1
  t.ok(drawings >= 9 && drawings <= 11, `${drawings} drawings in one second`)
  display.end()
  display.end()
  t.match(stream.text, /\r\x1b\[2Ktrain: 1000 steps in 1\.0 s, loss 1\.0000\n$/) // eslint-disable-line no-control-regex
  t.end()
})

test("a resized terminal is drawn to its new width, and lines stay above the bar", (t) => {
  const stream = new Stream(true, 100)
  let now = 0
  const display = terminalDisplay({ stream, now: () => now, env: {} })
  display.phase("train", 1000)
  now = 500
  display.update({ done: 500, loss: 1 })
  stream.columns = 20
  stream.text = ""
  stream.resize?.()
  t.ok(visible(stream.text).length <= 19, visible(stream.text))
  stream.text = ""
  display.log("a checkpoint")
  t.match(stream.text, /^\r\x1b\[2Ka checkpoint\n\r\x1b\[2Ktrain/) // eslint-disable-line no-control-regex
  display.end()
  t.equal(stream.resize, undefined)
  t.end()
})

const coloured = (env: Record<string, string>): boolean => {
  const stream = new Stream(true)
  const display = terminalDisplay({ stream, now: () => 0, env })
  display.phase("train", 10)
  display.warn("careful")
  display.end()
  return /\x1b\[\d+m/.test(stream.text) // eslint-disable-line no-control-regex
}

test("NO_COLOR is respected", (t) => {
  t.equal(coloured({}), true)
  t.equal(coloured({ NO_COLOR: "1" }), false)
  t.equal(coloured({ NO_COLOR: "" }), true) // as https://no-color.org says: not empty
  t.end()
})

test("a pipe gets plain lines, seldom", (t) => {
  const stream = new Stream(false)
  let now = 0
  const display = plainDisplay({ stream, now: () => now })
  display.phase("train", 1200, { from: 200 })
  for (let step = 201; step <= 700; step++) {
    now += 50
    display.update({ done: step, loss: 2 })
  }
  display.warn("careful")
  display.end()
  t.equal(
    stream.text,
    [
      "train: 1000 steps",
      "train 400/1200, ETA 40 s, loss 2.0000", // 200 steps in 10 s, 800 to go
      "train 600/1200, ETA 30 s, loss 2.0000",
      "careful",
      "train: 500 steps in 25 s, loss 2.0000",
      "",
    ].join("\n"),
  )
  t.end()
})

const drawn = (isTTY: boolean, env: Record<string, string>): boolean => {
  const stream = new Stream(isTTY)
  const display = openDisplay({ stream, now: () => 0, env })
  display.phase("train", 10)
  display.end()
  return stream.text.includes("\x1b[2K")
}

test("the form follows the stream", (t) => {
  t.equal(drawn(true, {}), true)
  t.equal(drawn(false, {}), false)
  t.equal(drawn(true, { TERM: "dumb" }), false)
  t.equal(drawn(true, { CI: "true" }), false)
  t.end()
})

test("the recorder remembers what it was told", (t) => {
  const display = recordingDisplay()
  display.phase("train", 2)
  display.update({ done: 1 })
  display.log("hello")
  display.end()
  t.same(display.recorded, [
    { kind: "phase", name: "train", total: 2 },
    { kind: "update", progress: { done: 1 } },
    { kind: "log", line: "hello" },
    { kind: "end" },
  ])
  t.end()
})
