/** Stored files that were altered: one bit turned, or two exchanged. Every reader tells, or shows what it showed. */
import { cp, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { invoke } from "../../test/cli/harness.js"
import { smallSpec } from "../../test/cli/small.js"
import type { Chance } from "./chance.js"
import type { Figures, Part } from "./figures.js"
import { digests, repro, runsIn } from "./program.js"

const isCrash = (text: string): boolean => /\n\s+at \S+ ?\(|TypeError|RangeError|ReferenceError/.test(text)

const exchange = async (a: string, b: string): Promise<void> => {
  await rename(a, `${a}.aside`)
  await rename(b, a)
  await rename(`${a}.aside`, b)
}

export const corrupting = async (root: string, chance: Chance, figures: Figures): Promise<Part> => {
  const { spec } = await smallSpec(20)
  const runs = join(root, "whole")
  const ended = await repro(["run", spec, "--runs", runs])
  const [run] = await runsIn(runs)
  if (run === undefined) throw new Error(`no run was made: ${ended.output}`)
  const expected = (await invoke("table", join(runs, run))).stdout
  const files = Object.keys(await digests(join(runs, run))).filter((path) => !path.startsWith("lock"))
  const stored = files.filter((path) => /^(evidence|checkpoints)\/.*safetensors$/.test(path))
  const turnBit = async (path: string): Promise<void> => {
    const bytes = await readFile(path)
    if (bytes.length === 0) return
    bytes[chance.below(bytes.length)]! ^= 1 << chance.below(8)
    await writeFile(path, bytes)
  }
  return {
    name: "corrupts",
    step: async () => {
      const folder = await mkdtemp(join(root, "altered-"))
      const copy = join(folder, run)
      await cp(join(runs, run), copy, { recursive: true })
      const swap = chance.next() < 0.3
      const one = chance.pick(swap ? stored : files)
      const other = chance.pick(stored.filter((path) => path !== one))
      if (swap) await exchange(join(copy, one), join(copy, other))
      else await turnBit(join(copy, one))
      figures.add(swap ? "stored files exchanged" : "bits turned")
      const what = swap ? `${one} and ${other} exchanged` : `a bit of ${one} turned`
      const proved = await invoke("verify", copy)
      const shown = await invoke("table", copy)
      const told = proved.code !== 0
      if (told) figures.add("told by verify")
      if (isCrash(proved.stderr) || isCrash(shown.stderr)) figures.fail(`a crash: ${what} in ${copy}`)
      // Times and words that nothing is derived from may change a manifest, an event or the results unseen.
      else if (!told && /^(evidence|checkpoints)\//.test(one))
        figures.fail(`not told by verify: ${what} in ${copy}`)
      else if (shown.code === 0 && shown.stdout !== expected && one.startsWith("evidence/"))
        figures.fail(`another table without a word: ${what} in ${copy}`)
      else await rm(folder, { recursive: true, force: true })
    },
  }
}
