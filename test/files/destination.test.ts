/** What stands at an output path and is not a regular file is written to, never replaced. */
import { execFileSync, spawn } from "node:child_process"
import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "tap"
import { nodeArguments } from "../../scripts/node-arguments.js"
import { requireWritable, writeFileAtomic } from "../../src/files/atomic.js"
import { destinationOf } from "../../src/files/destination.js"

/** What Node needs to load a module of this repository, and the module. */
const LOADER = nodeArguments("src/files/atomic.ts").slice(0, -1)
const ATOMIC = nodeArguments("src/files/atomic.ts").at(-1)!
const posix = { skip: process.platform === "win32" ? "no such files on Windows" : false }

const folder = async (t: { teardown: (f: () => unknown) => void }): Promise<string> => {
  const made = await mkdtemp(join(tmpdir(), "repro-out-"))
  t.teardown(() => rm(made, { recursive: true, force: true }))
  return made
}

test("devices stay devices, and a full one is an error that names it", posix, async (t) => {
  const before = await lstat("/dev/null")
  await writeFileAtomic("/dev/null", "text")
  const after = await lstat("/dev/null")
  t.ok(after.isCharacterDevice())
  t.equal(after.rdev, before.rdev)
  if (process.platform !== "linux") return
  await t.rejects(writeFileAtomic("/dev/full", "text"), {
    name: "DataError",
    reason: "no-space",
    message: /^\/dev\/full: /,
  })
  t.ok((await lstat("/dev/full")).isCharacterDevice())
  t.same(
    (await readdir("/dev")).filter((name) => name.includes(".tmp-")),
    [],
  )
})

test(
  "a path that cannot be written is told before the work, in the words of writing it",
  posix,
  async (t) => {
    const root = await folder(t)
    const file = join(root, "file")
    await writeFile(file, "kept")
    await symlink("loop", join(root, "loop"))
    for (const bad of [root, join(file, "below"), join(root, "x".repeat(300)), join(root, "loop")]) {
      const later = await writeFileAtomic(bad, "text").catch(({ message }: Error) => message)
      t.type(later, "string", bad)
      t.equal(await requireWritable(bad).catch(({ message }: Error) => message), later)
    }
    await requireWritable(file)
    await requireWritable(join(root, "new", "file"))
    await requireWritable("/dev/null")
    t.equal(await readFile(file, "utf8"), "kept")
    t.same([await readdir(root), await readdir(join(root, "new"))], [["file", "loop", "new"], []])
  },
)

test("a pipe gets the bytes and stays a pipe", posix, async (t) => {
  const pipe = join(await folder(t), "pipe")
  execFileSync("mkfifo", [pipe])
  const read = readFile(pipe, "utf8")
  await writeFileAtomic(pipe, "through the pipe")
  t.equal(await read, "through the pipe")
  t.ok((await lstat(pipe)).isFIFO())
})

test(
  "a link is followed to the folder of its target, whether the target is there or not",
  posix,
  async (t) => {
    const root = await folder(t)
    await mkdir(join(root, "there"))
    const target = join(root, "there", "target")
    const link = join(root, "link")
    await symlink("there/target", link)
    const chain = join(root, "chain")
    await symlink(link, chain)
    for (const content of ["first", "second"]) {
      await writeFileAtomic(chain, content)
      t.equal(await readFile(target, "utf8"), content)
      t.ok((await lstat(link)).isSymbolicLink())
      t.ok((await lstat(chain)).isSymbolicLink())
    }
    t.same((await readdir(root)).sort(), ["chain", "link", "there"])
    t.same(await readdir(join(root, "there")), ["target"])
    await symlink("/dev/null", join(root, "null"))
    await writeFileAtomic(join(root, "null"), "text")
    t.ok((await lstat("/dev/null")).isCharacterDevice())
  },
)

test("links in a circle and a folder are errors that name the path", posix, async (t) => {
  const root = await folder(t)
  await symlink("b", join(root, "a"))
  await symlink("a", join(root, "b"))
  await t.rejects(writeFileAtomic(join(root, "a"), ""), { name: "DataError", message: /\/a: / })
  await t.rejects(writeFileAtomic(root, ""), { name: "DataError", message: new RegExp(root) })
  t.same((await readdir(root)).sort(), ["a", "b"])
})

test("standard output is written to in place, as a file and as a pipe", posix, async (t) => {
  const root = await folder(t)
  const script = join(root, "script.mjs")
  await writeFile(
    script,
    `import { requireWritable, writeFileAtomic } from ${JSON.stringify(ATOMIC)}
process.stdout.write("before\\n")
await writeFileAtomic("/dev/stdout", "between\\n")
process.stdout.write("after\\n")
`,
  )
  const expected = "before\nbetween\nafter\n"
  const node = [process.execPath, ...LOADER, script].join(" ")
  execFileSync("sh", ["-c", `${node} > ${join(root, "out")}`])
  t.equal(await readFile(join(root, "out"), "utf8"), expected)
  const child = spawn("sh", ["-c", `${node} | cat`], { stdio: ["ignore", "pipe", "inherit"] })
  let text = ""
  for await (const chunk of child.stdout) text += String(chunk)
  t.equal(text, expected)
})

test("what a path means", posix, async (t) => {
  const root = await folder(t)
  t.same(await destinationOf(join(root, "new")), { kind: "replace", path: join(root, "new") })
  t.match(await destinationOf("/dev/fd/2"), { kind: "straight", descriptor: 2 })
  t.match(await destinationOf("/proc/self/fd/1"), { kind: "straight", descriptor: 1 })
  t.match(await destinationOf("/dev/null"), { kind: "straight", path: "/dev/null" })
  await writeFile(join(root, "old"), "")
  await chmod(join(root, "old"), 0o600)
  t.match(await destinationOf(join(root, "old")), { kind: "replace" })
})
