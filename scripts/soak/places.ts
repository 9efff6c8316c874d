/** Disks that fill up, and writers that race for one run or one cache. */
import { execFile } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { smallSpec } from "../../test/cli/small.js"
import type { Chance } from "./chance.js"
import type { Figures, Part } from "./figures.js"
import { essence, PROGRAM, repro, runsIn } from "./program.js"

const shell = promisify(execFile)

const referenceOf = async (root: string, name: string, spec: string): Promise<string> => {
  const runs = join(root, name)
  const ended = await repro(["run", spec, "--runs", runs])
  const [run] = await runsIn(runs)
  if (run === undefined) throw new Error(`no run was made: ${ended.output}`)
  return JSON.stringify(await essence(join(runs, run)))
}

/**
 * A run whose files may not grow beyond a limit (ulimit -f, as a quota gives EFBIG), gone on with without it. Sizes are
 * those of the run's own files, in blocks of 1024 bytes.
 */
export const filling = async (root: string, chance: Chance, figures: Figures): Promise<Part> => {
  const { spec } = await smallSpec(20)
  const expected = await referenceOf(root, "whole-disk", spec)
  return {
    name: "disks",
    step: async () => {
      const runs = await mkdtemp(join(root, "disk-"))
      const blocks = 1 + chance.below(96)
      const command = `trap '' XFSZ; ulimit -f ${blocks}; exec "$@"`
      const { code, text } = await shell("bash", [
        "-c",
        command,
        "-",
        process.execPath,
        PROGRAM,
        "run",
        spec,
        "--runs",
        runs,
      ]).then(
        ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }),
        ({ code: exit, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
          code: exit,
          text: stdout + stderr,
        }),
      )
      figures.add("full disks")
      if (code !== 0 && !/disk is full|may not grow|EFBIG|too large/i.test(text))
        return figures.fail(`a full disk (${blocks} KiB) said: ${text.slice(-300)} in ${runs}`)
      if (code !== 0) figures.add("full disks told")
      const resume = (await runsIn(runs)).length > 0 ? ["--resume", "latest"] : []
      const ended = await repro(["run", spec, "--runs", runs, ...resume])
      const [run] = await runsIn(runs)
      const left = run === undefined ? ended.output : JSON.stringify(await essence(join(runs, run)))
      if (left !== expected) return figures.fail(`after a full disk (${blocks} KiB) another run in ${runs}`)
      figures.add("identical after a full disk")
      await rm(runs, { recursive: true, force: true })
    },
  }
}

/** Two to four processes on one run at once, the first of them often killed. */
export const racing = async (root: string, chance: Chance, figures: Figures): Promise<Part> => {
  const { spec } = await smallSpec(20)
  const expected = await referenceOf(root, "alone", spec)
  return {
    name: "writers",
    step: async () => {
      const runs = await mkdtemp(join(root, "race-"))
      await repro(["run", spec, "--runs", runs], {
        kill: { signal: "SIGKILL", afterMs: 1500 + chance.next() * 2000 },
      })
      const resume = (await runsIn(runs)).length > 0 ? ["--resume", "latest"] : []
      const writers = 2 + chance.below(3)
      const ended = await Promise.all(
        Array.from({ length: writers }, () => repro(["run", spec, "--runs", runs, ...resume])),
      )
      figures.add("races")
      figures.add("writers of races", writers)
      figures.add(
        "writers refused",
        ended.filter(({ output }) => output.includes("is writing this run")).length,
      )
      for (const run of await runsIn(runs)) {
        const left = JSON.stringify(await essence(join(runs, run)))
        if (left !== expected) return figures.fail(`writers raced and left another run in ${join(runs, run)}`)
      }
      if (!ended.some(({ code }) => code === 0))
        return figures.fail(`no writer of a race ended well in ${runs}: ${ended[0]!.output.slice(-300)}`)
      await rm(runs, { recursive: true, force: true })
    },
  }
}
