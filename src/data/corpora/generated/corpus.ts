/** Generated data, as spec and plan know them. */
import { BALANCED_LENGTHS, bracketNats, PUBLISHED_LENGTHS } from "../../../tasks/brackets/words.js"
import { inGroups, type CorpusPart, type DataSubject } from "../part.js"
import { Generated } from "./schema.js"
import { generatedIds } from "./sources.js"

const withoutPrompts = (task: Generated["task"]): boolean =>
  task.kind === "brackets" || (task.kind === "primer" && task.part === "text")

const ids = (["vocabSize", "boundaryId", "separatorId"] as const).map(
  (key) =>
    ({ corpus, tokenizer }: DataSubject<Generated>) => {
      if (tokenizer.model !== "corpus") return false
      const wanted = generatedIds(corpus.task)[key]
      if (tokenizer[key] === wanted || (key === "separatorId" && withoutPrompts(corpus.task))) return false
      return {
        pointer: `/data/tokenizer/${key}`,
        expected: `${wanted}, as the tokenizer of "${corpus.task.kind}" has it`,
        found: String(tokenizer[key] ?? "nothing"),
      }
    },
)

export const generated: CorpusPart<Generated> = {
  kind: "generated",
  schema: Generated,
  rules: [
    ...ids,
    ({ tokenizer }) =>
      tokenizer.model !== "corpus" && {
        pointer: "/data/tokenizer/model",
        expected: '"corpus" for generated data',
        found: JSON.stringify(tokenizer.model),
        hint: "Their pieces are the texts that they are made of.",
      },
  ],
  identity: (corpus) => corpus,
  dataset: ({ task }) =>
    task.kind === "star"
      ? `star-${task.level}`
      : task.kind === "brackets"
        ? `brackets-${task.words}`
        : task.kind === "primer"
          ? `primer-${task.part}`
          : task.kind,
  sourceNats: ({ task }, target) => {
    switch (task.kind) {
      case "brackets":
        return bracketNats(task.words === "balanced" ? BALANCED_LENGTHS : PUBLISHED_LENGTHS, target, task.words)
      // One path leads from the source to the goal.
      case "star":
        return 0
      case "word-problems":
        return undefined
    }
  },
  visits: (_corpus, batching) => inGroups(1, batching),
  files: () => [],
  tokenizer: ({ task }) => `${task.kind} pieces, generated`,
  from: ({ task, seed }) => `the generator of ${task.kind}, seed ${seed}`,
  unstated: () => [],
  digestsIdentify: true,
  withContent: (corpus) => corpus,
  strayDigests: () => [],
}
