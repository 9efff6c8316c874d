/** A folder that one makes while another removes it. */
import { rmdir } from "node:fs/promises"
import { join } from "node:path"
import { test } from "tap"
import { makeFolder } from "../../src/files/folder.js"

test("a folder that goes between being found and being looked at is made again", async (t) => {
  const folder = join(t.testdir(), "lock")
  const end = { yet: false }
  // What a lease does when it is given back.
  const removing = Promise.all(
    Array.from({ length: 3 }, async () => {
      while (!end.yet) await rmdir(folder).catch(() => undefined)
    }),
  )
  const made = await Promise.all(
    Array.from({ length: 3 }, async () => {
      let count = 0
      for (let i = 0; i < 2000; i++) if (await makeFolder(folder)) count++
      return count
    }),
  )
  end.yet = true
  await removing
  t.ok(
    made.reduce((a, b) => a + b, 0) > 100,
    `the folder was made ${made.join(", ")} times, so others removed it`,
  )
})
