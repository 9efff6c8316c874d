/** Figures of sampled texts, from the items of evidence alone. */
import { kolmogorovSmirnov, wasserstein } from "../../metric/samples/lengths.js"
import { frequencyEntropy, unigramEntropy } from "../../metric/samples/unigram-entropy.js"
import { CONTRACT_VERSION, NOT_STATED, type Contract } from "../../metric/contract/contract.js"
import { taskOf } from "../../tasks/index.js"
import type { StoredTensor } from "../../files/safetensors.js"
import type { EvidenceHeader } from "../evidence.js"
import type { ItemFigure } from "../summary.js"
import type { SampleItem } from "./item.js"
import { judgedFigures, type JudgedEvidence } from "./judged.js"
import { ofMean, ofShare, resampled, type Make, type Meaning } from "./make.js"
import type { Samples } from "./schema.js"

/** What a figure is about, besides the samples. */
export interface FigureContext {
  readonly dataset: string
  readonly tokenizer: { readonly id: string; readonly digest?: string }
  readonly padId: number
  readonly maskId: number
  readonly seeds?: readonly number[]
  readonly ceiling?: Ceiling
  /** What a judge said of the texts. */
  readonly judged?: JudgedEvidence | undefined
  /** What made the texts: library, its version with the device, precision. */
  readonly executor?: EvidenceHeader["executor"]
  /** merged: adapters were added into their layers. */
  readonly adapters?: "merged"
}

/** How often a sampler with steps could be right at best, where the split is one row. */
export interface Ceiling {
  /** Share of the time that a faultless network writes as many tokens at most; see `exactLengthChance`. */
  readonly exact: number
  /** The same were each token to arrive on its own; see `arrivalChance`. */
  readonly arrival: number
  /** Texts that a faultless network has exactly with the random numbers of these; evidence of before it has none. */
  readonly known?: number
}

/** By the name `ceiling`: [2] or [3], in the order of the fields. */
export const ceilingIn = (tensor: StoredTensor | undefined): { readonly ceiling?: Ceiling } => {
  const [exact, arrival, known] = Array.from((tensor?.data ?? []) as ArrayLike<number>)
  if (exact === undefined || arrival === undefined) return {}
  return { ceiling: { exact, arrival, ...(known === undefined ? {} : { known }) } }
}

/** What a test set is called: by its digest the published one, else by its file. */
const testData = (
  { source, sha256 }: Extract<Samples["from"], object>,
  task: string | undefined,
): { readonly dataset: string; readonly split: string } => {
  const published = task === undefined ? undefined : taskOf(task).published
  return published?.sha256 === sha256
    ? { dataset: published.name, split: published.split }
    : {
        dataset: source
          .split("/")
          .at(-1)!
          .replace(/[?#].*$/, ""),
        split: NOT_STATED,
      }
}

/** The contract of a figure of samples. */
export const sampleContract = (
  {
    sampling,
    count,
    seeds,
    from,
    task,
  }: Pick<Samples, "sampling" | "count" | "seeds" | "from"> & Partial<Pick<Samples, "task">>,
  {
    dataset,
    tokenizer,
    seeds: trained,
    executor,
    adapters,
  }: Pick<FigureContext, "dataset" | "tokenizer" | "seeds" | "executor" | "adapters">,
  meaning: Meaning,
  samples = count * seeds.length,
): Contract => ({
  version: CONTRACT_VERSION,
  event: "generated-tokens",
  bound: "estimate",
  estimator: { kind: "sample-statistic", samples, samplingSteps: sampling.steps ?? NOT_STATED },
  denominator: { kind: "samples", samples, source: "texts generated" },
  window: NOT_STATED,
  specials: NOT_STATED,
  sideInformation: NOT_STATED,
  data: {
    ...(typeof from === "object" ? testData(from, task) : { dataset, split: "validation" }),
    slice:
      typeof from === "object"
        ? "prompts of its items"
        : from === "validation"
          ? "given tokens of its rows"
          : "unconditional",
    coverage: NOT_STATED,
    export: NOT_STATED,
  },
  tokenizer: { id: tokenizer.id, digest: tokenizer.digest ?? NOT_STATED },
  reduction: "mean-of-ratios",
  grader: "none",
  selection: "last-checkpoint",
  precision: executor === undefined ? NOT_STATED : executor.precision === "fp32" ? "fp32" : "bf16",
  seeds: trained ?? NOT_STATED,
  ...meaning,
  ...(adapters === undefined ||
  meaning.estimator === undefined ||
  meaning.estimator === NOT_STATED ||
  meaning.estimator.kind !== "graded-generation"
    ? {}
    : { estimator: { ...meaning.estimator, decoding: JSON.stringify({ ...sampling, adapters }) } }),
})

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

/** Generated tokens of a text; a PAD within it is none. */
export const generatedLength = (item: SampleItem, padId: number): number =>
  generatedTokens(item).filter((token) => token !== padId).length

/** Up to the end that a network of fixed length wrote. */
const generatedTokens = ({ tokens, content }: SampleItem): readonly number[] => tokens.slice(0, content)

const lengthFigures = (
  make: Make,
  lengths: readonly number[],
  data: readonly number[] | undefined,
): readonly ItemFigure[] => {
  const own = make(
    "mean-length",
    "mean length of generated text",
    { quantity: "sample-length", unit: "tokens" },
    mean(lengths),
    {
      interval: ofMean(lengths),
      notes: data === undefined ? [] : [`The data's is ${mean(data).toFixed(2)} (${data.length} rows).`],
    },
  )
  if (data === undefined || data.length === 0) return [own]
  const distance = (name: string, label: string, unit: "score" | "tokens", of: typeof wasserstein) =>
    make(name, label, { quantity: "divergence", unit }, of(lengths, data), {
      interval: resampled(lengths, (values) => of(values, data)),
      notes: [`Lengths of ${lengths.length} texts against those of ${data.length} rows of the data.`],
    })
  return [
    own,
    distance("length-ks", "Kolmogorov-Smirnov distance of lengths", "score", kolmogorovSmirnov),
    distance("length-wasserstein", "Wasserstein distance of lengths", "tokens", wasserstein),
  ]
}

const entropyFigures = (make: Make, items: readonly SampleItem[]): readonly ItemFigure[] => {
  const texts = items.map(generatedTokens).filter(({ length }) => length > 0)
  if (texts.length === 0) return []
  const { perText, pooled } = unigramEntropy(texts)
  const each = texts.map(frequencyEntropy)
  const interval = ofMean(each)
  const inBits =
    interval === null ? null : { ...interval, low: interval.low / Math.LN2, high: interval.high / Math.LN2 }
  const notes = [
    `${texts.length} texts with a token; all of them together ${pooled.toFixed(4)} nats (${(pooled / Math.LN2).toFixed(4)} bits).`,
  ]
  const label = "unigram entropy within a text, generator's tokens"
  return [
    make("entropy", label, { quantity: "entropy", unit: "nats" }, perText, { interval, notes }),
    make("entropy-bits", label, { quantity: "entropy", unit: "bits" }, perText / Math.LN2, {
      interval: inBits,
      notes,
    }),
  ]
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

const ceilingNote = ({ exact, arrival, known }: Ceiling, texts: number): string =>
  [
    `Without a fault, a network that knows this one text alone writes as many tokens at most ${percent(exact)} of the time with this sampler, and is exact no more often: steps insert Poisson numbers, and the last inserts nothing (were each token to arrive on its own, ${percent(arrival)}).`,
    ...(known === undefined
      ? []
      : [`With the random numbers of these texts it is exact in ${known} of ${texts}.`]),
  ].join(" ")

/** End-of-text was written nearly everywhere, whatever it is that was asked. */
const FLOODED = 0.9

const isFlooded = ({ ends = 0, room, given }: SampleItem): boolean => ends >= FLOODED * (room - given)

/** Texts that each grader could take no answer from, of graders that there are any of. */
const unextracted = (
  items: readonly SampleItem[],
): readonly (readonly [string, ReadonlySet<SampleItem>])[] => {
  const found = new Map<string, Set<SampleItem>>()
  for (const item of items)
    for (const [grader, { failure }] of Object.entries(item.graders ?? {})) {
      const texts = found.get(grader) ?? new Set()
      if (failure === "unextracted") texts.add(item)
      found.set(grader, texts)
    }
  return [...found].filter(([, texts]) => texts.size > 0)
}

const shareFigures = (
  make: Make,
  items: readonly SampleItem[],
  { padId, maskId, ceiling }: FigureContext,
): readonly ItemFigure[] => {
  const share = (
    name: string,
    label: string,
    is: (item: SampleItem) => boolean,
    more: readonly string[] = [],
  ): ItemFigure => {
    const count = items.filter(is).length
    return make(name, label, { quantity: "sample-share", unit: "proportion" }, count / items.length, {
      interval: ofShare(count, items.length),
      notes: [`${count} of ${items.length} texts.`, ...more],
    })
  }
  const known = items.every(({ target }) => target !== undefined)
  const canBeCut = items.some(({ exit }) => exit !== "filled")
  return [
    ...(known
      ? [
          share(
            "exact",
            "texts that are the data's own",
            ({ text, target }) => text === target,
            ceiling === undefined ? [] : [ceilingNote(ceiling, items.length)],
          ),
        ]
      : []),
    share("empty", "empty texts", (item) => generatedLength(item, padId) === 0),
    ...(canBeCut
      ? [share("capped", "texts that fill their room", ({ exit }) => exit === "full" || exit === "length")]
      : []),
    ...(items.some(({ ends }) => ends !== undefined)
      ? [
          share("flooded", "texts whose room is nine tenths end-of-text", isFlooded),
          share("overrun", "texts with tokens behind their end", ({ behind = 0 }) => behind > 0),
        ]
      : []),
    ...unextracted(items).map(([grader, texts]) =>
      share(`unextracted-${grader}`, `texts without an answer, ${grader}`, (item) => texts.has(item)),
    ),
    share("broken", "texts with PAD inside", ({ tokens }) => tokens.includes(padId)),
    share("masked", "texts with a MASK left", ({ tokens }) => tokens.includes(maskId)),
  ]
}

/** What a grader's share of right texts means. */
export const gradedMeaning = (
  { task = "", sampling }: Pick<Samples, "sampling"> & Partial<Pick<Samples, "task">>,
  grader: string,
  items: number,
): Meaning => ({
  quantity: "accuracy",
  unit: "proportion",
  event: "task-items",
  estimator: {
    kind: "graded-generation",
    attempts: 1,
    samplingSteps: sampling.steps ?? NOT_STATED,
    shots: NOT_STATED,
    decoding: JSON.stringify(sampling),
  },
  denominator: { kind: "items", items, source: "texts that were graded" },
  reduction: "ratio-of-sums",
  grader: `${task}/${grader}`,
})

/** What a grader's figure says, apart from its verdicts; the evidence says no more of a grader than its id. */
const gradeFigures = (
  make: Make,
  items: readonly SampleItem[],
  evaluation: Samples,
): readonly ItemFigure[] => {
  const graders = [...new Set(items.flatMap((item) => Object.keys(item.graders ?? {})))]
  return graders.map((id) => {
    const graded = items.filter((item) => item.graders?.[id] !== undefined)
    const right = graded.filter((item) => item.graders![id]!.correct).length
    const failures = new Map<string, number>()
    for (const item of graded) {
      const { failure } = item.graders![id]!
      if (failure !== undefined) failures.set(failure, (failures.get(failure) ?? 0) + 1)
    }
    return make(
      id,
      `${evaluation.task ?? "task"}, ${id}`,
      gradedMeaning(evaluation, id, graded.length),
      right / graded.length,
      {
        interval: ofShare(right, graded.length),
        notes: [
          `${right} of ${graded.length} texts right.`,
          ...(failures.size === 0
            ? []
            : [`${[...failures].map(([name, count]) => `${name} ${count}`).join(", ")}.`]),
        ],
      },
    )
  })
}

const growthNotes = (items: readonly SampleItem[]): readonly string[] => {
  const sum = (of: (item: SampleItem) => number | undefined): number | undefined =>
    items.some((item) => of(item) !== undefined)
      ? items.reduce((total, item) => total + (of(item) ?? 0), 0)
      : undefined
  const tokens = items.reduce((total, item) => total + item.tokens.length, 0)
  const last = sum(({ revealedLast }) => revealedLast)
  const overflows = sum(({ overflows: each }) => each)
  const proposals = sum(({ proposals: each }) => each)
  const violations = sum(({ violations: each }) => each)
  return [
    ...(last === undefined || tokens === 0
      ? []
      : [
          `${last} of ${tokens} generated tokens (${((100 * last) / tokens).toFixed(2)} %) were revealed together in the last step.`,
        ]),
    ...(overflows === undefined || overflows === 0
      ? []
      : [`${overflows} steps asked for more tokens than the canvas holds.`]),
    ...(proposals === undefined || proposals === 0
      ? []
      : [
          `${violations ?? 0} of ${proposals} proposals (${((100 * (violations ?? 0)) / proposals).toFixed(3)} %) were above the bound.`,
        ]),
  ]
}

/** Logits differ between machines and precisions, so both stand beside the figures. */
const machineNotes = ({ executor, adapters }: FigureContext): readonly string[] =>
  executor === undefined
    ? []
    : [
        `Generated with ${executor.name} ${executor.version}, ${executor.precision}${adapters === undefined ? "" : ", adapters merged into their layers"}.`,
      ]

/**
 * Every figure of the items.
 *
 * @param data lengths of what was generated in the rows of the data; undefined where rows have one length
 */
export const sampleFigures = (
  evaluation: Samples,
  items: readonly SampleItem[],
  data: readonly number[] | undefined,
  context: FigureContext,
): readonly ItemFigure[] => {
  if (items.length === 0) return []
  const make: Make = (name, label, meaning, value, rest = {}) => ({
    name,
    label,
    contract: sampleContract(evaluation, context, meaning, items.length),
    value,
    interval: null,
    notes: [],
    ...rest,
  })
  const figures = [
    ...gradeFigures(make, items, evaluation),
    ...lengthFigures(
      make,
      items.map((item) => generatedLength(item, context.padId)),
      data,
    ),
    ...(context.judged === undefined ? [] : judgedFigures(make, context.judged, items.map(generatedTokens))),
    ...entropyFigures(make, items),
    ...shareFigures(make, items, context),
  ]
  const [first, ...others] = figures
  return [{ ...first!, notes: [...first!.notes, ...machineNotes(context), ...growthNotes(items)] }, ...others]
}
