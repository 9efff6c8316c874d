/**
 * Evidence of samples: texts with seeds, forward passes and a task's verdicts, and the lengths of the data's rows.
 *
 * Texts are made in groups that share their passes. A group is kept when it is done and made again as a whole where it is
 * not, so that the evidence of a measurement that was stopped is that of one that was not.
 */
import { modelTokenizer } from "../../data/tokenizers/tokenizer.js"
import type { SentencePieceModel } from "../../data/tokenizers/sentencepiece.js"
import { rowKindOf, type MadeText } from "../../samplers/texts.js"
import { cacheDirectory } from "../../files/sources.js"
import { textOf } from "../../samplers/masked/text.js"
import type { RowKind } from "../../spec/sampling.js"
import { gradersOf, taskOf } from "../../tasks/index.js"
import { loadTestSet } from "../../tasks/test-set.js"
import { requireSound } from "../../tasks/preflight.js"
import { openSandbox, type Sandbox } from "../../tasks/sandbox/index.js"
import type { Grader, Run, Task } from "../../tasks/task.js"
import {
  EvaluationError,
  type Check,
  type EvaluateJob,
  type Fetch,
  type FetchOptions,
  type KeptPart,
  type Measure,
} from "../job.js"
import { ceilingOf } from "./ceiling.js"
import type { SampleExit, SampleItem, SampleVerdict } from "./item.js"
import { judgeTexts } from "./judging.js"
import { localMaker, type TextMaker } from "./maker.js"
import { openRanks } from "./ranks.js"
import type { Samples } from "./schema.js"
import { prepareAnswers, readAnswers } from "./settled.js"
import { startsOf, testStarts, type Start } from "./starts.js"

interface Judges {
  readonly task: Task
  readonly graders: readonly Grader<unknown>[]
  readonly sandbox: Sandbox | undefined
}

const named = ({
  id,
  task,
  graders,
}: Pick<Samples, "id" | "task" | "graders">): Omit<Judges, "sandbox"> | undefined => {
  if (task === undefined) return undefined
  try {
    const found = taskOf(task)
    return { task: found, graders: gradersOf(found, graders ?? []) }
  } catch (error) {
    if (error instanceof RangeError) throw new EvaluationError(id, error.message)
    throw error
  }
}

const openJudges = async (evaluation: Samples): Promise<Judges | undefined> => {
  const found = named(evaluation)
  if (found === undefined) return undefined
  const runs = found.graders.some(({ seconds }) => seconds !== undefined)
  const sandbox = runs ? await openSandbox() : undefined
  try {
    await requireSound(found.task, found.graders, { sandbox, patience: 2 })
  } catch (error) {
    await sandbox?.close()
    throw error
  }
  return { ...found, sandbox }
}

/** The test set that texts answer; undefined where they answer none. */
const testSet = async ({ id, from, task }: Samples, how: { readonly offline?: true } & FetchOptions = {}) => {
  if (typeof from !== "object") return undefined
  if (task === undefined)
    throw new EvaluationError(id, "a test set is one of a task, which is not named; say which by `task`")
  return loadTestSet(named({ id, task })!.task, { ...from, ...how })
}

/** Fetches the test set where it is not in the cache. */
export const fetch: Fetch<Samples> = async (evaluation, options) => {
  await testSet(evaluation, options)
  if (options.prepared !== undefined) await prepareAnswers(evaluation, { ...options, ...options.prepared })
}

/** The task, its graders and its test set are there and sound, and so is the sandbox where a program is to run. */
export const check: Check<Samples> = async (evaluation) => {
  await testSet(evaluation, { offline: true })
  await (await openJudges(evaluation))?.sandbox?.close()
}

const exitOf = (
  text: MadeText,
  rows: RowKind,
  { experiment }: EvaluateJob,
  content: number | undefined,
): SampleExit => {
  const { padId, boundaryId } = experiment.data.tokenizer
  if (content !== undefined) return text.generated[content - 1] === boundaryId ? "boundary" : "length"
  if (rows === "growing")
    return text.tokens.reduce((n, token) => n + (token === padId ? 0 : 1), 0) >= text.room
      ? "full"
      : "complete"
  if (text.ended !== undefined) return text.ended ? "boundary" : "length"
  if (rows === "masked" || experiment.data.batching.kind !== "document-chunks") return "filled"
  return text.tokens.at(-1) === boundaryId ? "boundary" : "length"
}

/** Tokens of a text with its end, of a network that learned to write the end of text again behind it. */
const contentOf = (text: MadeText, rows: RowKind, { experiment }: EvaluateJob): number | undefined => {
  const { objective, data } = experiment
  const padded = "padding" in objective && objective.padding === "trained"
  if (!padded || rows !== "masked" || text.ended !== undefined) return undefined
  const end = text.generated.indexOf(data.tokenizer.boundaryId)
  return end < 0 ? text.generated.length : end + 1
}

/** A text that was cut at its end, with what stands behind it. */
const ended = (text: MadeText, content: number, boundaryId: number): Partial<SampleItem> => {
  const rest = text.generated.slice(content)
  return {
    content,
    ends: text.generated.filter((token) => token === boundaryId).length,
    behind: rest.filter((token) => token !== boundaryId).length,
  }
}

const verdictOf = ({ correct, extracted, failure, value }: SampleVerdict): SampleVerdict => ({
  correct,
  extracted,
  ...(failure === undefined ? {} : { failure }),
  ...(value === undefined ? {} : { value }),
})

/** The item that a text answers, with everything that it is graded by; worked out once for all seeds. */
const settledItems = ({ id }: Samples, { task, sandbox }: Judges, kept: ReadonlyMap<number, unknown>) => {
  const run: Run = { sandbox, patience: 1 }
  const known = new Map<number, Promise<unknown>>()
  const find = (start: Start, item: SampleItem): unknown => {
    const found =
      start.item ??
      task.itemOf?.({ prompt: item.prompt, target: item.target, rest: item.rest }, String(item.item))
    if (found === undefined)
      throw new EvaluationError(
        id,
        `the task ${task.id} makes no item of text ${item.item}: ${task.settle === undefined ? "it needs a prompt and a target" : "it needs a prompt, and a target that is a program"}; take "from": "validation", or another task`,
      )
    return found
  }
  return (start: Start, item: SampleItem): Promise<unknown> => {
    const settled = kept.get(item.item)
    const whole =
      known.get(item.item) ??
      (settled === undefined ? undefined : Promise.resolve(settled)) ??
      Promise.resolve(find(start, item)).then((found) => task.settle?.(found, run) ?? found)
    known.set(item.item, whole)
    return whole
  }
}

const judged = async (
  { task, graders, sandbox }: Judges,
  answered: unknown,
  item: SampleItem,
): Promise<SampleItem> => {
  const verdicts: Record<string, SampleVerdict> = {}
  for (const grader of graders)
    verdicts[grader.id] = verdictOf(
      await grader.grade(answered, { text: item.text, prompt: item.prompt }, { sandbox, patience: 1 }),
    )
  const gold = task.gold?.(answered)
  return { ...item, ...(gold === undefined ? {} : { gold }), graders: verdicts }
}

/** What the judge says of the texts, where one is named. */
const judgedBy = async (
  { id, judge: wanted }: Samples,
  items: readonly SampleItem[],
  { openJudge, kept, requireGoing }: EvaluateJob,
): Promise<Awaited<ReturnType<typeof judgeTexts>> | undefined> => {
  if (wanted === undefined) return undefined
  if (openJudge === undefined)
    throw new EvaluationError(id, `the judge ${wanted.run} cannot be opened here; run its experiment`)
  const judge = await openJudge()
  try {
    return await judgeTexts(
      items.map(({ text }) => text),
      judge,
      { id, kept, requireGoing },
    )
  } finally {
    await judge.dispose()
  }
}

export const measure: Measure<Samples> = async (evaluation, job) => {
  const { experiment, network, parameters, executor, split, corpus, kept } = job
  const { tokenizer } = experiment.data
  const encode = (text: string): ArrayLike<number> =>
    modelTokenizer(tokenizer.id, corpus.tokenizer as SentencePieceModel).encode(text)
  const set = await testSet(evaluation, { offline: true })
  const { starts, dataLengths } =
    set === undefined
      ? startsOf(evaluation, split, experiment, encode)
      : testStarts(evaluation, taskOf(evaluation.task!), set.items, experiment, encode)
  const rows = rowKindOf(experiment)
  const words = (tokens: ArrayLike<number>): string => textOf(corpus.tokenizer, tokens, tokenizer.boundaryId)
  const judges = await openJudges(evaluation)
  const answeredBy =
    judges === undefined
      ? undefined
      : settledItems(evaluation, judges, await readAnswers(evaluation, experiment, corpus, cacheDirectory()))
  job.onStart?.(starts.length * evaluation.seeds.length)
  const items: SampleItem[] = []
  let seconds = 0
  const itemOf = (seed: number, start: Start, text: MadeText): SampleItem => {
    const content = contentOf(text, rows, job)
    return {
      item: text.index,
      seed,
      prompt: words(start.prompt ?? start.prefix),
      tokens: [...text.generated],
      text: words(text.generated.slice(0, content)),
      forwards: text.forwards,
      exit: exitOf(text, rows, job, content),
      given: text.given,
      room: text.room,
      ...(content === undefined ? {} : ended(text, content, tokenizer.boundaryId)),
      ...(text.ends === undefined ? {} : { ends: text.ends, behind: text.behind ?? 0 }),
      ...text.growth,
      ...(start.target === undefined ? {} : { target: words(start.target) }),
      ...(start.rest === undefined ? {} : { rest: words(start.rest) }),
    }
  }
  const making = { experiment, network, parameters, executor, evaluation, starts }
  const ranks = experiment.execution?.samplingProcesses ?? 1
  let maker: TextMaker | undefined
  try {
    maker =
      ranks > 1 && job.choice !== undefined ? await openRanks(ranks, job.choice, making) : localMaker(making)
    const { make, width } = maker
    const together = await maker.together()
    const groups = evaluation.seeds.flatMap((seed) =>
      Array.from({ length: Math.ceil(starts.length / together) }, (_, g) => ({
        seed,
        own: starts.slice(g * together, (g + 1) * together),
        part: `seed ${seed}, texts ${g * together} to ${Math.min(starts.length, (g + 1) * together) - 1} of ${starts.length}`,
      })),
    )
    const made: KeptPart[] = []
    let texts = 0
    const one = async ({ seed, own, part }: (typeof groups)[number]): Promise<KeptPart> => {
      const there = kept?.find(part)
      if (there !== undefined) return there
      await job.requireGoing?.()
      const began = performance.now()
      const all = (await make(seed, own)).map((text, k) => itemOf(seed, own[k]!, text))
      const taken = (performance.now() - began) / 1000
      const graded =
        judges === undefined || answeredBy === undefined
          ? all
          : await Promise.all(
              all.map(async (each, k) => judged(judges, await answeredBy(own[k]!, each), each)),
            )
      const done = { items: graded, seconds: taken }
      await kept?.keep(part, done)
      return done
    }
    let next = 0
    const work = async (): Promise<void> => {
      while (next < groups.length) {
        const g = next++
        made[g] = await one(groups[g]!)
        job.onProgress?.((texts += made[g].items.length))
      }
    }
    await Promise.all(Array.from({ length: width }, work))
    for (const done of made) {
      items.push(...(done.items as readonly SampleItem[]))
      seconds += done.seconds
    }
  } finally {
    await maker?.dispose()
    await judges?.sandbox?.close()
  }
  const said = await judgedBy(evaluation, items, job)
  return {
    items,
    ...(said === undefined ? {} : { judge: said.judge }),
    forwards: items.reduce((sum, { forwards }) => sum + forwards, 0),
    seconds,
    ...((network.sampled?.merged?.head ?? []).length === 0 ? {} : { adapters: "merged" }),
    ...(ranks > 1 ? { elsewhere: true } : {}),
    tensors: {
      ...(dataLengths === undefined
        ? {}
        : {
            dataLengths: {
              dtype: "I32" as const,
              shape: [dataLengths.length],
              data: Int32Array.from(dataLengths),
            },
          }),
      ...(await ceilingOf(evaluation, job, starts)),
      ...said?.tensors,
    },
  }
}
