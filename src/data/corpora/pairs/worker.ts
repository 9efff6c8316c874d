/** A thread that tokenises blocks; see `pool.ts`. */
import { parentPort, workerData } from "node:worker_threads"
import { DataError } from "../../../files/errors.js"
import { parseTokenizerJson } from "../../tokenizers/tokenizer-json.js"
import { tokeniseBlock, type Block, type PairRule } from "./tokenise.js"

const { tokenizer, path, rule } = workerData as { tokenizer: Uint8Array; path: string; rule: PairRule }
const own = parseTokenizerJson(tokenizer, { id: "pairs", subject: path })

parentPort!.on("message", ({ job, block }: { job: number; block: Block }) => {
  try {
    const done = tokeniseBlock(block, rule, own)
    // A thread has no origin.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    parentPort!.postMessage({ job, done }, [done.ids.buffer as ArrayBuffer])
  } catch (error) {
    const { message } = error instanceof Error ? error : new Error(String(error))
    const fault = error instanceof DataError ? error : undefined
    const told = {
      reason: fault?.reason ?? "invalid",
      subject: fault?.subject ?? block.file,
      message: fault === undefined ? message : message.slice(fault.subject.length + 2),
    }
    // A thread has no origin.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    parentPort!.postMessage({ job, fault: told })
  }
})
