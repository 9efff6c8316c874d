/** LLaDA's tuning rows against the published collator (goldens/README.md), and the rows that its objective masks. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import t from "tap"
import { middleLastRow } from "../../../src/diffusion/insertion/infill-row.js"
import { maskedRows } from "../../../src/families/llada/feeds.js"
import { readSafetensors } from "../../../src/files/safetensors.js"

const at = (name: string): string => fileURLToPath(new URL(`goldens/${name}`, import.meta.url))
const { tensors } = await readSafetensors(at("tensors.safetensors"))
const values = JSON.parse(readFileSync(at("values.json"), "utf8")) as {
  readonly ift_infill_tokens: {
    readonly instruction: readonly number[]
    readonly prefix: readonly [readonly number[], readonly number[]]
    readonly suffix: readonly [readonly number[], readonly number[]]
  }
}
const rowsOf = (name: string): readonly (readonly number[])[] => {
  const { shape, data } = tensors.get(name)!
  const width = shape[1]!
  return Array.from({ length: shape[0]! }, (_, r) =>
    Array.from((data as Int32Array).subarray(r * width, (r + 1) * width)),
  )
}
const vector = (name: string): ArrayLike<number> => tensors.get(name)!.data as unknown as ArrayLike<number>
const [PAD, MASK] = [198, 199]

t.test("rows whose middle comes last, exactly", (t) => {
  const noisy = rowsOf("ift.infill.noisy")
  const labels = rowsOf("ift.infill.labels")
  const cuts = vector("infill.flex.cutoff")
  const [u1, u2] = [vector("ift.infill.u_prefix"), vector("ift.infill.u_suffix")]
  let prompts = 0
  rowsOf("infill.flex.input").forEach((input, r) => {
    const tokens = input.filter((id) => id !== PAD)
    const made = middleLastRow(tokens, cuts[r]!, [u1[r]!, u2[r]!], {
      ...values.ift_infill_tokens,
      width: 50,
      padId: PAD,
    })
    prompts += made.start
    // Where the published row is masked, its label has the token.
    const clean = noisy[r]!.map((id, i) => (id === MASK ? labels[r]![i]! : id))
    t.same(Array.from(made.tokens), clean, `row ${r}`)
    t.same(
      labels[r]!.findIndex((id) => id !== -100) >= made.start,
      true,
      "what is given is never under the loss",
    )
    t.same(tokens.slice(made.from, made.from + made.end - made.start), clean.slice(made.start, made.end))
  })
  // reference: values.json, ift_infill.num_prompt_tokens
  t.equal(prompts, 150)
  t.throws(
    () => middleLastRow([1, 2], 2, [0, 0], { ...values.ift_infill_tokens, width: 50, padId: PAD }),
    /leaves no middle/,
  )
  t.throws(
    () => middleLastRow([1, 2, 3], 1, [0, 0], { ...values.ift_infill_tokens, width: 9, padId: PAD }),
    /needs 13 places/,
  )
  t.end()
})

t.test("given tokens are never masked; what stands behind a text is the boundary token, and learned", (t) => {
  const rows = {
    tokens: Int32Array.from([5, 6, 7, 1, 9, 9, 5, 6, 8, 2, 3, 9]),
    length: 6,
    fixed: Uint8Array.from([1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0]),
    lengths: Int32Array.from([4, 5]),
  }
  const tokenizer = { id: "t", model: "corpus", vocabSize: 9, boundaryId: 0, maskId: 10, padId: 9 } as const
  const objective = {
    kind: "llada",
    times: "independent",
    timeMin: 0.9999,
    timeMax: 1,
    divisor: 12,
    padding: "trained",
  } as const
  const place = { seed: 1, step: 0, micro: 0 }
  const all = maskedRows(rows, objective, tokenizer, place)
  t.same(Array.from(all.positions), [2, 3, 4, 5, 9, 10, 11])
  t.same(Array.from(all.targets), [7, 1, 0, 0, 2, 3, 0])
  t.same(Array.from(all.inputIds), [5, 6, 10, 10, 10, 10, 5, 6, 8, 10, 10, 10])
  // 1 / (t * divisor * rows), t within 1e-4 of 1.
  for (const weight of all.weights) t.ok(Math.abs(weight * 24 - 1) < 2e-4)
  const left = maskedRows(rows, { ...objective, padding: "left-out" }, tokenizer, place)
  t.same(Array.from(left.positions), [2, 3, 9, 10])
  t.same(Array.from(left.inputIds), [5, 6, 10, 10, 9, 9, 5, 6, 8, 10, 10, 9])
  t.end()
})
