/** What a grader of programs must pass and refuse, for any item whose gold is a number. */
import { FUNCTION } from "./programs.js"
import type { PreflightCase } from "./task.js"

const returning = (value: string): string => `def ${FUNCTION}():\n    return ${value}\n`

export const programCases = <I>(item: I, gold: number): readonly PreflightCase<I>[] =>
  ["execution", "execution-published"].flatMap((grader) =>
    (
      [
        ["the right value", returning(String(gold)), true],
        ["another value", returning(String(gold + 1)), false],
        ["a broken program", `def ${FUNCTION}(:\n    return ${gold}\n`, false],
        ["an empty program", "", false],
        [
          "an object that equals everything",
          `class Any:\n    def __eq__(self, other):\n        return True\n${returning("Any()")}`,
          false,
        ],
        ["a program that ends at once", `${returning(String(gold))}raise SystemExit(0)\n`, false],
        ["text that is no program", "The answer is what it is.", false],
      ] as const
    ).map(([name, text, correct]) => ({
      name: `${grader}: ${name}`,
      grader,
      item,
      generation: { text },
      correct,
    })),
  )
