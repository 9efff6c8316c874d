import { createWriteStream } from "node:fs"
import { rename, rm, stat } from "node:fs/promises"
import { once } from "node:events"
import { basename } from "node:path"
import { compareScored } from "./score/compare.js"
import { gradeFiles, type EvidenceLine, type Scored } from "./score/grade.js"
import { preflight } from "./score/preflight.js"
import { disagreementOf, figuresOf } from "./score/summary.js"
import { scoreTable } from "./score/table.js"
import { loadTestSet, type TestSet } from "../tasks/test-set.js"
import { comparisonText, matrixText, preflightText, sharesText } from "./score/text.js"
import { fromSystemError } from "../files/errors.js"
import { diffClaims, type ClaimDiff } from "../analysis/diff-claims.js"
import type { Contract } from "../metric/contract/contract.js"
import { renderTable } from "../report/render/index.js"
import type { ResultsTable } from "../analysis/table.js"
import { openDisplay, type Display } from "../run/display.js"
import { claimsOf } from "../spec/claim-ledger.js"
import type { ResolvedClaim } from "../spec/claim.js"
import { gradersOf, taskOf } from "../tasks/index.js"
import { openSandbox, type Sandbox } from "../tasks/sandbox/index.js"
import { claimsLedger } from "./claims.js"
import { UsageError, type Outcome } from "./outcome.js"
import { describePrepareEvents } from "./prepare-events.js"

export interface ScoreOptions {
  readonly files: readonly string[]
  readonly task: string
  readonly graders: readonly string[]
  readonly data?: string | undefined
  readonly sha256?: string | undefined
  readonly compare: readonly string[]
  readonly claims: readonly string[]
  readonly evidence?: string | undefined
  readonly fullPreflight?: boolean
}

/** A wrong name on the command line, told as such. */
const asUsage = <A>(run: () => A): A => {
  try {
    return run()
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message)
    throw error
  }
}

const requireFile = async (path: string): Promise<void> => {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined || found.isDirectory())
    throw new UsageError(
      `${path}: ${found === undefined ? "no such file" : "it is a folder"}. Give files of generations.`,
    )
}

interface EvidenceFile {
  readonly write: (line: EvidenceLine) => Promise<void>
  readonly keep: () => Promise<void>
  readonly drop: () => Promise<void>
}

/** Lines as they come; the file has its name only when it is whole. */
const openEvidence = (path: string): EvidenceFile => {
  const temporary = `${path}.tmp-${process.pid}`
  const stream = createWriteStream(temporary, { flags: "wx" })
  let failed: unknown
  stream.on("error", (error) => (failed ??= error))
  const check = (): void => {
    if (failed !== undefined) throw fromSystemError(failed, path, "writing the evidence")
  }
  return {
    write: async (line) => {
      check()
      if (!stream.write(`${JSON.stringify(line)}\n`))
        await Promise.race([once(stream, "drain"), once(stream, "close")])
      check()
    },
    keep: async () => {
      stream.end()
      if (!stream.closed) await once(stream, "close")
      check()
      await rename(temporary, path)
    },
    drop: async () => {
      stream.destroy()
      await rm(temporary, { force: true })
    },
  }
}

/** Each claim against the row of its own grader, where there is one. */
const diffEach = (table: ResultsTable, claims: readonly ResolvedClaim[]): readonly ClaimDiff[] =>
  claims.flatMap((claim) => {
    const graderOf = (id: string | null): unknown =>
      id === null ? undefined : (table.contracts[id] as Contract | undefined)?.grader
    const own = table.rows.filter(
      ({ group, contractId }) => group !== "claim" && graderOf(contractId) === claim.contract.grader,
    )
    return diffClaims(own.length === 0 ? table : { ...table, rows: own }, [claim], []).claims
  })

const claimLine = ({ claim, printed, own, nearest, comparability }: ClaimDiff): string => {
  if (own === null)
    return `${claim} (${printed}): not measured under its definition${nearest === null ? "" : `; nearest ${nearest.label} ${nearest.run.toFixed(2)}`}.`
  const obstacles = comparability?.obstacles.map(({ axis }) => axis).join(", ") ?? ""
  return `${claim} (${printed}): ${own.agrees ? "agrees" : "differs"}; here ${own.run.toFixed(2)} under ${own.label}${obstacles === "" ? "" : `; not comparable in ${obstacles}`}.`
}

const names = (paths: readonly string[]): string => paths.map((path) => basename(path)).join(" + ")

/** Scores files of generations. */
export const score = async (options: ScoreOptions, display: Display = openDisplay()): Promise<Outcome> => {
  const task = asUsage(() => taskOf(options.task))
  const graders = asUsage(() => gradersOf(task, options.graders))
  if (options.sha256 !== undefined && !/^[0-9a-f]{64}$/.test(options.sha256))
    throw new UsageError("--sha256 takes 64 hexadecimal digits.")
  if (options.sha256 !== undefined && options.data === undefined)
    throw new UsageError("--sha256 is the digest of a test set: give --data as well.")
  for (const path of [...options.files, ...options.compare]) await requireFile(path)
  const ledger = options.claims.length === 0 ? undefined : await claimsLedger()
  const claims = ledger === undefined ? [] : claimsOf(ledger, options.claims, "--claim", "")

  let sandbox: Sandbox | undefined
  const evidence = options.evidence === undefined ? undefined : openEvidence(options.evidence)
  const abort = new AbortController()
  const stop = () => abort.abort()
  process.once("SIGINT", stop)
  try {
    const set: TestSet | undefined =
      options.data === undefined
        ? undefined
        : await loadTestSet(task, {
            source: options.data,
            sha256: options.sha256,
            onEvent: describePrepareEvents(display),
            signal: abort.signal,
          })
    if (graders.some(({ seconds }) => seconds !== undefined)) sandbox = await openSandbox()
    const before = await preflight(task, graders, set, sandbox, { all: options.fullPreflight ?? false })
    const grade = (files: readonly string[], onEvidence?: EvidenceFile["write"]): Promise<Scored> => {
      display.phase("grading", undefined, { unit: "generation" })
      return gradeFiles({
        task,
        graders,
        files,
        set,
        sandbox,
        onGraded: (done) => {
          if (done % 64 === 0) display.update({ done })
          abort.signal.throwIfAborted()
        },
        ...(onEvidence === undefined ? {} : { onEvidence }),
      })
    }
    const scored = await grade(options.files, evidence?.write)
    const other = options.compare.length === 0 ? undefined : await grade(options.compare)
    await evidence?.keep()
    const figures = figuresOf(scored)
    const table = scoreTable(scored, figures, claims)
    const matrix = disagreementOf(scored)
    const comparison = other === undefined ? undefined : compareScored(scored, other)
    const diffs = diffEach(table, claims)
    const items = figures[0]?.items ?? 0
    const missing = set === undefined ? 0 : set.items.length - items
    const differs = diffs.some(({ own }) => own?.agrees === false)
    const width = process.stdout.columns ?? 120
    return {
      text: [
        renderTable(table, "terminal", {
          width,
          colour: process.stdout.isTTY && process.env["NO_COLOR"] === undefined,
        }),
        ...sharesText(scored),
        ...(missing === 0
          ? []
          : [`${missing} of ${set!.items.length} items have no generation; the figures are of the others.`]),
        preflightText(before),
        ...(diffs.length === 0 ? [] : ["", "Claims:", ...diffs.map((each) => `  ${claimLine(each)}`)]),
        ...(matrix.graders.length < 2 ? [] : ["", ...matrixText(matrix)]),
        ...(comparison === undefined
          ? []
          : ["", ...comparisonText(comparison, names(options.files), names(options.compare))]),
      ].join("\n"),
      json: {
        task: task.id,
        files: scored.files.map(({ path, format, about }) => ({ path, format: format ?? null, about })),
        testSet:
          set === undefined
            ? null
            : { name: set.name, sha256: set.sha256, published: set.published, items: set.items.length },
        sandbox: sandbox?.description ?? null,
        generations: scored.items.length,
        items,
        missing,
        empty: scored.empty,
        truncated: scored.truncated ?? null,
        figures: figures.map((figure) => ({ ...figure, clustered: figure.clustered ?? null })),
        disagreement: matrix,
        recorded: scored.recorded,
        preflight: before,
        claims: diffs,
        comparison: comparison ?? null,
        table,
      },
      exitCode: missing > 0 || differs ? 3 : 0,
    }
  } catch (error) {
    await evidence?.drop()
    throw error
  } finally {
    process.removeListener("SIGINT", stop)
    await sandbox?.close()
    display.end()
  }
}
