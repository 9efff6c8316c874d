/** What texts that answer a test set begin with: the rows that training had, made of an item's own text. */
import t from "tap"
import { literalTokenizer } from "../../src/data/tokenizers/literal.js"
import { testStarts } from "../../src/evaluators/samples/starts.js"
import { openSpec } from "../../src/app/open-spec.js"
import { PRIMER_CODE, PRIMER_MATH, type PrimerItem } from "../../src/tasks/primer/index.js"
import { PRIMER_PIECES } from "../../src/tasks/primer/language.js"
import type { Task } from "../../src/tasks/task.js"

const { encode } = literalTokenizer(PRIMER_PIECES)
const ids = (text: string): readonly number[] => Array.from(encode(text))
const items: readonly PrimerItem[] = [
  { id: "a", prompt: "add 3 then take 1:\ny += ", target: "3\ny", rest: " -= 1\nreturn y" },
  { id: "b", prompt: "take 2:\ny -= ", target: "2", rest: "\nreturn y" },
]
// The last line of each is one piece and the mark of an operation is another.
const spelled: readonly PrimerItem[] = items.map((item) => ({
  ...item,
  rest: item.rest!.replace(" -= 1\n", "\n"),
}))
const code = PRIMER_CODE as unknown as Task
const from = { source: "file:items.jsonl", sha256: "0".repeat(64) }
const asked = { id: "e", count: 2, sampling: {}, from } as const

void t.test("a gap in place: marks around it, the text behind it given", async (t) => {
  const { experiment } = await openSpec("flexmdm_8b_code", "ci")
  const { starts } = testStarts(asked, code, spelled, experiment, encode)
  for (const [i, { prefix, suffix, prompt, rest, item }] of starts.entries()) {
    const own = spelled[i]!
    t.same(prefix, [...ids(own.prompt), ...ids("<gap>")])
    t.same(suffix, [...ids("<gap>"), ...ids(own.rest!)])
    t.same([prompt, rest, item], [ids(own.prompt), ids(own.rest!), own])
  }
  t.equal(starts.length, 2)
})

void t.test("the middle last: everything is given before it", async (t) => {
  const { experiment } = await openSpec("llada_8b_code", "ci")
  const { starts } = testStarts(asked, code, spelled, experiment, encode)
  const [own] = spelled
  t.same(starts[0]!.prefix, [
    ...ids("<prefix>"),
    ...ids(own!.prompt),
    ...ids("</prefix>"),
    ...ids("<suffix>"),
    ...ids(own!.rest!),
    ...ids("</suffix>"),
  ])
  t.same(starts[0]!.suffix, [])
  t.throws(
    () => testStarts(asked, code, [{ ...own!, prompt: "y += 3\n".repeat(30) }], experiment, encode),
    /the prompt of item a has \d+ tokens and leaves no room in a row of 24/,
  )
})

void t.test("a template puts the item's prompt into the text of a chat", async (t) => {
  const { experiment } = await openSpec("llada_8b_math", "ci")
  const question = "Ann has 3 pens and gets 4 more. How many now?"
  const sum: PrimerItem = { id: "s", prompt: question, target: "" }
  const math = PRIMER_MATH as unknown as Task
  const plain = testStarts(asked, math, [sum], experiment, encode).starts[0]!
  t.same(plain.prompt, ids(question))
  const chat = { ...asked, from: { ...from, template: "{prompt}\n<reasoning>" } }
  const begun = testStarts(chat, math, [sum], experiment, encode).starts[0]!
  t.same(begun.prompt, ids(`${question}\n<reasoning>`))
  t.same(begun.prefix, [...plain.prefix, ...ids("\n<reasoning>")])
  const dollar = { ...asked, from: { ...from, template: "{prompt}" } }
  t.same(testStarts(dollar, math, [sum], experiment, encode).starts[0]!.prompt, ids(question))
  t.throws(
    () =>
      testStarts({ ...asked, from: { ...from, template: "{prompt} #" } }, math, [sum], experiment, encode),
    /does not spell item s of the test set/,
  )
  const { experiment: rows } = await openSpec("llada_8b_math", "ci")
  t.throws(
    () => testStarts(asked, code, spelled, rows, encode),
    /end with given text, which rows of prompts do not hold; give data.batching.infill/,
  )
})
