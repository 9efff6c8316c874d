/** Generated data, as spec and plan know them. */
import { inGroups, type CorpusPart, type DataSubject } from "../part.js"
import { Generated } from "./schema.js"
import { generatedIds, generatedKind } from "./sources.js"

const ids = (["vocabSize", "boundaryId", "separatorId"] as const).map(
  (key) =>
    ({ corpus, tokenizer }: DataSubject<Generated>) => {
      if (tokenizer.model !== "corpus") return false
      const wanted = generatedIds(corpus.task)[key]
      if (tokenizer[key] === wanted || (key === "separatorId" && !generatedKind(corpus.task).prompts(corpus.task))) return false
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
  dataset: ({ task }) => generatedKind(task).dataset(task),
  sourceNats: ({ task }, target) => generatedKind(task).nats?.(task, target),
  visits: (_corpus, batching) => inGroups(1, batching),
  files: () => [],
  tokenizer: ({ task }) => `${task.kind} pieces, generated`,
  from: ({ task, seed }) => `the generator of ${task.kind}, seed ${seed}`,
  unstated: () => [],
  digestsIdentify: true,
  withContent: (corpus) => corpus,
  strayDigests: () => [],
}
