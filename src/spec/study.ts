/** What a study runs: experiments at points, each once with each seed. Sweeps and matched comparisons are studies. */
import type { LoadedSpec } from "./spec-file.js"

export interface StudyMember {
  /** For example `heads=4,seed=0`; each of a study's own. */
  readonly name: string
  /** Members that differ in their seed alone are one point. */
  readonly point: string
  /** Members of equal seed pair. */
  readonly seed: number
  readonly spec: LoadedSpec
}

/** Each experiment as one point, with the given seeds or with its own. */
export const seededMembers = (
  specs: readonly LoadedSpec[],
  seeds: readonly number[] | undefined,
): readonly StudyMember[] =>
  specs.flatMap((spec) =>
    (seeds ?? [spec.experiment.training.seed]).map((seed) => ({
      name: `${spec.experiment.id}, seed ${seed}`,
      point: spec.experiment.id,
      seed,
      spec: seeds === undefined ? spec : spec.with({ training: { seed } }),
    })),
  )

/** Groups of what has one point, in the order in which each point comes first. */
export const byPoint = <A>(
  items: readonly A[],
  pointOf: (item: A) => string,
): readonly (readonly [point: string, of: readonly [A, ...A[]]])[] => {
  const points = new Map<string, [A, ...A[]]>()
  for (const item of items) {
    const found = points.get(pointOf(item))
    if (found === undefined) points.set(pointOf(item), [item])
    else found.push(item)
  }
  return [...points]
}
