/** The soak, short and from a fixed seed: what breaks a promise ends it with 1. */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { promisify } from "node:util"
import tap, { test } from "tap"
import { nodeArguments } from "../../scripts/node-arguments.js"
import { chanceOf } from "../../scripts/soak/chance.js"
import { PROGRAM } from "../../scripts/soak/program.js"
import { root } from "../cli/small.js"

tap.setTimeout(540_000)

const soak = (...args: readonly string[]) =>
  promisify(execFile)(process.execPath, [...nodeArguments("scripts/soak/main.ts"), ...args], {
    cwd: root,
  }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
      code,
      stdout,
      stderr,
    }),
  )

const built = { skip: existsSync(PROGRAM) ? false : "the program is not built: npm run build" }

test("kills, altered files and mutated inputs break no promise", built, async (t) => {
  const { code, stdout, stderr } = await soak(
    "--seed",
    "20261128",
    "--minutes",
    "8",
    "--rounds",
    "1",
    "--only",
    "kills,corrupts,inputs",
    "--job",
    "run",
  )
  t.equal(code, 0, stdout + stderr)
  t.match(stdout, /^seed 20261128\n/)
  t.match(stdout, /^identical +1$/m)
  t.match(stdout, /^mutated inputs +70$/m)
  t.match(stdout, /^broken promises +0$/m)
})

test("a wrong use is told", async (t) => {
  for (const args of [
    ["--only", "floods"],
    ["--minutes", "x"],
  ])
    t.match(await soak(...args), { code: 2, stderr: /soak: --only takes kills, corrupts/ })
})

const draw = (seed: number): readonly number[] => {
  const chance = chanceOf(seed)
  return Array.from({ length: 20 }, () => chance.below(1000))
}

test("one seed gives one sequence", (t) => {
  t.same(draw(7), draw(7))
  t.notSame(draw(7), draw(8))
  t.ok(draw(7).every((value) => value >= 0 && value < 1000))
  t.end()
})
