/** The places where a run's experiment is not the published one, in words. */

/** As in a run's manifest: an absent value is undefined. */
export interface ExperimentDifference {
  readonly pointer: string
  readonly paper?: unknown
  readonly profile?: unknown
}

/** Differences of one part of the experiment. */
export interface DifferenceGroup {
  /** data, network, objective, training, evaluation or other */
  readonly subject: string
  readonly differences: readonly ExperimentDifference[]
}

const SUBJECTS: readonly (readonly [prefix: string, subject: string])[] = [
  ["/data", "data"],
  ["/model", "network"],
  ["/objective", "objective"],
  ["/training", "training"],
  ["/evaluations", "evaluation"],
  ["", "other"],
]

/** What a reader asks first. */
const FIRST: readonly RegExp[] = [
  /^\/training\/weights$/,
  /^\/data\/corpus\/(kind|dataset)$/,
  /^\/data\/batching\/length$/,
  /^\/model\/(kind|layers|width|heads)$/,
  /^\/objective\/weight$/,
  /^\/training\/stepsPerGroup$/,
  /^\/training\/optimizer\/kind$/,
  /^\/training\/(microBatch|accumulation)$/,
  /^\/evaluations\/\d+\/(kind|steps)$/,
  /^\/evaluations\/\d+\/windows\/(count|length)$/,
]

const rank = ({ pointer }: ExperimentDifference): number => {
  const at = FIRST.findIndex((pattern) => pattern.test(pointer))
  return at < 0 ? FIRST.length + pointer.split("/").length : at
}

interface Evaluation {
  readonly id?: string
  readonly steps?: unknown
  readonly windows?: { readonly length?: unknown; readonly count?: unknown }
}

/** Lists of evaluations that differ in length are one difference; by id, a reader sees what changed. */
const expandEvaluations = (difference: ExperimentDifference): readonly ExperimentDifference[] => {
  const { pointer, paper, profile } = difference
  if (pointer !== "/evaluations" || !Array.isArray(paper) || !Array.isArray(profile)) return [difference]
  const [before, after] = [paper as readonly Evaluation[], profile as readonly Evaluation[]]
  const found = new Map<string, ExperimentDifference>()
  const add = (at: string, was: unknown, is: unknown): void => {
    const each = { pointer: `/evaluations/0/${at}`, paper: was, profile: is }
    if (was !== is) found.set(JSON.stringify(each), each)
  }
  for (const one of before) {
    const other = after.find(({ id }) => id === one.id)
    if (other === undefined) continue
    add("steps", one.steps, other.steps)
    add("windows/length", one.windows?.length, other.windows?.length)
    add("windows/count", one.windows?.count, other.windows?.count)
  }
  add("estimators", before.length, after.length)
  return found.size === 0 ? [difference] : [...found.values()]
}

/** By part of the experiment, what a reader asks first in front; equal ranks keep their order. */
export const groupDifferences = (
  differences: readonly ExperimentDifference[],
): readonly DifferenceGroup[] => {
  const subjectOf = ({ pointer }: ExperimentDifference): string =>
    SUBJECTS.find(([prefix]) => prefix === "" || pointer === prefix || pointer.startsWith(`${prefix}/`))![1]
  return SUBJECTS.flatMap(([, subject]) => {
    const members = differences
      .filter((difference) => subjectOf(difference) === subject)
      .flatMap(expandEvaluations)
    return members.length === 0
      ? []
      : [
          {
            subject,
            differences: members
              .map((d) => [rank(d), d] as const)
              .sort(([a], [b]) => a - b)
              .map(([, d]) => d),
          },
        ]
  })
}

const show = (value: unknown): string => {
  if (value === undefined || value === null) return "none"
  if (typeof value === "string") return value
  const text = JSON.stringify(value)
  return text.length <= 24 ? text : `${text.slice(0, 23)}…`
}

/** `layers 11 → 4`: the last names of the pointer, then both values. */
export const describeDifference = ({ pointer, paper, profile }: ExperimentDifference): string => {
  const parts = pointer.split("/").slice(2)
  const names = parts.filter((part) => !/^\d+$/.test(part)).slice(-2)
  const name =
    names.at(-1) === "kind" || names.at(-1) === "count" ? names.join(" ") : (names.at(-1) ?? pointer)
  return `${name} ${show(paper)} → ${show(profile)}`
}

/** `network (layers 11 → 4, width 512 → 256, 2 more)`, one text a part. */
export const describeGroups = (differences: readonly ExperimentDifference[], most = 3): readonly string[] =>
  groupDifferences(differences).map(({ subject, differences: members }) => {
    const named = members.slice(0, most).map(describeDifference)
    const rest = members.length - named.length
    return `${subject} (${[...named, ...(rest > 0 ? [`${rest} more`] : [])].join(", ")})`
  })

/** At most this many files are named. */
const NAMED = 3

/**
 * Whether the values may stand beside the published ones, as one sentence.
 *
 * @param unstated files whose content the spec does not fix: that they are those of the publication is not known
 * @param varied id of the published experiment, where the run is of a variation of it
 */
export const comparabilitySentence = (
  profile: string,
  differences: readonly ExperimentDifference[],
  unstated: readonly string[] = [],
  varied?: string,
): string => {
  const published = varied === undefined ? "the published experiment" : `the published experiment ${varied}`
  if (differences.length > 0)
    return `Not a reproduction of the published numbers: profile ${profile} differs from ${published} in ${describeGroups(differences).join("; ")}.`
  if (unstated.length === 0)
    return "The experiment is the published one: every setting that determines its numbers is equal."
  const files = [
    ...unstated.slice(0, NAMED),
    ...(unstated.length > NAMED ? [`${unstated.length - NAMED} more`] : []),
  ]
  return `The settings are the published ones; whether the data are, is not known: the spec fixes no content of ${files.join(", ")}.`
}
