/** `repro verify`: whether every file of a run is as the run wrote it; with it is said which judge is another by now. */
import { readRun } from "../run/directory.js"
import { verifyRun } from "../run/verify.js"
import { resolveRun } from "../run/list.js"
import { changedJudges } from "./changed-judge.js"
import { shortPath } from "./locate.js"
import type { Outcome } from "./outcome.js"

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`

export const verify = async (root: string, name: string): Promise<Outcome> => {
  const directory = await resolveRun(root, name)
  const found = await verifyRun(directory)
  const { problems, verified, unverifiable } = found
  const where = shortPath(directory)
  const lines =
    problems.length > 0
      ? [
          ...problems,
          `${where}: ${counted(problems.length, "problem")}; ${counted(verified.length, "file")} as written.`,
        ]
      : unverifiable
        ? [
            `${where}: nothing wrong was found, but the run is of an earlier version, which recorded no digests: whether its files are as they were written cannot be verified.`,
          ]
        : [`${where}: ${counted(verified.length, "file")} and the manifest are as they were written.`]
  const judges = problems.length > 0 ? [] : await changedJudges(await readRun(directory))
  return {
    text: [...lines, ...judges].join("\n"),
    json: { directory, ...found, judges },
    exitCode: problems.length > 0 ? 1 : unverifiable ? 3 : 0,
  }
}
