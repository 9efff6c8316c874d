/**
 * Star graphs: find the path from a source to a goal through a shuffled list of edges.
 *
 * Shapes and sizes are those of the public data sets star-small, star-medium and star-hard (dhruvdcoder/xlm-core
 * 604e1a3, src/xlm/commands/generate_star_graphs.py and src/xlm/tasks/star.py): easy has arms of equal length that
 * start at the source; in the other two each path runs through the centre at a place of its own.
 */
import type { Draws } from "../generated.js"

export type StarShape =
  | { readonly kind: "symmetric"; readonly degree: number; readonly nodes: number }
  | {
      readonly kind: "asymmetric"
      readonly degree: number
      /** Nodes of a path, its ends included. */
      readonly shortest: number
      readonly longest: number
      /** Edges that remain after the centre, at least. */
      readonly plan: number
    }

/** The three published difficulties. `vocabulary` counts node ids. */
export const STAR_LEVELS = {
  easy: { vocabulary: 20, shape: { kind: "symmetric", degree: 3, nodes: 5 } },
  medium: { vocabulary: 20, shape: { kind: "asymmetric", degree: 3, shortest: 3, longest: 6, plan: 2 } },
  hard: { vocabulary: 56, shape: { kind: "asymmetric", degree: 5, shortest: 6, longest: 12, plan: 5 } },
} as const satisfies Readonly<Record<string, { vocabulary: number; shape: StarShape }>>
export type StarLevel = keyof typeof STAR_LEVELS

export type Edge = readonly [number, number]

export interface StarGraph {
  /** In shuffled order. */
  readonly edges: readonly Edge[]
  readonly source: number
  readonly goal: number
  /** Nodes from source to goal. */
  readonly path: readonly number[]
}

const edgesOf = (path: readonly number[]): readonly Edge[] =>
  path.slice(1).map((node, i): Edge => [path[i]!, node])

/** Paths of a graph; the first is the one that is asked for. */
const paths = (vocabulary: number, shape: StarShape, draws: Draws): readonly (readonly number[])[] => {
  const { degree } = shape
  if (shape.kind === "symmetric") {
    const arm = shape.nodes - 1
    const [source, ...others] = draws.distinct(vocabulary, degree * arm + 1)
    return Array.from({ length: degree }, (_, d) => [source!, ...others.slice(d * arm, (d + 1) * arm)])
  }
  const { shortest, longest, plan } = shape
  const lengths = Array.from({ length: degree }, () => shortest + draws.below(longest - shortest + 1))
  const joins = lengths.map((length) => draws.below(length - plan))
  const total = lengths.reduce((a, b) => a + b, 0) - degree
  const [centre, ...others] = draws.distinct(vocabulary, total + 1)
  let used = 0
  return lengths.map((length, d) =>
    Array.from({ length }, (_, i) => (i === joins[d] ? centre! : others[used++]!)),
  )
}

/** One graph with node ids below the level's vocabulary. */
export const starGraph = (level: StarLevel, draws: Draws): StarGraph => {
  const { vocabulary, shape } = STAR_LEVELS[level]
  const all = paths(vocabulary, shape, draws)
  const path = all[0]!
  return {
    edges: draws.shuffled(all.flatMap(edgesOf)),
    source: path[0]!,
    goal: path[path.length - 1]!,
    path,
  }
}

/** What the network is given: the edges one after another, then source and goal. */
export const starPrompt = ({ edges, source, goal }: StarGraph): readonly number[] => [
  ...edges.flat(),
  source,
  goal,
]

/** What it is asked for: the edges of the path, so that every inner node stands twice. */
export const starTarget = ({ path }: StarGraph): readonly number[] => edgesOf(path).flat()
