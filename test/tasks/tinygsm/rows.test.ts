/** Rows of the published collators: test/tasks/README.md. */
import { readFile } from "node:fs/promises"
import { test } from "tap"
import { predictionRow, trainingRow, type RowIds } from "../../../src/tasks/tinygsm/rows.js"

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
  readonly width: number
  readonly ids: RowIds
  readonly rows: Pick<First, "input_ids" | "fixed" | "target_ids">
}

const cases: readonly Expected[] = [
  ...first.map((each): Expected => ({
    name: `${each.kind}, BOS ${each.bos}`,
    training: each.kind.startsWith("X_train"),
    prompts: each.prompts ?? each.targets.map(() => []),
    targets: each.targets,
    width: each.width,
    // Unconditional rows have no BOS, whatever the tokenizer has.
    ids: {
      pad: each.pad,
      eos: each.eos,
      ...(each.bos === null || each.prompts === null ? {} : { bos: each.bos }),
    },
    rows: each,
  })),
  ...second.cases.map((each): Expected => ({
    name: each.name,
    training: each.kind === "train",
    prompts: each.examples.map(({ prompt_ids: prompt }) => prompt ?? []),
    targets: each.examples.map(({ input_ids: target }) => target),
    width: each.block_size + each.input_block_size,
    ids: {
      pad: second.ids.pad,
      eos: second.ids.eos,
      ...(each.add_bos && each.examples[0]!.prompt_ids !== undefined ? { bos: second.ids.bos } : {}),
    },
    rows: each,
  })),
]

for (const { name, training, prompts, targets, width, ids, rows } of cases) {
  test(name, (t) => {
    for (const [index, prompt] of prompts.entries()) {
      const target = targets[index]!
      const row = (training ? trainingRow : predictionRow)(prompt, target, width, ids)
      t.same([...row.tokens], rows.input_ids[index])
      t.same([...row.fixed], rows.fixed[index])
      if (!training) t.same([...predictionRow(prompt, target, width, ids).target], rows.target_ids![index])
    }
    t.end()
  })
}

test("what is cut is counted, and what cannot be is refused", (t) => {
  const ids = { pad: 0, eos: 1 }
  t.equal(trainingRow([2, 3], [4, 5, 6], 4, ids).cut, 2)
  t.equal(trainingRow([2], [4], 4, ids).cut, 0)
  t.equal(predictionRow([2, 3, 4], [], 3, ids).cut, 1)
  t.throws(() => predictionRow([2], [3, 4, 5], 3, ids), /target of 3 tokens/)
  t.throws(() => trainingRow([2], [3], 4, { pad: 1, eos: 1 }), /both 1.*<\|pad\|>/)
  t.end()
})
