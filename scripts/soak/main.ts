/**
 * npm run soak -- [--minutes N] [--seed N] [--only kills,corrupts,disks,writers,inputs,memory] [--kills N] [--job run]
 *
 * Kills programs, alters what is stored, fills disks, races writers, mutates inputs and measures memory, for as long as it is told, from a
 * fresh seed that it prints; then the figures. Ends with 1 where anything broke a promise of docs/robustness.md, and
 * leaves what broke it. It runs the built program: `npm run build` first.
 */
import { existsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { chanceOf } from "./chance.js"
import { Figures, type Part } from "./figures.js"
import { mutating } from "./inputs.js"
import { killing } from "./kills.js"
import { remembering } from "./memory.js"
import { filling, racing } from "./places.js"
import { PROGRAM } from "./program.js"
import { corrupting } from "./stored.js"

const NAMES = ["kills", "corrupts", "disks", "writers", "inputs", "memory"] as const

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string" },
    only: { type: "string" },
    kills: { type: "string" },
    job: { type: "string" },
    rounds: { type: "string" },
  },
})
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const minutes = Number(values.minutes)
const most = Number(values.kills ?? Number.POSITIVE_INFINITY)
const rounds = Number(values.rounds ?? Number.POSITIVE_INFINITY)
const chosen = values.only?.split(",") ?? [...NAMES]
const wrong = chosen.find((name) => !(NAMES as readonly string[]).includes(name))
if (
  wrong !== undefined ||
  !(minutes > 0) ||
  !Number.isInteger(seed) ||
  Number.isNaN(most) ||
  Number.isNaN(rounds)
) {
  process.stderr.write(
    `soak: --only takes ${NAMES.join(", ")}; --minutes, --seed, --kills and --rounds are numbers.\n`,
  )
  process.exit(2)
}
if (!existsSync(PROGRAM)) {
  process.stderr.write("soak: the program is not built; run `npm run build` first.\n")
  process.exit(2)
}

process.stdout.write(`seed ${seed}\n`)
const root = await mkdtemp(join(tmpdir(), "repro-soak-"))
process.env["REPRO_CACHE"] ??= join(root, "cache")
const figures = new Figures()
const began = Date.now()
const makers: Readonly<Record<(typeof NAMES)[number], () => Promise<Part>>> = {
  kills: () => killing(root, chanceOf(seed), figures, values.job),
  corrupts: () => corrupting(root, chanceOf(seed + 1), figures),
  disks: () => filling(root, chanceOf(seed + 2), figures),
  writers: () => racing(root, chanceOf(seed + 3), figures),
  inputs: () => mutating(root, chanceOf(seed + 4), figures),
  memory: () => remembering(root, figures),
}
const parts: Part[] = []
for (const name of NAMES) if (chosen.includes(name)) parts.push(await makers[name]())
/** How a run of hours gets on. */
const told = setInterval(
  () =>
    process.stderr.write(
      `${Math.round((Date.now() - began) / 60_000)} minutes: ${figures.line()}; broken promises ${figures.failures.length}\n`,
    ),
  60_000,
)
const enough = (): boolean =>
  Date.now() - began > minutes * 60_000 || (figures.counts.get("kills") ?? 0) >= most
// Inputs are cheap: many of them for one of the others.
for (let round = 0; round < rounds && !enough(); round++)
  for (const part of parts)
    for (let i = part.name === "inputs" ? 70 : part.name === "corrupts" ? 5 : 1; i > 0; i--) await part.step()

clearInterval(told)
figures.add("minutes", Math.round((Date.now() - began) / 6000) / 10)
process.stdout.write(`${figures.text()}\nbroken promises  ${figures.failures.length}\nseed ${seed}\n`)
if (figures.failures.length === 0) await rm(root, { recursive: true, force: true })
else
  process.stdout.write(`${figures.failures.map((failure) => `  ${failure}`).join("\n")}\nkept in ${root}\n`)
process.exit(figures.failures.length === 0 ? 0 : 1)
