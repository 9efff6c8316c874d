/** An error that nothing catches fails the file of the test, and is told with its place. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { execa } from "execa"
import { test } from "tap"
import { root } from "../../scripts/node-arguments.js"

/** Where tests find tap: bundled, under `npm test`. */
const folder = existsSync(join(root, ".built/node_modules/tap")) ? join(root, ".built") : root

const CASES: Readonly<Record<string, string>> = {
  "in a timer": `setTimeout(() => { throw new Error("nobody waits") }, 10)`,
  "in a promise": `void Promise.reject(new Error("nobody waits"))`,
  "behind the end of its test": `setTimeout(() => { throw new Error("nobody waits") }, 200); return`,
}

for (const [where, body] of Object.entries(CASES))
  test(where, async (t) => {
    const code = `import t from "tap"
void t.test("first", async () => {
  ${body}
  await new Promise((resolve) => setTimeout(resolve, 100))
})
void t.test("second", () => new Promise((resolve) => setTimeout(resolve, 300)))`
    const ended = await execa(process.execPath, ["--input-type=module", "-e", code], {
      cwd: folder,
      reject: false,
      env: { TAP: "1" },
    })
    t.not(ended.exitCode, 0)
    t.match(ended.stdout + ended.stderr, /nobody waits/)
  })
