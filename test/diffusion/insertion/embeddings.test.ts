/** Counting program against brute force over all subsets; stored vectors in golden/README.md. Tolerance 1e-12. */
import { fc, fuzz } from "../../fuzz.js"
import { test } from "tap"
import { embeddingPosterior, logEmbeddings } from "../../../src/diffusion/insertion/embeddings.js"
import { distance, furthest, golden } from "./golden.js"
import { ids, MASK } from "./oracle.js"

test("stored vectors", async (t) => {
  const { cases } = golden<{
    readonly cases: readonly {
      readonly x1: string
      readonly xt: string
      readonly fixed: readonly number[]
      readonly embeddings: number
      readonly mean_gaps: readonly number[]
      readonly soft_targets: Readonly<Record<string, Readonly<Record<string, number>>>>
    }[]
  }>("embeddings")
  t.ok(cases.length >= 10)
  for (const c of cases) {
    const label = `${c.xt} in ${c.x1}`
    const found = embeddingPosterior(ids(c.xt), ids(c.x1), {
      maskId: MASK,
      fixed: (i) => c.fixed.includes(i),
    })
    t.ok(distance(Math.exp(found.logCount), c.embeddings) < 1e-12, label)
    t.ok(furthest(found.gaps, c.mean_gaps) < 1e-12, label)
    const soft = Object.fromEntries(
      found.targets.map(({ position, tokens, probabilities }) => [
        String(position),
        Object.fromEntries(Array.from(tokens, (id, v) => [String.fromCharCode(id), probabilities[v]!])),
      ]),
    )
    t.same(Object.keys(soft).sort(), Object.keys(c.soft_targets).sort(), label)
    for (const [position, expected] of Object.entries(c.soft_targets)) {
      t.same(Object.keys(soft[position]!).sort(), Object.keys(expected).sort(), label)
      for (const [token, p] of Object.entries(expected))
        t.ok(distance(soft[position]![token]!, p) < 1e-12, label)
    }
  }
})

/** All embeddings, one by one. */
const embeddings = (xt: Int32Array, x1: Int32Array, fixed: (i: number) => boolean): number[][] => {
  const found: number[][] = []
  const walk = (i: number, chosen: number[]): void => {
    if (i === x1.length) {
      if (chosen.length === xt.length) found.push(chosen)
      return
    }
    const token = xt[chosen.length]
    if (token === x1[i] || (token === MASK && !fixed(i))) walk(i + 1, [...chosen, i])
    if (!fixed(i)) walk(i + 1, chosen)
  }
  walk(0, [])
  return found
}

test("random rows by brute force", async (t) => {
  const row = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 9 })
  fc.assert(
    fc.property(row, fc.array(fc.nat(3), { minLength: 9, maxLength: 9 }), (letters, states) => {
      const x1 = ids(letters.join(""))
      const fixed = (i: number): boolean => states[i] === 3
      const xt = Int32Array.from(
        letters.flatMap((letter, i) =>
          states[i] === 0 ? [] : states[i] === 1 ? [MASK] : [letter.charCodeAt(0)],
        ),
      )
      const all = embeddings(xt, x1, fixed)
      const found = embeddingPosterior(xt, x1, { maskId: MASK, fixed })
      const gaps = Array.from({ length: xt.length + 1 }, (_, j) => {
        const of = (s: readonly number[]): number => (s[j] ?? x1.length) - (s[j - 1] ?? -1) - 1
        return all.reduce((sum, s) => sum + of(s), 0) / all.length
      })
      return (
        distance(Math.exp(found.logCount), all.length) < 1e-12 &&
        furthest(found.gaps, gaps) < 1e-12 &&
        found.targets.every(({ position, tokens, probabilities }) =>
          tokens.every((token, v) => {
            const share = all.filter((s) => x1[s[position]!] === token).length / all.length
            return distance(probabilities[v]!, share) < 1e-12
          }),
        )
      )
    }),
    fuzz(300),
  )
  t.pass("300 rows")
})

test("long rows do not overflow", async (t) => {
  // 4000 equal tokens, 2000 masks: C(4000, 2000), about 10^1203; mean gaps are 2000/2001 by symmetry. ln by Stirling's
  // series: ln C(2n, n) = 2n ln 2 - ln(pi n)/2 - 1/(8n) + 1/(192 n^3).
  const x1 = new Int32Array(4000).fill(7)
  const xt = new Int32Array(2000).fill(MASK)
  const found = embeddingPosterior(xt, x1, { maskId: MASK })
  const n = 2000
  const expected = 2 * n * Math.LN2 - Math.log(Math.PI * n) / 2 - 1 / (8 * n) + 1 / (192 * n ** 3)
  t.ok(distance(found.logCount, expected) < 1e-12, `${found.logCount} and ${expected}`)
  t.ok(
    furthest(
      found.gaps,
      Array.from({ length: n + 1 }, () => 2000 / 2001),
    ) < 1e-10,
  )
  t.ok(
    found.targets.every(
      ({ tokens, probabilities }) => tokens.length === 1 && Math.abs(probabilities[0]! - 1) < 1e-12,
    ),
  )
})

test("a state that cannot come from its sequence", async (t) => {
  t.equal(logEmbeddings(ids("b"), ids("aaa"), { maskId: MASK }), Number.NEGATIVE_INFINITY)
  t.throws(() => embeddingPosterior(ids("aa"), ids("a"), { maskId: MASK }), /not part of its sequence/)
  t.throws(
    () => embeddingPosterior(ids("?"), ids("a"), { maskId: MASK, fixed: () => true }),
    /not part/,
    "a fixed token is never a MASK",
  )
})
