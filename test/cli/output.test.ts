/** Output that cannot be written is an error; a reader that leaves is none. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { test } from "tap"
import { program, root } from "./small.js"

const shell = promisify(execFile)
const RUN = "docs/results/evidence/20261121T132035Z-ar_matched-laptop-afd0adf3"
const command = [process.execPath, ...program].join(" ")

const sh = async (command: string): Promise<{ readonly code: number; readonly stderr: string }> =>
  shell("bash", ["-c", `set -o pipefail; ${command}`], { cwd: root }).then(
    ({ stderr }) => ({ code: 0, stderr }),
    ({ code, stderr }: { code: number; stderr: string }) => ({ code, stderr }),
  )

const linux = { skip: process.platform === "linux" ? false : "/dev/full is Linux's" }

test("a full disk behind standard output ends with 1 and one sentence", linux, async (t) => {
  const { code, stderr } = await sh(`${command} table ${RUN} > /dev/full`)
  t.equal(code, 1)
  t.match(stderr, /^repro: standard output cannot be written \(ENOSPC\); free some space/m)
  t.notMatch(stderr, /\n\s+at /)
})

test("a closed pipe ends quietly", linux, async (t) => {
  const { code, stderr } = await sh(`${command} table ${RUN} --json | head -c 1 > /dev/null`)
  t.equal(code, 0)
  t.notMatch(stderr, /repro: |\n\s+at /)
})
