/** A thread that tokenises batches: texts in, tokens and sums out. */
import { parentPort, workerData } from "node:worker_threads"
import { readModel } from "../../tokenizers/read.js"
import { BatchTokeniser } from "./count.js"

const { path, boundaryId } = workerData as { readonly path: string; readonly boundaryId: number }
const tokeniser = readModel(path).then((model) => new BatchTokeniser(model, boundaryId))

parentPort!.on("message", (documents: readonly string[]) => {
  void tokeniser
    .then((ready) => {
      const made = ready.tokenise(documents)
      parentPort!.postMessage(made, [made.tokens.buffer])
    })
    .catch((error: unknown) =>
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      parentPort!.postMessage({ error: error instanceof Error ? error.message : String(error) }),
    )
})
