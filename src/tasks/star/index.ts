/** The task STAR: the path through a star graph, edge by edge. */
import { generatedItems, type Grader, type Task } from "../task.js"

export interface StarItem {
  readonly id: string
  /** Edges, then source and goal, as numbers between spaces. */
  readonly prompt: string
  /** Edges of the path. */
  readonly target: string
}

const nodesOf = (text: string): readonly string[] =>
  text
    .trim()
    .split(/\s+/)
    .filter((each) => each !== "")

const exact: Grader<StarItem> = {
  id: "exact-match",
  title: "exact match",
  rule: "the nodes of the text, in order, are those of the path's edges and no more",
  grade: ({ target }, { text }) => {
    const [found, wanted] = [nodesOf(text), nodesOf(target)]
    const correct = found.length === wanted.length && found.every((node, i) => node === wanted[i])
    return {
      correct,
      extracted: found.length === 0 ? null : found.join(" "),
      ...(found.length === 0 ? { failure: "unextracted" as const } : {}),
    }
  },
}

const EXAMPLE: StarItem = { id: "preflight", prompt: "1 2 1 3 1 2 ", target: "1 2 " }

export const STAR: Task<StarItem> = {
  id: "star",
  title: "Star graphs",
  ...generatedItems("star graphs are generated, and a file of generations says its own"),
  itemOf: ({ prompt, target }, id) =>
    typeof prompt === "string" && typeof target === "string" ? { id, prompt, target } : undefined,
  prompt: ({ prompt }) => ({ prefix: prompt }),
  pair: ({ prompt, target }) => ({ prompt, target }),
  graders: [exact],
  usual: ["exact-match"],
  canonical: ({ target }) => ({ text: target }),
  preflight: [
    { name: "the path", grader: "exact-match", item: EXAMPLE, generation: { text: "1 2" }, correct: true },
    {
      name: "another path",
      grader: "exact-match",
      item: EXAMPLE,
      generation: { text: "1 3 " },
      correct: false,
    },
    {
      name: "the path and more",
      grader: "exact-match",
      item: EXAMPLE,
      generation: { text: "1 2 2 3" },
      correct: false,
    },
    {
      name: "its beginning",
      grader: "exact-match",
      item: EXAMPLE,
      generation: { text: "1" },
      correct: false,
    },
    { name: "nothing", grader: "exact-match", item: EXAMPLE, generation: { text: "" }, correct: false },
  ],
}
