import { checkCorpus, prepareCorpus, type PartTotals, type PrepareOptions } from "../data/corpora/corpus.js"
import { fetchMeasured } from "../evaluators/evaluate.js"
import { cacheDirectory } from "../files/sources.js"
import { plannedFiles } from "../plan/files.js"
import { openDisplay, type Display } from "../run/display.js"
import type { Profile } from "../spec/spec-file.js"
import { fetchJudge } from "./ensure-run.js"
import { isAbort, watchInterrupts } from "./interrupts.js"
import { openSpec } from "./open-spec.js"
import type { Outcome } from "./outcome.js"
import { describePrepareEvents } from "./prepare-events.js"
import { columns } from "./text.js"
import { whole } from "../plan/render.js"

/** How much of each source is in the training split of a corpus that mixes several. */
const sourceLines = ({ sources, tokens }: PartTotals): readonly string[] =>
  sources === undefined
    ? []
    : [
        "Of the training split:",
        columns(
          Object.entries(sources).map(([name, count]) => [
            name,
            `${whole(count.rows)} rows`,
            `${whole(count.documents)} documents`,
            `${whole(count.tokens)} tokens (${((100 * count.tokens) / tokens).toFixed(1)} %)`,
            `${whole(count.bytes)} bytes of text`,
          ]),
          "  ",
        ),
      ]

/** Makes the data of a spec ready. */
export const prepare = async (
  given: string,
  profile: Profile,
  settings: readonly string[] = [],
  display: Display = openDisplay(),
  how: Pick<PrepareOptions, "workers" | "rewrite"> = {},
): Promise<Outcome> => {
  const { experiment, judges } = await openSpec(given, profile, settings)
  const cacheDir = cacheDirectory()
  const before = await checkCorpus(experiment.data, { cacheDir })
  if (!before.ready) {
    display.log(`Into ${cacheDir}:`)
    for (const { path, about } of plannedFiles(experiment, judges?.values()).reads)
      display.log(`  ${path}: ${about}`)
  }
  const stop = watchInterrupts(
    display,
    undefined,
    "Stopping; what was fetched is kept. Press Ctrl-C again to end at once.",
  )
  try {
    const corpus = await prepareCorpus(experiment.data, {
      cacheDir,
      onEvent: describePrepareEvents(display),
      signal: stop.signal,
      ...how,
    })
    await fetchMeasured(experiment, {
      onEvent: describePrepareEvents(display),
      signal: stop.signal,
      prepared: { experiment, corpus, cacheDir, ...how },
    })
    for (const judge of judges?.values() ?? [])
      if (judge.experiment.training.stepsPerGroup === 0) await fetchJudge(judge, display, stop.signal)
    const { totals } = corpus
    const row = (name: string, paths: readonly string[], part: typeof totals.train) => [
      name,
      `${paths.length} shard${paths.length === 1 ? "" : "s"}`,
      `${whole(part.tokens)} tokens`,
      ...(part.bytes === undefined ? [] : [`${whole(part.bytes)} bytes of text`]),
    ]
    return {
      text: [
        how.rewrite === true
          ? "The data is written anew."
          : before.ready
            ? "The data was there already."
            : "The data is ready.",
        columns(
          [
            row("train", corpus.train, totals.train),
            row("validation", corpus.validation, totals.validation),
            ["tokenizer", corpus.tokenizerPath],
          ],
          "  ",
        ),
        ...sourceLines(totals.train),
      ].join("\n"),
      json: {
        fetched: !before.ready,
        cache: cacheDir,
        train: corpus.train,
        validation: corpus.validation,
        validationDigests: corpus.validationDigests,
        tokenizer: corpus.tokenizerPath,
        tokenizerDigest: corpus.tokenizerDigest,
        totals,
      },
    }
  } catch (error) {
    if (!isAbort(error)) throw error
    return {
      text: "Stopped; what was fetched is kept, and the same command goes on from there.",
      json: { fetched: false, finished: false, cache: cacheDir },
      exitCode: 3,
    }
  } finally {
    stop.release()
    display.end()
  }
}
