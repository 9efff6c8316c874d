import { totalmem, availableParallelism } from "node:os"
import { checkCorpus, loadCorpus, readTokens } from "../data/corpora/corpus.js"
import { contentOf } from "../data/corpora/identity.js"
import { textRulesOf } from "../data/tokenizers/text-rules.js"
import { readSentencePiece } from "../data/tokenizers/sentencepiece.js"
import { inspectShard } from "../data/rows/shards.js"
import type { Tokens } from "../data/rows/tokens.js"
import { requireMeasurable } from "../evaluators/evaluate.js"
import { DataError } from "../files/errors.js"
import { cacheDirectory } from "../files/sources.js"
import { requireBoundaries } from "../data/corpora/special-ids.js"
import { chooseEngine, findAvailable, needsSearch, NOTHING } from "../engine/choose.js"
import { buildByteTable } from "../metric/bytes/byte-table.js"
import { conservation, describeConservation, type Conservation } from "../metric/bytes/conservation.js"
import { accountNotes, accountText, BYTES_CALLED, type TextAccount } from "../metric/bytes/text-account.js"
import { makePlan } from "../plan/plan.js"
import type { DataContent } from "../spec/content.js"
import { outsideDocuments } from "../inference/windows.js"
import { accountSlice } from "../run/conservation.js"
import type { LoadedSpec, Profile } from "../spec/spec-file.js"
import { windowsIn } from "../spec/windows.js"
import { trainingSeconds } from "./choose-executor.js"
import { dataWarnings, describeContent } from "./data-words.js"
import { locateSpec } from "./locate.js"
import { openSpec } from "./open-spec.js"
import { UsageError, type Outcome } from "./outcome.js"
import { columns } from "./text.js"

interface Part {
  readonly name: "data" | "content" | "bytes" | "evaluations" | "executor" | "memory"
  readonly ready: boolean
  /** What is there is not what the spec means. */
  readonly wrong?: true
  readonly found: string
  readonly cure?: string
  readonly conservation?: Conservation
  readonly content?: DataContent
  /** How far the scored tokens decide the bytes of their text. */
  readonly text?: TextAccount
}

/** At most this many missing files are named; a data set may lack a hundred. */
const NAMED = 3

/** Whether a run of this profile could start now without fetching anything. */
export const check = async (
  given: string,
  profile: Profile,
  settings: readonly string[] = [],
): Promise<Outcome> => {
  const file = await locateSpec(given)
  const spec = await openSpec(file, profile, settings)
  const prepare = `repro prepare ${given} --profile ${profile}`
  const data = await dataPart(spec.experiment.data, prepare)
  const corpus = data.ready ? [await contentPart(spec), await bytesPart(spec)] : []
  const measured = await measuredPart(spec, prepare)
  const parts: readonly Part[] = [data, ...corpus, ...measured, await executorPart(spec), memoryPart(spec)]
  const notices = dataWarnings(spec.experiment, parts.find(({ content }) => content !== undefined)?.content)
  const missing = parts.filter(({ ready }) => !ready)
  const rows = parts.map(({ name, ready, wrong, found }) => [
    name,
    ready ? "ok" : name === "bytes" || wrong ? "wrong" : "missing",
    found,
  ])
  const cures = missing.flatMap(({ name, cure }) => (cure === undefined ? [] : [[name, cure]]))
  return {
    text: [
      columns(rows),
      ...(notices.length === 0 ? [] : ["", ...notices]),
      ...(cures.length === 0 ? [] : ["", "To add what is missing:", columns(cures, "  ")]),
    ].join("\n"),
    json: { file, profile, ready: missing.length === 0, parts, notices },
    exitCode: missing.length === 0 ? 0 : 3,
  }
}

const dataPart = async (data: Parameters<typeof checkCorpus>[0], cure: string): Promise<Part> => {
  const cacheDir = cacheDirectory()
  const { ready, missing } = await checkCorpus(data, { cacheDir })
  if (ready) return { name: "data", ready, found: `in ${cacheDir}` }
  const wrong = missing.some((each) => each.wrong)
  const named = missing.slice(0, NAMED).map(({ problem }) => problem)
  const more = missing.length > NAMED ? [`and ${missing.length - NAMED} more`] : []
  const found = [...named, ...more].join(" ")
  return { name: "data", ready, found, ...(wrong ? { wrong } : { cure }) }
}

/** The digests of the data, and whether they hold the boundary tokens that the experiment rests on. */
const contentPart = async ({ experiment }: LoadedSpec): Promise<Part> => {
  const name = "content"
  try {
    const corpus = await loadCorpus(experiment.data, { cacheDir: cacheDirectory() })
    await requireBoundaries(experiment, corpus)
    const content = await contentOf(corpus)
    return { name, ready: true, found: describeContent(content), content }
  } catch (error) {
    return { name, ready: false, wrong: true, found: error instanceof Error ? error.message : String(error) }
  }
}

/** The byte table over the scored slice of the validation split against the slice's own text. */
const bytesPart = async ({ experiment }: LoadedSpec): Promise<Part> => {
  try {
    const corpus = await loadCorpus(experiment.data, { cacheDir: cacheDirectory() })
    const split = await readTokens(corpus.validation)
    const { account, conservation: report, notes } = accountSlice(corpus, split, experiment)
    const ready = account.standing !== "none"
    return {
      name: "bytes",
      ready,
      found: [
        ...(ready
          ? [
              `${BYTES_CALLED[account.standing]}, ${account.bytes} bytes; published table: ${describeConservation(report)}.`,
            ]
          : []),
        ...notes,
        ...outsideNotes(split, experiment),
      ].join(" "),
      conservation: report,
      text: account,
    }
  } catch (error) {
    return { name: "bytes", ready: false, found: error instanceof Error ? error.message : String(error) }
  }
}

/** Documents that chunks of documents can never score. */
const outsideNotes = (split: Tokens, { evaluations, data }: LoadedSpec["experiment"]): readonly string[] => {
  if (evaluations.every((each) => (windowsIn(each)?.alignment ?? "raw-stream") === "raw-stream")) return []
  const { documents = 0, ofDocuments = 0, tokens } = outsideDocuments(split, data.tokenizer.boundaryId)
  return documents === 0
    ? []
    : [
        `Documents lie between two boundary tokens, which leaves out ${documents} of ${ofDocuments} documents and ${tokens} of ${split.length} tokens.`,
      ]
}

const percent = (ratio: number): string => `${(100 * (ratio - 1)).toFixed(2)} %`

const rows = (head: string, lines: readonly (readonly string[])[]): readonly string[] =>
  lines.length === 0 ? [] : ["", head, columns(lines, "  ")]

/** What may be said of a shard's bytes, in a sentence. */
const verdictOf = ({ standing, bytes, findings }: TextAccount, report: Conservation): string => {
  const counted = `${bytes} bytes counted, ${report.textBytes} bytes of text`
  if (findings.some(({ kind }) => kind === "table-against-text"))
    return `The byte table does not conserve the text: ${report.tableBytes} bytes counted, ${report.textBytes} bytes of text. Bits per byte over it are wrong by the factor ${report.inflation.toFixed(5)} (denominator ${percent(report.inflation)}).`
  switch (standing) {
    case "exact":
      return `The byte table conserves the text: ${counted}.`
    case "normalised text":
      return `The byte table conserves the normalised text alone: ${bytes} bytes.`
    case "pieces":
      return `The byte table counts ${bytes} bytes of pieces that are not UTF-8 text.`
    case "none":
      return "The tokens do not say how many bytes their text has: there is no denominator for bits per byte."
  }
}

/** Whether the byte table of a tokenizer conserves the text of a shard; exit code 3 when it does not. */
export const checkBytes = async (tokenizer: string, shard: string): Promise<Outcome> => {
  const model = await readSentencePiece(tokenizer)
  const { pieces } = model
  const { tokens: there, promised } = await inspectShard(shard, { truncated: true })
  if (there === 0) throw new UsageError(`${shard}: it holds no tokens, so there is nothing to check.`)
  const tokens = await readTokens([shard], { truncated: true })
  const high = tokens.findIndex((token) => token >= pieces.length)
  if (high >= 0)
    throw new UsageError(
      `${shard}: token ${tokens[high]} at position ${high} is outside the ${pieces.length} pieces of ${tokenizer}. Give the tokenizer that made the shard.`,
    )
  const account = accountText({
    pieces,
    rules: textRulesOf(model),
    runs: [{ tokens, previous: -1, following: -1 }],
  })
  const report = conservation({ pieces, table: buildByteTable(pieces), tokens })
  const conserved = account.standing !== "none"
  return {
    text: [
      verdictOf(account, report),
      ...accountNotes(account),
      ...rows("Terms (bytes the table adds to the text)", [
        ...report.terms.map(({ name, count, bytes }) => [name, `${count} times`, String(bytes)]),
        [
          "boundary tokens",
          `${report.byType.find(({ type }) => type === "control")?.tokens ?? 0} times`,
          "0",
        ],
      ]),
      ...rows("Surplus by piece type", [
        ["TYPE", "TOKENS", "TABLE", "TEXT", "SURPLUS"],
        ...report.byType.map((row) =>
          [row.type, row.tokens, row.tableBytes, row.textBytes, row.surplus].map(String),
        ),
      ]),
      ...rows(
        "Pieces with the largest surplus",
        report.largest.map(({ id, piece, type, count, surplus }) => [
          String(id),
          JSON.stringify(piece),
          type,
          `${count} times`,
          String(surplus),
        ]),
      ),
    ].join("\n"),
    json: { tokenizer, shard, conserved, ...report, text: account },
    notes:
      there < promised ? [`${shard} promises ${promised} tokens and holds ${there}; those are checked.`] : [],
    exitCode: conserved ? 0 : 3,
  }
}

/** Test sets and sandbox, where an evaluation needs one. */
const measuredPart = async ({ experiment }: LoadedSpec, cure: string): Promise<readonly Part[]> => {
  const needing = experiment.evaluations.filter((each) => "task" in each && each.task !== undefined)
  if (needing.length === 0) return []
  const name = "evaluations"
  try {
    await requireMeasurable(experiment)
    return [{ name, ready: true, found: `what ${needing.map(({ id }) => id).join(", ")} need is there` }]
  } catch (error) {
    const missing = error instanceof DataError && error.reason === "missing"
    return [
      {
        name,
        ready: false,
        found: error instanceof Error ? error.message : String(error),
        ...(missing ? { cure } : {}),
      },
    ]
  }
}

const executorPart = async (spec: LoadedSpec): Promise<Part> => {
  try {
    const request = spec.experiment.execution ?? {}
    const seconds = trainingSeconds(spec)
    const there = needsSearch(request, seconds) ? await findAvailable() : NOTHING
    const { engine, options, reason } = chooseEngine(request, there, seconds)
    return {
      name: "executor",
      ready: true,
      found: `${engine}, ${options.precision} on ${options.device}: ${reason}`,
    }
  } catch (error) {
    return { name: "executor", ready: false, found: error instanceof Error ? error.message : String(error) }
  }
}

const memoryPart = (spec: Parameters<typeof makePlan>[0]): Part => {
  const { warnings, memory } = makePlan(spec, { cores: availableParallelism(), memory: totalmem() })
  const needed = `about ${(memory.total / 2 ** 30).toFixed(1)} GiB needed, ${(totalmem() / 2 ** 30).toFixed(1)} GiB there`
  return { name: "memory", ready: warnings.length === 0, found: warnings[0] ?? needed }
}
