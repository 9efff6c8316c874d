/** Before grading: the graders pass what is right and refuse what is not, or nothing is graded. */
import { SandboxError } from "./sandbox/sandbox.js"
import type { Grader, Run, Task } from "./task.js"

/**
 * @returns how many texts were tried
 * @throws SandboxError when a grader says of a known text what it must not: then its verdicts would mean nothing
 */
export const requireSound = async (
  task: Task,
  graders: readonly Grader<unknown>[],
  run: Run,
): Promise<number> => {
  const cases = task.preflight.filter(({ grader }) => graders.some(({ id }) => id === grader))
  await Promise.all(
    cases.map(async ({ name, grader: id, item, generation, correct }) => {
      const graded = await graders.find((grader) => grader.id === id)!.grade(item, generation, run)
      if (graded.correct !== correct)
        throw new SandboxError(
          `The preflight failed at "${name}": it should ${correct ? "pass" : "fail"} and does not (${graded.failure ?? graded.extracted ?? "no answer"}${graded.value === undefined ? "" : `: ${graded.value}`}). Nothing was graded.`,
        )
    }),
  )
  return cases.length
}
