/** tokenizer.json files whose spaces are marks, held to the ids of the library that defines them. */
import { readFile } from "node:fs/promises"
import { test } from "tap"
import { BatchTokeniser } from "../../../src/data/corpora/text/count.js"
import { jsonModelOf } from "../../../src/data/tokenizers/tokenizer-json.js"

interface Golden {
  readonly name: string
  readonly json: { readonly model: { readonly type: string; readonly byte_fallback: boolean } }
  readonly rows: readonly (readonly [text: string, ids: readonly number[]])[]
}

// scripts/metaspace-golden.py, by tokenizers 0.23.3.
const goldens = (await readFile(new URL("metaspace.golden.ndjson", import.meta.url), "utf8"))
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as Golden)

const modelOf = ({ name, json }: Golden) => jsonModelOf(Buffer.from(JSON.stringify(json)), name)

test("ids are those of the reference, on texts that are hard for such files", (t) => {
  t.ok(goldens.length >= 18)
  for (const golden of goldens) {
    const { encode } = modelOf(golden)
    const other = golden.rows.filter(
      ([text, ids]) => JSON.stringify(Array.from(encode!(text))) !== JSON.stringify(ids),
    )
    t.same(other, [], golden.name)
    t.ok(golden.rows.length > 50)
  }
  t.end()
})

/** A text that holds the mark itself, or spells a special token, says something else in its ids. */
const plain = (text: string): boolean => !/\u2581|<(s|\/s|unk|0x41)>/.test(text)

test("what the tokens stand for has the bytes of the text", (t) => {
  for (const golden of goldens.filter(
    ({ name, json }) => json.model.byte_fallback && !/words|without/.test(name),
  )) {
    const model = modelOf(golden)
    const batches = new BatchTokeniser(model, 1)
    for (const [text] of golden.rows.filter(([each]) => plain(each))) {
      const { bytes, decodedBytes } = batches.tokenise([text]).sums
      // Metaspace puts no second mark before a text that begins with a space: "x" and " x" are the same ids.
      const lost =
        !/^Gemma|normalizer|replaced alone|normalised before/.test(golden.name) &&
        model.normalizer.addDummyPrefix &&
        text.startsWith(" ")
      t.equal(decodedBytes, bytes - (lost ? 1 : 0), `${golden.name}: ${JSON.stringify(text)}`)
    }
  }
  t.end()
})
