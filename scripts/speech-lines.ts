/** Training documents of the embedded corpus, one per line: speech-lines.ts TARBALL HOLD_OUT_EVERY SENTENCES. */
import { readFileSync } from "node:fs"
import { documentsOf, readSpeeches, splitSpeeches } from "../src/data/corpora/speeches/speeches.js"

const [tarball, holdOutEvery, sentences] = process.argv.slice(2)
if (tarball === undefined || holdOutEvery === undefined || sentences === undefined) {
  throw new Error("usage: speech-lines.ts TARBALL HOLD_OUT_EVERY SENTENCES_PER_DOCUMENT")
}
const { train } = splitSpeeches(readSpeeches(readFileSync(tarball), tarball), Number(holdOutEvery))
process.stdout.write(`${documentsOf(train, Number(sentences)).join("\n")}\n`)
