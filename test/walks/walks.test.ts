/** The walks of three people, each a script that is run with the packed program. */
import { execFile } from "node:child_process"
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import t from "tap"
import { pack } from "./packed.js"

const root = fileURLToPath(new URL("../..", import.meta.url))
const LONG = { timeout: 1_800_000 }
const skip =
  process.env["REPRO_TEST_NETWORK"] === undefined
    ? { skip: "set REPRO_TEST_NETWORK=1: the package's dependencies come from the npm registry" }
    : LONG

interface Walked {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a script in a folder as a person would, with no terminal, colour or workplace of the tests' own. */
const walk = (script: string, folder: string, env: Readonly<Record<string, string>> = {}): Promise<Walked> =>
  new Promise((resolve) => {
    const own = Object.entries(process.env).filter(
      ([name]) => !/^(npm_|TAP|NODE_OPTIONS$|REPRO_(?!CACHE))/.test(name),
    )
    execFile(
      "bash",
      [join(root, "test/walks", script)],
      { cwd: folder, env: { ...Object.fromEntries(own), ...env }, maxBuffer: 1 << 26 },
      (error, stdout, stderr) =>
        resolve({
          code: error === null ? 0 : Number((error as { code?: number }).code ?? 1),
          stdout,
          stderr,
        }),
    )
  })

/** Every run has a table; its header names the profile. */
const HEADLINE = /bits\/byte +95 % interval/

t.test("walks", skip, async (walks) => {
  const { folder, tarball } = await pack()
  walks.teardown(() => rm(folder, { recursive: true, force: true }))
  const installed = join(folder, "installed")
  await mkdir(installed)

  /** Another folder of the same person, where the package is installed already. */
  const beside = async (name: string): Promise<string> => {
    const path = join(folder, name)
    await mkdir(path)
    await cp(join(installed, "package.json"), join(path, "package.json"))
    await symlink(join(installed, "node_modules"), join(path, "node_modules"))
    return path
  }

  await walks.test("the packed program in an empty folder", LONG, async (test) => {
    const { code, stdout, stderr } = await walk("installed.sh", installed, { PACKAGE: tarball })
    test.equal(code, 0, `${stdout}\n${stderr}`)
    test.notMatch(stderr, /warn/i, "npx repro runs without a warning")
    const installing = (await readFile(join(installed, "install.log"), "utf8")).split("\n")
    test.same(
      installing.filter((line) => /warn/i.test(line) && !/Unknown (user|env) config/.test(line)),
      [],
      "nor does npm warn of the package, apart from what it says of the machine's own settings",
    )
    const lock = JSON.parse(await readFile(join(installed, "node_modules/.package-lock.json"), "utf8")) as {
      readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean }>>
    }
    test.same(
      Object.entries(lock.packages).flatMap(([name, { hasInstallScript }]) =>
        hasInstallScript ? [name] : [],
      ),
      [],
      "no package has an install script, of which npm 11 warns and which npm 12 does not run",
    )
    test.match(stdout, /specs\/mdlm_eos\.json +paper, laptop, ci/, "the specs come with it")
    test.match(stdout, HEADLINE)
    const headline = stdout.slice(stdout.lastIndexOf("MDLM with EOS")).trimEnd().split("\n")
    test.ok(headline.length <= 25, `the headline block has ${headline.length} lines`)
    test.match(headline.join("\n"), /0\.990101 as published, ≤ 1\.7478 with exact bytes/)
    const files = await readdir(join(installed, "node_modules/repro"))
    test.notOk(files.includes("src"), "built, not the sources")
    test.ok(files.includes("generated"), "the editor's schema is there")
  })

  await walks.test("a folder of one's own text to a table in five commands", LONG, async (test) => {
    const own = await beside("own")
    await mkdir(join(own, "corpus"))
    // Texts that are there anyway: the pages of this documentation.
    for (const name of await readdir(join(root, "docs/metrics")))
      if (name.endsWith(".md"))
        await cp(join(root, "docs/metrics", name), join(own, "corpus", name.replace(/md$/, "txt")))
    const readme = await readFile(join(root, "README.md"), "utf8")
    const spec = /`mine\.json`:\s+```json\n([\s\S]*?)```/.exec(readme)?.[1]
    test.ok(spec !== undefined, "README shows the spec")
    await writeFile(join(own, "mine.json"), spec!)
    const script = await readFile(join(root, "test/walks/own-text.sh"), "utf8")
    test.equal(script.match(/^npx /gm)?.length, 5, "five commands")
    const { code, stdout, stderr } = await walk("own-text.sh", own)
    test.equal(code, 0, `${stdout}\n${stderr}`)
    test.match(stdout, /\| NELBO T=\d+: BPB/, "a table with bits per byte of one's own text")
    test.match(stdout, /unigram[^\n]*BPB/, "with its floors")
    test.match(stdout, /Not a reproduction of the published numbers/, "whose text is another")
  })

  await walks.test("an experiment varied in a line, in two commands", LONG, async (test) => {
    const varied = await beside("varied")
    const script = await readFile(join(root, "test/walks/varied.sh"), "utf8")
    test.equal(script.match(/^npx /gm)?.length, 2, "two commands")
    const { code, stdout, stderr } = await walk("varied.sh", varied)
    test.equal(code, 0, `${stdout}\n${stderr}`)
    test.match(stdout, HEADLINE)
    test.match(stderr, /validation \d\.\d+ nats\/token/, "training is seen to work")
    const report = join(varied, "report")
    test.match(await readFile(join(report, "table.md"), "utf8"), /width 512 → 32/, "what was varied is said")
    for (const name of ["loss.svg", "validation.svg", "table.html", "table.tex"])
      test.ok((await readdir(report)).includes(name), name)
  })
})
