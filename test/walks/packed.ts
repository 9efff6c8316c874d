/** The program as npm hands it on: built where that is not done yet, and packed, away from this checkout. */
import { execFile } from "node:child_process"
import { cp, mkdir, mkdtemp, readFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { buildProgram } from "../../scripts/build.js"
import { isBuilt } from "../../scripts/built.js"

const exec = promisify(execFile)
const root = fileURLToPath(new URL("../..", import.meta.url))

/** Path of the tarball, and the folder that it lies in, which the caller removes. */
export const pack = async (): Promise<{ readonly folder: string; readonly tarball: string }> => {
  const folder = await mkdtemp(join(tmpdir(), "repro-walk-"))
  const stage = join(folder, "package")
  await mkdir(stage)
  const { files } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
    readonly files: readonly string[]
  }
  for (const name of ["package.json", ...files.filter((each) => each !== "dist" && !each.startsWith("!"))])
    await cp(join(root, name), join(stage, name), { recursive: true })
  if (await isBuilt(root)) await cp(join(root, "dist"), join(stage, "dist"), { recursive: true })
  else await buildProgram(join(stage, "dist"))
  // The scripts of the package build it, which is done.
  const { stdout } = await exec(
    "npm",
    ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder],
    {
      cwd: stage,
    },
  )
  return { folder, tarball: join(folder, stdout.trim()) }
}
