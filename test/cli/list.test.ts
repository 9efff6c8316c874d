import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { test, type Test } from "tap"
import { compare } from "../../src/app/compare.js"
import { list } from "../../src/app/list.js"
import { rescore } from "../../src/app/rescore.js"
import { invoke } from "./harness.js"

const packageSpecs = fileURLToPath(new URL("../../specs/", import.meta.url))

const folderOf = async (t: Test): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "repro-list-"))
  t.teardown(() => rm(folder, { recursive: true }))
  return folder
}

const inFolder = async <A>(folder: string, run: () => Promise<A>): Promise<A> => {
  const before = process.cwd()
  process.chdir(folder)
  try {
    return await run()
  } finally {
    process.chdir(before)
  }
}

interface Listed {
  readonly specs: readonly { readonly file: string; readonly id: string | null }[]
  readonly claims: readonly { readonly id: string; readonly source: string }[]
}

test("list: specs of the folder stand first, and other tools' files are none", async (t) => {
  const folder = await folderOf(t)
  await writeFile(join(folder, "mine.json"), JSON.stringify({ extends: "mdlm_eos", model: { width: 96 } }))
  await writeFile(join(folder, "wrong.json"), JSON.stringify({ schemaVersion: 1, model: 3 }))
  await writeFile(
    join(folder, "tsconfig.json"),
    JSON.stringify({ extends: "./base.json", compilerOptions: {} }),
  )
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "mine" }))
  await writeFile(join(folder, "broken.json"), "{")
  const { specs } = (await inFolder(folder, () => list({ what: "specs" }))).json as Listed
  t.same(
    specs.slice(0, 2).map(({ file, id }) => [file, id !== null]),
    [
      ["mine.json", true],
      ["wrong.json", false],
    ],
  )
  t.ok(specs.length > 20 && specs.every(({ file }) => !/tsconfig|package\.json|broken/.test(file)))
})

test("list claims: ids, found by words in id, figure or source", async (t) => {
  const all = (await list({ what: "claims" })).json as Listed
  t.ok(all.claims.length > 50)
  const { json, text, exitCode = 0 } = await list({ what: "claims", words: ["PR1241", "headline"] })
  const { claims } = json as Listed
  t.ok(claims.some(({ id }) => id === "pr1241-headline"))
  t.ok(claims.length < all.claims.length)
  t.match(text, /^CLAIM .*\npr1241-headline +0\.990101083045782 bits\/byte/)
  t.equal(exitCode, 0)
  t.match(await list({ what: "claims", words: ["nosuchword"] }), { exitCode: 3, text: /nosuchword/ })
})

test("list of something else names what there is", async (t) => {
  await t.rejects(list({ what: "clams" }), { exitCode: 2, message: /Did you mean claims\?/ })
})

test("claims of one's own and the published ones are taken together; one's own stands first", async (t) => {
  const folder = await folderOf(t)
  const source = join(packageSpecs, "claims")
  const file = JSON.parse(await readFile(join(source, "pr-1241.json"), "utf8")) as {
    claims: { id: string; title: string; settings?: unknown }[]
    facts?: unknown
  }
  const headline = file.claims.find(({ id }) => id === "pr1241-headline")!
  const own = join(folder, "own.json")
  const write = (claim: object) =>
    writeFile(own, JSON.stringify({ ...file, claims: [claim], facts: undefined }))
  await write({ ...headline, id: "mine" })
  const { json, notes } = await compare("mine", "ar-baseline-2026-03-17", { claims: own })
  t.match(json, { first: { kind: "claim" }, second: { kind: "claim" } })
  t.same(notes, [])
  t.match((await rescore("pr1106-t512", { claims: own })).text, /2\.0238 bits\/byte/)
  t.match((await list({ what: "claims", words: ["mine"], claims: own })).text, /\nmine +0\.99/)
  await write({ ...headline, title: "Another" })
  const replaced = await rescore("pr1241-headline", { claims: own })
  t.match(replaced.text, /^Another: /)
  t.match(replaced.notes, [/pr1241-headline is the claim of .*own\.json, not the one/])
  // Facts on the published figure are not facts on this one.
  t.notMatch(replaced.text, /1\.7364/)
})

test("list shows a run's seed, state and date", async (t) => {
  const folder = await folderOf(t)
  await mkdir(join(folder, "runs"))
  const { runs } = (await list({ what: "runs", runs: join(folder, "runs") })).json as { runs: unknown[] }
  t.same(runs, [])
  await cp(join(packageSpecs, "mdlm_eos.json"), join(folder, "mdlm_eos.json"))
  t.match(await inFolder(folder, () => list({ what: "runs" })), { text: /No runs yet/ })
})

test("help COMMAND is COMMAND --help", async (t) => {
  t.same(await invoke("help", "run"), await invoke("run", "--help"))
  t.match(await invoke("help", "rn"), { code: 2, stderr: /Did you mean this\?\s+run/ })
  t.match(await invoke("help"), { code: 0, stdout: /SUBCOMMANDS/ })
})

test("errors under --json are one JSON document on standard output", async (t) => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [["plan", "mdlm_eso", "--json"], /Did you mean mdlm_eos/],
    [["plan", "--json"], /spec/],
    [["lsit", "--json"], /list/],
    [["table", "latest", "--runs", "/nowhere", "--json"], /no runs/],
  ]
  for (const [args, about] of wrong) {
    const { code, stdout, stderr } = await invoke(...args)
    const document = JSON.parse(stdout) as { exitCode: number; errors: { name: string; message: string }[] }
    t.match(document, { format: "repro-error", version: 1, exitCode: code })
    t.match(document.errors.map(({ message }) => message).join(" "), about)
    t.match(stderr, about, "said for people too")
    t.ok(code > 0)
  }
})

test("every --json document has a format and a version", async (t) => {
  const commands = [
    ["list", "claims", "pr1241", "--json"],
    ["infer", "--loss", "2.03588345", "--bpb", "1.20576485", "--json"],
    ["compare", "pr1241-headline", "bpb", "--json"],
    ["rescore", "pr1241-headline", "--json"],
    ["plan", "mdlm_eos", "--json"],
    ["audit", "mdlm_eos", "--json"],
    ["validate", "mdlm_eos", "--json"],
  ] as const
  for (const args of commands)
    t.match(JSON.parse((await invoke(...args)).stdout), { format: /^repro-/, version: Number }, args[0])
})
