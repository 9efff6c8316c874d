/** A thread that tokenises blocks of rows. */
import { workerData } from "node:worker_threads"
import { answerJobs } from "../../../files/threads.js"
import { parseTokenizerJson } from "../../tokenizers/tokenizer-json.js"
import { tokeniseBlock, type Block, type RowRule, type TokenisedBlock } from "./tokenise.js"

const { tokenizer, path, rule } = workerData as { tokenizer: Uint8Array; path: string; rule: RowRule }
const own = parseTokenizerJson(tokenizer, { id: "rows", subject: path })

answerJobs<Block, TokenisedBlock>((block) => tokeniseBlock(block, rule, own), {
  subject: ({ file }) => file,
  moved: ({ ids }) => ids.buffer as ArrayBuffer,
})
