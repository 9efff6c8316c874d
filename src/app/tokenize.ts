import { copyFile, readFile } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { prepareCorpus } from "../data/corpora/corpus.js"
import { TOTALS_FILE } from "../data/corpora/prepared.js"
import type { TextPart, TextTotals } from "../data/corpora/text/shards.js"
import { writeFileAtomic } from "../files/atomic.js"
import { fromSystemError } from "../files/errors.js"
import { cacheDirectory } from "../files/sources.js"
import { whole } from "../plan/render.js"
import { openDisplay, type Display } from "../run/display.js"
import type { Profile } from "../spec/spec-file.js"
import { isAbort, watchInterrupts } from "./interrupts.js"
import { shortPath } from "./locate.js"
import { openSpec } from "./open-spec.js"
import { UsageError, type Outcome } from "./outcome.js"
import { describePrepareEvents } from "./prepare-events.js"
import { columns } from "./text.js"
import { makeFolder } from "../files/folder.js"

export interface TokenizeInput {
  readonly spec: string
  readonly profile: Profile
  readonly settings: readonly string[]
  /** Threads; as many as the machine has when absent. */
  readonly workers?: number | undefined
  /** A folder that gets a copy of the shards and their totals. */
  readonly out?: string | undefined
}

const row = (name: string, part: TextPart) => [
  name,
  ...[part.documents, part.tokens, part.bytes, part.decodedBytes, part.tableBytes].map(whole),
  (part.bytes / part.tokens).toFixed(4),
  String(part.shards.length),
]

/** What a split's tokens say of its text, in one sentence. */
const conservationOf = (name: string, { bytes, decodedBytes, unknownTokens }: TextPart): string => {
  if (unknownTokens > 0)
    return `${name}: ${whole(unknownTokens)} tokens are unknown to the tokenizer, so that the bytes of their text are not in the tokens; a tokenizer with byte fallback has none.`
  const lost = bytes - decodedBytes
  return lost === 0
    ? `${name}: the tokens decode to exactly the ${whole(bytes)} bytes of the text.`
    : `${name}: the tokens decode to ${whole(decodedBytes)} bytes, the text has ${whole(bytes)}: the tokenizer's normaliser ${lost > 0 ? "took" : "added"} ${whole(Math.abs(lost))}.`
}

const copyTo = async (folder: string, out: string, totals: TextTotals): Promise<void> => {
  try {
    await makeFolder(out)
    for (const { file } of [...totals.train.shards, ...totals.validation.shards])
      await copyFile(join(folder, file), join(out, file))
  } catch (error) {
    throw fromSystemError(error, out, "copying the shards")
  }
  await writeFileAtomic(join(out, TOTALS_FILE), `${JSON.stringify(totals, undefined, 2)}\n`)
}

/** Turns the text of a spec into shards, with exact counts of what it is. */
export const tokenize = async (input: TokenizeInput, display: Display = openDisplay()): Promise<Outcome> => {
  const { experiment, file } = await openSpec(input.spec, input.profile, input.settings)
  if (experiment.data.corpus.kind !== "text")
    throw new UsageError(
      `${file}: its data are no text of one's own (data.corpus.kind is ${JSON.stringify(experiment.data.corpus.kind)}, not "text"); \`repro prepare ${input.spec}\` makes them ready.`,
    )
  const stop = watchInterrupts(
    display,
    undefined,
    "Stopping; what was tokenised is kept. Press Ctrl-C again to end at once.",
  )
  try {
    const corpus = await prepareCorpus(experiment.data, {
      cacheDir: cacheDirectory(),
      onEvent: describePrepareEvents(display),
      signal: stop.signal,
      ...(input.workers === undefined ? {} : { workers: input.workers }),
    })
    const folder = dirname(corpus.train[0]!)
    const totals = JSON.parse(await readFile(join(folder, TOTALS_FILE), "utf8")) as TextTotals
    if (input.out !== undefined) await copyTo(folder, input.out, totals)
    const { train, validation } = totals
    return {
      text: [
        columns([
          [
            "",
            "documents",
            "tokens",
            "bytes of text",
            "decoded",
            "by the published table",
            "bytes/token",
            "shards",
          ],
          row("train", train),
          row("validation", validation),
        ]),
        conservationOf("train", train),
        conservationOf("validation", validation),
        `Shards are in ${shortPath(input.out ?? folder)}; \`repro run ${input.spec}${input.profile === "paper" ? "" : ` --profile ${input.profile}`}\` trains on them.`,
      ].join("\n"),
      json: {
        format: "repro-tokenize",
        version: 1,
        tokenizer: { file: basename(corpus.tokenizerPath), sha256: corpus.tokenizerDigest },
        train,
        validation,
      },
    }
  } catch (error) {
    if (!isAbort(error)) throw error
    return {
      text: "Stopped; what was tokenised is kept, and the same command goes on from there.",
      json: { format: "repro-tokenize", version: 1, finished: false },
      exitCode: 3,
    }
  } finally {
    stop.release()
    display.end()
  }
}
