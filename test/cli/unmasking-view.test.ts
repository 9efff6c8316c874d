/** The view of a text being unmasked: its lines, its pace, and what it leaves on the terminal. */
import t from "tap"
import { canView, openView, viewLines, type ViewModel } from "../../src/app/unmasking-view.js"

const model: ViewModel = {
  maskId: 8,
  pieces: [
    { piece: "<s>", type: "control" },
    { piece: "\u2581the", type: "normal" },
    { piece: "\u2581people", type: "normal" },
    { piece: "s", type: "normal" },
    { piece: "<0x1B>", type: "byte" },
    { piece: "<0x41>", type: "byte" },
    { piece: "\u2581caf\u00e9", type: "normal" },
    { piece: "\u65e5", type: "normal" },
  ],
}
const size = { columns: 80, rows: 24 }
const text = (tokens: readonly number[], fresh: readonly number[] = [], kept = 0) => ({
  tokens,
  fresh: new Set(fresh),
  kept: (i: number) => i < kept,
  status: "step 1",
})

void t.test("lines", (t) => {
  t.same(viewLines(text([1, 8, 3, 6, 0]), model, size, false), [" the░░s café¶", "", "step 1"])
  t.same(
    viewLines(text([4, 5, 7]), model, size, false)[0],
    "·A·",
    "a control byte and a wide character are dots: the terminal is never steered, columns stay",
  )
  t.same(
    viewLines(text([1, 2, 8, 3], [3], 1), model, size, true),
    ["\x1b[36m the\x1b[0m people\x1b[2m░░\x1b[0m\x1b[1;32ms\x1b[0m", "", "\x1b[2mstep 1\x1b[0m"],
    "kept, plain, masked, fresh",
  )
  const narrow = viewLines(text([1, 2, 2, 2, 1]), model, { columns: 13, rows: 24 }, false)
  t.same(
    narrow.slice(0, -2),
    [" the people ", "people ", "people the"],
    "broken at spaces, the last column free",
  )
  for (const columns of [9, 20, 40, 80])
    for (const line of viewLines(
      text(Array.from({ length: 300 }, (_, i) => i % 9)),
      model,
      { columns, rows: 24 },
      false,
    ))
      if (line.length >= columns) t.fail(`${line.length} of ${columns}: ${line}`)
  const mixed = Array.from({ length: 300 }, (_, i) => i % 9)
  const lines = viewLines(text(mixed), model, { columns: 40, rows: 500 }, false).slice(0, -2)
  t.equal(
    lines.join("").replaceAll(" ", ""),
    mixed.map((id) => ["¶", "the", "people", "s", "·", "A", "café", "·", "░░"][id]).join(""),
    "nothing but spaces is lost where lines break",
  )
  t.end()
})

void t.test("a text taller than the screen is scrolled to its first mask", (t) => {
  const tall = [...Array.from({ length: 400 }, () => 2), ...Array.from({ length: 400 }, () => 8)]
  const lines = viewLines(text(tall), model, { columns: 80, rows: 12 }, false)
  t.equal(lines.length, 12)
  const first = lines.findIndex((line) => line.includes("░"))
  t.ok(first >= 0 && first <= 7, `row ${first}`)
  t.match(lines[0]!, /people/)
  t.end()
})

void t.test("frames are bounded, waiting is counted, the screen comes back", async (t) => {
  let clock = 0
  const written: string[] = []
  const stream = { write: (chunk: string) => void written.push(chunk), isTTY: true, columns: 80, rows: 24 }
  const before = new Set(process.listeners("exit"))
  const view = openView({
    stream,
    env: { NO_COLOR: "1" },
    model,
    steps: 1000,
    now: () => clock,
    sleep: (milliseconds) => {
      clock += milliseconds
      return Promise.resolve()
    },
  })
  const own = process.listeners("exit").filter((listener) => !before.has(listener))
  t.equal(own.length, 1, "a process that ends gives the screen back")
  t.equal(written[0], "\x1b[?1049h\x1b[?25l", "the alternate screen, without a cursor")
  for (let step = 1; step <= 100; step++)
    await view.show({ tokens: [1, 8], kept: () => false, status: `step ${step}` }, [0], step === 100)
  const frames = written.slice(1)
  // 100 steps of 6 ms: one frame in 7 steps (42 ms), and the last.
  t.equal(frames.length, 16)
  t.match(frames.at(-1), /step 100/)
  t.notOk(
    frames.some((frame) => frame.includes("\x1b[1;32m") || frame.includes("\x1b[2m")),
    "NO_COLOR",
  )
  t.equal(view.waited(), 99 * 6 + 800)
  view.close()
  view.close()
  t.equal(written.at(-1), "\x1b[?25h\x1b[?1049l")
  t.equal(written.filter((chunk) => chunk.includes("1049l")).length, 1)
  t.notOk(process.listeners("exit").includes(own[0]!))
  t.notOk(canView({ write: () => undefined }, {}))
  t.notOk(canView(stream, { TERM: "dumb" }))
  t.ok(canView(stream, { TERM: "xterm" }))
})
