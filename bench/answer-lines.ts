/** A contender that runs in a process of its own: requests as lines of JSON on standard input, one answer a line. */
import { createInterface } from "node:readline"

/** Answers until the input ends: each request names a command, and what a command throws is the answer's `error`. */
export const answerLines = async (
  commands: Readonly<Record<string, (request: never) => unknown>>,
): Promise<void> => {
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, ...request } = JSON.parse(line) as { readonly command: string }
    let answer: unknown
    try {
      answer = await (commands[command] as (request: unknown) => unknown)(request)
    } catch (error) {
      answer = { error: error instanceof Error ? error.message : String(error) }
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`)
  }
}
