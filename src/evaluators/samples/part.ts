/** Samples: what the texts of a network are like, whatever its objective. */
import { samplingProblem, type RowKind } from "../../spec/sampling.js"
import { problem, type RuleSubject } from "../../families/part.js"
import { parseEvidenceHeader, type EvidenceFile } from "../evidence.js"
import type { EvaluatorPart } from "../part.js"
import type { ItemSummary } from "../summary.js"
import { taskIds, taskOf } from "../../tasks/index.js"
import { ceilingIn, generatedLength, gradedMeaning, sampleContract, sampleFigures } from "./figures.js"
import type { SampleItem } from "./item.js"
import { judgedIn } from "./judged.js"
import { Samples } from "./schema.js"

const rowsOf = ({ parts, model }: Pick<RuleSubject, "parts" | "model">): RowKind =>
  parts.network.endSlot?.(model) !== undefined
    ? "growing"
    : parts.objective.scored === "all"
      ? "causal"
      : "masked"

/** Lengths that the evidence holds, of the rows of the data that the texts are set beside. */
const dataLengths = (file: EvidenceFile): readonly number[] | undefined => {
  const tensor = file.tensors.get("dataLengths")
  return tensor === undefined ? undefined : Array.from(tensor.data as Int32Array)
}

const summarise = (file: EvidenceFile, subject: string, dataset: string): readonly ItemSummary[] => {
  const header = parseEvidenceHeader(file.metadata, subject)
  const evaluation = header.evaluation as unknown as Samples
  const items = (file.items ?? []) as readonly SampleItem[]
  const { id, digest, padId, maskId } = header.tokenizer
  const data = dataLengths(file)
  return [
    {
      evaluationId: evaluation.id,
      evaluation: header.evaluation,
      item: "text",
      items: items.length,
      figures: sampleFigures(evaluation, items, data, {
        dataset,
        tokenizer: { id, digest },
        padId,
        maskId,
        ...ceilingIn(file.tensors.get("ceiling")),
        executor: header.executor,
        judged: judgedIn(file, header),
        ...(header.adapters === undefined ? {} : { adapters: header.adapters }),
      }),
      ...(data === undefined
        ? {}
        : { lengths: { texts: items.map((item) => generatedLength(item, padId)), data } }),
      forwards: header.forwards,
      seconds: header.seconds,
      ...(header.acceleratorBytes === undefined ? {} : { acceleratorBytes: header.acceleratorBytes }),
    },
  ]
}

/** Of the first figure: a task's first grader, where texts are graded. */
const firstMeaning = (evaluation: Omit<Samples, "id">): Parameters<typeof sampleContract>[2] => {
  const { task, graders, count, seeds } = evaluation
  const known = task !== undefined && taskIds().includes(task)
  return known
    ? gradedMeaning(evaluation, graders?.[0] ?? taskOf(task).usual[0]!, count * seeds.length)
    : { quantity: "entropy", unit: "nats" }
}

export const samples: EvaluatorPart<Samples> = {
  kind: "samples",
  schema: Samples,
  needs: "sampler",
  rules: [
    (evaluation, at, subject) => {
      const found = samplingProblem(evaluation.sampling, rowsOf(subject))
      return (
        found !== undefined &&
        problem(`${at}/sampling/${found.field}`, found.expected, found.found, found.hint)
      )
    },
    ({ from, sampling }, at, subject) =>
      from !== undefined &&
      from !== "nothing" &&
      rowsOf(subject) !== "growing" &&
      sampling.sampler !== "blocks" &&
      problem(
        `${at}/from`,
        '"nothing": rows of this network have a fixed length and no given tokens',
        JSON.stringify(from),
        sampling.sampler === undefined ? "Leave it out." : undefined,
      ),
    ({ graders, task }, at) =>
      graders !== undefined &&
      task === undefined &&
      problem(`${at}/task`, "the task whose graders are named", "nothing", 'Such as "star" or "brackets".'),
    ({ from, task }, at) =>
      typeof from === "object" &&
      task === undefined &&
      problem(`${at}/task`, "the task that the test set is of", "nothing", 'Such as "tinygsm" or "gsm8k".'),
    ({ from }, at, { data }) =>
      typeof from === "object" &&
      data.batching.kind !== "documents" &&
      problem(
        `${at}/from`,
        'a test set where rows have prompts: data.batching.kind "documents"',
        JSON.stringify(data.batching.kind),
      ),
    ({ seeds }, at) => {
      const twice = seeds.findIndex((seed, i) => seeds.indexOf(seed) < i)
      return twice >= 0 && problem(`${at}/seeds/${twice}`, "each seed once", seeds[twice])
    },
  ],
  cost: ({ count, seeds, sampling }, length = sampling.length ?? 1) => ({
    item: "sample",
    items: count * seeds.length,
    length: sampling.length ?? length,
    // Each token of a row that grows is inserted and revealed; one of fixed length takes a step or a token at a time.
    // Steps beyond the tokens of a response settle nothing and take no pass.
    forwardsPerItem:
      (sampling.response === undefined
        ? sampling.steps
        : Math.min(sampling.steps ?? sampling.response, sampling.response)) ??
      (sampling.sampler === "events" ? 2 * length : (sampling.length ?? length)),
  }),
  contract: (evaluation, context) =>
    sampleContract(evaluation, context, firstMeaning(evaluation), evaluation.count * evaluation.seeds.length),
  files: ({ from, task }) =>
    typeof from === "object"
      ? [{ path: from.source, about: `test set of ${task ?? "a task"}`, bytes: null }]
      : [],
  sampleSeeds: ({ seeds }) => seeds,
  words: ({ sampling, count, seeds }) =>
    `${count * seeds.length} texts, ${sampling.sampler ?? "the network's usual sampler"}${sampling.steps === undefined ? "" : `, ${sampling.steps} steps`}`,
  headline: () => false,
  summarise,
  pages: [
    {
      id: "samples",
      title: "Samples",
      formula: [
        "KS = max over n of |F(n) - G(n)|; W = sum over n of |F(n) - G(n)|; F, G: shares of texts and of rows of the data of at most n tokens",
        "entropy of a text = -sum over tokens v of (n_v / n) ln(n_v / n), in nats; divided by ln 2 in bits",
        "generative perplexity = exp of a judge's mean -ln p(token | those before it): mean over texts, of all tokens, or mean over chunks of the joined texts",
      ],
      text: "What generated texts are like: their lengths against the data's, how varied their tokens are, how many are empty, fill their room or are broken by a PAD inside, a task's verdicts, and how probable a judge finds them. The judge is the spec of a next-token network: its weights' and its tokenizer's digests stand beside every perplexity, with the entropy and number of texts, and without a judge there is none. Evidence holds every text with its seed and forward passes.",
      hazards: [
        "A low entropy can come from repetition: it judges variety alone, never quality.",
        "Generative perplexity falls with repetition: read it with the entropy beside it, and between equal judges alone; the three reductions differ on the same texts.",
        "Short texts cannot reach the entropy of long ones, so lengths stand beside it.",
        "Distances of few texts are biased upwards; compare equal numbers of texts.",
        "A sampler's steps and rule belong to a model's numbers: the published rules leave a share of the masks to the last step.",
      ],
      citations: [
        "Kim et al. 2025, Any-Order Flexible Length Masked Diffusion, arXiv 2509.01025",
        "Zheng et al. 2024, arXiv 2409.02908: generative perplexity and entropy",
      ],
      example: { kind: "samples", count: 1024, seeds: [0], sampling: { sampler: "events" } },
    },
  ],
}
