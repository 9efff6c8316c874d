import t from "tap"
import { literalTokenizer } from "../../src/data/tokenizers/literal.js"
import {
  balancedWord,
  balancedWords,
  BALANCED_LENGTHS,
  bracketEntropy,
  drawLength,
  isBalanced,
  meanLength,
  openingWord,
  PUBLISHED_LENGTHS,
} from "../../src/tasks/brackets/words.js"
import { drawsOf } from "../../src/tasks/generated.js"
import { STAR_LEVELS, starGraph, starPrompt, starTarget, type StarLevel } from "../../src/tasks/star/graph.js"
import { PROBLEMS, wordProblem, WORD_PIECES } from "../../src/tasks/word-problems/problems.js"

const problem = (seed: number, split: "train" | "test", k: number) => wordProblem(drawsOf(seed, split, k))

t.test("an item depends on seed, split and index alone", (t) => {
  t.same(problem(1, "train", 7), problem(1, "train", 7))
  t.notSame(problem(1, "train", 7), problem(1, "test", 7))
  t.notSame(problem(1, "train", 7), problem(2, "train", 7))
  t.end()
})

t.test("draws are uniform", (t) => {
  // Chi-square with 5 degrees of freedom: 20.5 is its 99.9 % point; the counts are fixed by the seed.
  const orders = new Map<string, number>()
  for (let k = 0; k < 6000; k++) {
    const order = drawsOf(3, "train", k).shuffled(["a", "b", "c"]).join("")
    orders.set(order, (orders.get(order) ?? 0) + 1)
  }
  t.equal(orders.size, 6)
  const chi = [...orders.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)
  t.ok(chi < 20.5, `chi-square ${chi.toFixed(1)}`)
  t.end()
})

t.test("star graphs of the published shapes", (t) => {
  // reference: prompts of at most 28, 36 and 116 tokens, targets of at most 12, 12 and 24 (xlm-core configurations).
  const sizes = { easy: [28, 12], medium: [36, 12], hard: [116, 24] } as const
  for (const level of Object.keys(STAR_LEVELS) as StarLevel[]) {
    const { vocabulary } = STAR_LEVELS[level]
    const lengths = new Set<number>()
    for (let k = 0; k < 300; k++) {
      const graph = starGraph(level, drawsOf(0, "train", k))
      const next = new Map<number, number[]>()
      for (const [a, b] of graph.edges) next.set(a, [...(next.get(a) ?? []), b])
      t.ok(graph.edges.flat().every((node) => node < vocabulary))
      const heads = graph.edges.map(([, b]) => b)
      const centre = [...next].find(([, to]) => to.length > 1)?.[0]
      t.ok(
        heads.every((b) => b === centre || heads.filter((other) => other === b).length === 1),
        "only the centre is reached twice",
      )
      t.same([graph.path[0], graph.path.at(-1)], [graph.source, graph.goal])
      for (const [i, node] of graph.path.slice(1).entries())
        t.ok(next.get(graph.path[i]!)!.includes(node), "the path runs along edges")
      t.equal(starTarget(graph).length, 2 * (graph.path.length - 1))
      t.ok(starPrompt(graph).length <= sizes[level][0] && starTarget(graph).length <= sizes[level][1])
      lengths.add(graph.path.length)
      if (level === "easy") t.equal(starPrompt(graph).length, 26)
    }
    t.equal(lengths.size > 1, level !== "easy", `${level}: lengths of the path vary or not`)
  }
  t.end()
})

t.test("brackets", (t) => {
  // reference: Catalan numbers 1, 2, 14, 1430 (OEIS A000108).
  t.same([2, 4, 8, 16].map(balancedWords), [1, 2, 14, 1430])
  t.equal(balancedWords(3), 0)
  const seen = new Map<string, number>()
  for (let k = 0; k < 7000; k++) {
    const word = balancedWord(8, drawsOf(5, "train", k))
    if (!isBalanced(word)) t.fail(`${word.join("")} is not balanced`)
    seen.set(word.join(""), (seen.get(word.join("")) ?? 0) + 1)
  }
  t.equal(seen.size, 14)
  // Chi-square with 13 degrees of freedom: 34.5 is its 99.9 % point.
  const chi = [...seen.values()].reduce((sum, n) => sum + (n - 500) ** 2 / 500, 0)
  t.ok(chi < 34.5, `uniform among the words of a length (chi-square ${chi.toFixed(1)})`)
  t.notOk(isBalanced([1, 0]))
  t.notOk(isBalanced([0]))
  t.notOk(isBalanced([0, 2]))
  t.ok(isBalanced([]))
  t.same(openingWord(3), [0, 0, 0])
  t.equal(meanLength(PUBLISHED_LENGTHS), 26)
  t.ok(Math.abs(meanLength(BALANCED_LENGTHS) - 9) < 1e-12)
  // By hand: -sum p ln p of {.1, .4, .4, .1} is 1.193549 nats; the balanced source adds .2 ln 2 + .4 ln 14 + .3 ln 1430.
  t.ok(Math.abs(bracketEntropy(PUBLISHED_LENGTHS, false) - 1.193549604) < 1e-8)
  const words = 0.2 * Math.log(2) + 0.4 * Math.log(14) + 0.3 * Math.log(1430)
  t.ok(
    Math.abs(bracketEntropy(BALANCED_LENGTHS, true) - bracketEntropy(BALANCED_LENGTHS, false) - words) <
      1e-12,
  )
  const lengths = Array.from({ length: 4000 }, (_, k) =>
    drawLength(PUBLISHED_LENGTHS, drawsOf(9, "train", k)),
  )
  const mean = lengths.reduce((a, b) => a + b, 0) / lengths.length
  t.ok(Math.abs(mean - 26) < 4 * (16.3 / Math.sqrt(4000)), `mean length ${mean}`)
  t.end()
})

t.test("word problems", (t) => {
  const tokenizer = literalTokenizer(WORD_PIECES)
  const longest = { question: 0, program: 0 }
  for (let k = 0; k < 400; k++) {
    const { question, program, answer } = wordProblem(drawsOf(0, "train", k))
    t.equal(tokenizer.decode(tokenizer.encode(question)), question)
    t.equal(tokenizer.decode(tokenizer.encode(program)), program)
    longest.question = Math.max(longest.question, tokenizer.encode(question).length)
    longest.program = Math.max(longest.program, tokenizer.encode(program).length)
    const [, a, b, op] = /a = (\d+)\n {4}b = (\d+)\n {4}result = a ([-+*]) b\n/.exec(program)!
    const value = { "+": Number(a) + Number(b), "-": Number(a) - Number(b), "*": Number(a) * Number(b) }[op!]
    t.equal(answer, value)
  }
  t.comment(
    `at most ${longest.question} tokens of question and ${longest.program} of program; ${PROBLEMS} problems`,
  )
  t.ok(WORD_PIECES.length < 84)
  t.end()
})

t.test("literal tokenizers refuse what they cannot spell", (t) => {
  const tokenizer = literalTokenizer(["ab", "a"])
  t.same([...tokenizer.encode("aab")], [1, 0])
  t.throws(() => tokenizer.encode("abx"), /no piece spells "x" at character 2/)
  t.throws(() => literalTokenizer(["a", "a"]), /stands twice/)
  t.throws(() => literalTokenizer([""]), /empty/)
  t.equal(tokenizer.decode([0, 1, 7]), "aba", "an id without a piece has no text")
  t.end()
})
