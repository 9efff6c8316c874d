/**
 * Items of each generated task, pinned beside the recipe of their kind: the cache is named by the recipe, so items that
 * change without it would be read from shards of the language as it was before.
 */
import { createHash } from "node:crypto"
import t from "tap"
import {
  GENERATED_KINDS,
  generatedItem,
  generatedKind,
  type GeneratedTask,
} from "../../../src/data/corpora/generated/sources.js"

/** Recipe and SHA-256 of 64 items of each split under seed 7, as this project generated them; digests cut to 16 digits. */
const PINNED: readonly (readonly [task: GeneratedTask, recipe: number, items: string])[] = [
  [{ kind: "brackets", words: "balanced" }, 1, "7826da0c7656da7b"],
  [{ kind: "star", level: "easy" }, 1, "bce792f38987c757"],
  [{ kind: "word-problems" }, 1, "56a1669dcc1e8852"],
  [{ kind: "primer", part: "text" }, 3, "8ab505f126b91eb7"],
  [{ kind: "primer", part: "math" }, 3, "e6cf494421e4f97c"],
  [{ kind: "primer", part: "code" }, 3, "3c0b2c0965ffaf10"],
]

const itemsOf = (task: GeneratedTask): string => {
  const corpus = { kind: "generated", task, seed: 7, trainItems: 64, validationItems: 64 } as const
  const items = (["train", "validation"] as const).flatMap((split) =>
    Array.from({ length: 64 }, (_, k) => generatedItem(corpus, split, k)),
  )
  return createHash("sha256").update(JSON.stringify(items)).digest("hex").slice(0, 16)
}

t.test("items that change raise the recipe of their kind", (t) => {
  for (const [task, recipe, items] of PINNED)
    t.same(
      [generatedKind(task).recipe ?? 1, itemsOf(task)],
      [recipe, items],
      `${JSON.stringify(task)}: raise the recipe in sources.ts, then pin both`,
    )
  t.same(
    [...new Set(PINNED.map(([{ kind }]) => kind))].sort(),
    GENERATED_KINDS.map(({ kind }) => kind as string).sort(),
    "every kind is pinned",
  )
  t.end()
})
