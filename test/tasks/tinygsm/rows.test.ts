/** Rows of the published collators: test/tasks/README.md. */
import { readFile } from "node:fs/promises"
import { test } from "tap"
import { predictionRow, targetRow, trainingRow, type RowShape } from "../../../src/data/rows/collate.js"

interface First {
  readonly kind: string
  readonly bos: number | null
  readonly eos: number
  readonly pad: number
  readonly width: number
  readonly prompts: readonly (readonly number[])[] | null
  readonly targets: readonly (readonly number[])[]
  readonly input_ids: readonly (readonly number[])[]
  readonly fixed: readonly (readonly number[])[]
  readonly target_ids?: readonly (readonly number[])[]
}
interface Second {
  readonly ids: { readonly pad: number; readonly eos: number; readonly bos: number }
  readonly cases: readonly {
    readonly name: string
    readonly kind: "train" | "pred"
    readonly examples: readonly {
      readonly input_ids: readonly number[]
      readonly prompt_ids?: readonly number[]
    }[]
    readonly add_bos: boolean
    readonly block_size: number
    readonly input_block_size: number
    readonly input_ids: readonly (readonly number[])[]
    readonly fixed: readonly (readonly number[])[]
    readonly target_ids?: readonly (readonly number[])[]
  }[]
}

const { first, second } = JSON.parse(
  await readFile(new URL("collators.golden.json", import.meta.url), "utf8"),
) as { readonly first: readonly First[]; readonly second: Second }

interface Expected {
  readonly name: string
  readonly training: boolean
  readonly prompts: readonly (readonly number[])[]
  readonly targets: readonly (readonly number[])[]
  readonly shape: RowShape
  readonly rows: Pick<First, "input_ids" | "fixed" | "target_ids">
}

const cases: readonly Expected[] = [
  ...first.map((each): Expected => ({
    name: `${each.kind}, BOS ${each.bos}`,
    training: each.kind.startsWith("X_train"),
    prompts: each.prompts ?? each.targets.map(() => []),
    targets: each.targets,
    // Unconditional rows have no BOS, whatever the tokenizer has.
    shape: {
      width: each.width,
      padId: each.pad,
      endId: each.eos,
      ...(each.bos === null || each.prompts === null ? {} : { separatorId: each.bos }),
    },
    rows: each,
  })),
  ...second.cases.map((each): Expected => ({
    name: each.name,
    training: each.kind === "train",
    prompts: each.examples.map(({ prompt_ids: prompt }) => prompt ?? []),
    targets: each.examples.map(({ input_ids: target }) => target),
    shape: {
      width: each.block_size + each.input_block_size,
      padId: second.ids.pad,
      endId: second.ids.eos,
      ...(each.add_bos && each.examples[0]!.prompt_ids !== undefined ? { separatorId: second.ids.bos } : {}),
    },
    rows: each,
  })),
]

for (const { name, training, prompts, targets, shape, rows } of cases) {
  test(name, (t) => {
    for (const [index, prompt] of prompts.entries()) {
      const target = targets[index]!
      const row = training ? trainingRow({ prompt, target }, shape) : predictionRow({ prompt }, shape)
      t.same([...row.tokens], rows.input_ids[index])
      t.same([...row.fixed], rows.fixed[index])
      if (!training) t.same([...targetRow(target, shape)], rows.target_ids![index])
    }
    t.end()
  })
}

test("what is cut is counted, and what cannot be is refused", (t) => {
  const shape = { width: 4, padId: 0, endId: 1 }
  t.equal(trainingRow({ prompt: [2, 3], target: [4, 5, 6] }, shape).cut, 2)
  t.equal(trainingRow({ prompt: [2], target: [4] }, shape).cut, 0)
  t.equal(predictionRow({ prompt: [2, 3, 4] }, { ...shape, width: 3 }).cut, 1)
  t.throws(() => targetRow([3, 4, 5], { ...shape, width: 3 }), /target of 3 tokens/)
  t.throws(
    () => trainingRow({ prompt: [2], target: [3] }, { ...shape, padId: 1 }),
    /have one id, 1.*<\|pad\|>/,
  )
  t.throws(() => trainingRow({ target: [] }, { ...shape, width: 0 }), /width of 0/)
  t.end()
})
