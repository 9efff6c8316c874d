/** Before grading: the graders pass what is right and refuse what is not, or nothing is graded. */
import { requireSound } from "../../tasks/preflight.js"
import { SandboxError, type Execution, type Sandbox } from "../../tasks/sandbox/index.js"
import type { Grader, Run, Task } from "../../tasks/task.js"
import type { TestSet } from "../../tasks/test-set.js"

/** Items of a set whose own solution is run, when not all are asked for. */
const SAMPLE = 8

export interface Ceiling {
  readonly grader: string
  /** Items whose own answer the grader passes, of those that were tried. */
  readonly passed: number
  readonly tried: number
}

export interface Preflight {
  readonly cases: number
  /** Empty without a test set. */
  readonly ceilings: readonly Ceiling[]
}

const spread = <A>(items: readonly A[], most: number): readonly A[] =>
  items.length <= most
    ? items
    : Array.from({ length: most }, (_, i) => items[Math.floor((i * items.length) / most)]!)

/** A sandbox that runs a job once, however many graders make the same program of a known text. */
const runningOnce = (sandbox: Sandbox): Sandbox => {
  const known = new Map<string, Promise<Execution>>()
  return {
    ...sandbox,
    run: (job, limits) => {
      const key = JSON.stringify([job, limits])
      const execution = known.get(key) ?? sandbox.run(job, limits)
      known.set(key, execution)
      return execution
    },
  }
}

/**
 * @throws SandboxError when a grader says of a known text what it must not, or an item's own program does not pass:
 * then its verdicts would mean nothing
 */
export const preflight = async (
  task: Task,
  graders: readonly Grader<unknown>[],
  set: TestSet | undefined,
  sandbox: Sandbox | undefined,
  { all = false }: { readonly all?: boolean } = {},
): Promise<Preflight> => {
  const run: Run = { sandbox: sandbox === undefined ? undefined : runningOnce(sandbox), patience: 2 }
  const cases = await requireSound(task, graders, run)
  const ceilings: Ceiling[] = []
  for (const grader of graders) {
    if (set === undefined) break
    const runs = grader.seconds !== undefined
    // A text is no program: GSM8K's own answers say nothing of the graders that run one.
    if (runs && task.usual.every((id) => task.graders.find((each) => each.id === id)?.seconds === undefined))
      continue
    const tried = runs && !all ? spread(set.items, SAMPLE) : set.items
    let passed = 0
    const failing: string[] = []
    const grade = async (item: unknown): Promise<void> => {
      const generation = task.canonical(item)
      if (generation === undefined) return
      if ((await grader.grade(item, generation, run)).correct) passed++
      else failing.push(task.keys(item).id)
    }
    if (runs) await Promise.all(tried.map(grade))
    else for (const item of tried) await grade(item)
    if (runs && failing.length > 0)
      throw new SandboxError(
        `The preflight failed: the item's own program does not pass "${grader.id}" for ${failing.slice(0, 3).join(", ")}${failing.length > 3 ? ` and ${failing.length - 3} more` : ""} of ${tried.length}. Nothing was graded.`,
      )
    ceilings.push({ grader: grader.id, passed, tried: tried.length })
  }
  return { cases, ceilings }
}
