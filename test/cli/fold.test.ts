/** Text for a terminal: broken between words, never within one, and no word lost. */
import { spawnSync } from "node:child_process"
import * as fc from "fast-check"
import { test } from "tap"
import { fold } from "../../src/app/fold.js"
import { program, root } from "./small.js"

const widest = (text: string): number => Math.max(...text.split("\n").map((line) => [...line].length))

test("no word is broken or lost, and no line is wider unless a word is", (t) => {
  const word = fc.stringMatching(/^[a-z≤é(]{1,12}$/)
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(" ", "  ", "      "), word), { maxLength: 40 }),
      fc.integer({ min: 40, max: 130 }),
      (parts, width) => {
        const text = parts.flat().join("")
        const folded = fold(text, width)
        return (
          folded.split(/\s+/).join(" ").trim() === text.split(/\s+/).join(" ").trim() &&
          (text.trim() === "" || widest(folded) <= width || widest(folded) <= width / 2 + 12)
        )
      },
    ),
  )
  t.equal(fold("as it is\n\n  short", 20), "as it is\n\n  short")
  t.end()
})

test("what goes on stands below what it belongs to", (t) => {
  t.equal(
    fold("- one warning (the spec): with more words than fit in it", 32),
    "- one warning (the spec): with\n  more words than fit in it",
  )
  t.equal(
    fold("  --engine choice  What computes, the same numbers", 40),
    "  --engine choice  What computes, the\n                   same numbers",
  )
  t.equal(fold(`${"claim".padEnd(30)}  verdict of it, in words`, 40), "claim\n    verdict of it, in words")
  t.equal(fold("a \u001b[1mbold\u001b[22m word there", 16), "a \u001b[1mbold\u001b[22m word\nthere")
  t.end()
})

test("a path and a command stay whole, to be copied", (t) => {
  const path = `/${"folder/".repeat(8)}file.json`
  t.equal(fold(`Wrote ${path} for you.`, 30), `Wrote\n${path}\nfor you.`)
  const command = "repro run mdlm_eos --profile laptop --resume 20261121T133642Z-mdlm_eos-laptop-734de551"
  t.equal(fold(command, 40), command)
  t.equal(fold(`Go on with: ${command}`, 40), `Go on with:\n${command}`)
  t.end()
})

const command = (...args: readonly string[]): string => [process.execPath, ...program, ...args].join(" ")

const plain = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replace(/\u001b\[[0-9;]*m/g, "")

const shown = (columns: number, ...args: readonly string[]): string =>
  spawnSync("script", ["-qec", `stty cols ${columns} rows 50; ${command(...args)}`, "/dev/null"], {
    cwd: root,
    encoding: "utf8",
  }).stdout.replaceAll("\r\n", "\n")
const piped = (...args: readonly string[]): string =>
  spawnSync("bash", ["-c", command(...args)], { cwd: root, encoding: "utf8" }).stdout

const script = spawnSync("script", ["--version"]).status === 0 && process.platform === "linux"
test(
  "a terminal of 60 columns gets words, a document and a pipe their lines",
  script ? { timeout: 600_000 } : { skip: "util-linux's script, which makes a terminal, is not installed" },
  (t) => {
    const RUN = "docs/results/evidence/20261121T132035Z-ar_matched-laptop-afd0adf3"
    for (const args of [
      ["plan", "mdlm_eos", "--profile", "laptop"],
      ["audit", "mdlm_eos"],
      ["list"],
      ["help", "run"],
      ["diff", RUN],
    ]) {
      const text = plain(shown(60, ...args))
      const wide = text.split("\n").filter((line) => [...line].length > 60 && /\S\s+\S/.test(line.trim()))
      t.same(
        wide.filter((line) => !/^ *(repro|npx) /.test(line)),
        [],
        `${args.join(" ")}: no line is wider than the terminal`,
      )
      t.ok(text.length > 200, `${args.join(" ")}: there is text`)
    }
    for (const args of [
      ["table", RUN, "--format", "csv"],
      ["audit", "mdlm_eos", "--md"],
      ["list", "--json"],
    ])
      t.equal(shown(60, ...args), piped(...args), `${args.join(" ")}: as in a pipe`)
    t.end()
  },
)
