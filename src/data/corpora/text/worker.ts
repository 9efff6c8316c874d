/** A thread that tokenises batches: texts in, tokens and sums out. */
import { workerData } from "node:worker_threads"
import { answerJobs } from "../../../files/threads.js"
import { readModel } from "../../tokenizers/read.js"
import { BatchTokeniser, type TokenisedBatch } from "./count.js"

const { path, boundaryId } = workerData as { readonly path: string; readonly boundaryId: number }
let tokeniser: Promise<BatchTokeniser> | undefined
const opened = (): Promise<BatchTokeniser> =>
  (tokeniser ??= readModel(path).then((model) => new BatchTokeniser(model, boundaryId)))

answerJobs<readonly string[], TokenisedBatch>(async (documents) => (await opened()).tokenise(documents), {
  subject: () => path,
  moved: ({ tokens }) => tokens.buffer,
})
