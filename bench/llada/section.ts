/** The LLaDA part of RESULTS.md. */
import { over, seconds, verdict } from "../insertion/section.js"
import { table } from "../table.js"
import type { Verdict } from "../targets.js"
import { medianOf, torchName, type Seconds, type StepTimes } from "../turns.js"
import type { LladaMeasured } from "./measure.js"

/** Stored results of another format are not read. */
export const LLADA_FORMAT = 2

export interface LladaResults {
  readonly format: typeof LLADA_FORMAT
  readonly date: string
  readonly hardware: string
  readonly load: number
  readonly commit: string | undefined
  readonly command: string
  /** One for each shape. */
  readonly measured: readonly LladaMeasured[]
}

const isOurs = ({ id }: StepTimes): boolean =>
  !id.startsWith("torch eager") && !id.startsWith("torch compile")
const roundsOf = (times: readonly StepTimes[], id: string): readonly Seconds[] | undefined =>
  times.find((each) => each.id === id)?.rounds
const bestOf = (times: readonly StepTimes[]): StepTimes | undefined =>
  times.filter(isOurs).toSorted((a, b) => medianOf(a.rounds).cpu - medianOf(b.rounds).cpu)[0]

/** What the measurements are held to, in processor seconds. */
export const lladaVerdicts = (measured: readonly LladaMeasured[] = []): readonly Verdict[] =>
  measured.flatMap(shapeVerdicts)

const shapeVerdicts = ({ shape, steps, sampling }: LladaMeasured): readonly Verdict[] => {
  const eager = torchName("eager")
  const row = (what: string, times: readonly StepTimes[], against: string, target: number): Verdict => {
    const best = bestOf(times)
    return verdict(
      `LLaDA ${what}, ${shape.name}`,
      `${best?.id ?? "ours"} against ${against}`,
      target,
      over(roundsOf(times, eager), best?.rounds),
    )
  }
  return [
    row("tuning step", steps, eager, 2),
    row("sampling, a token a step", sampling.times, "the published sampler", 3),
  ]
}

const rowsOf = (times: readonly StepTimes[]) =>
  times.map(({ id, rounds }) => {
    const ratio = over(roundsOf(times, torchName("eager")), rounds)
    return [
      id,
      seconds(medianOf(rounds).cpu),
      seconds(medianOf(rounds).wall),
      String(rounds.length),
      ratio === undefined ? "" : `${ratio.toFixed(2)}x`,
    ]
  })

export const lladaSection = (
  { date, hardware, load, commit, command, measured }: LladaResults,
  why: string | undefined,
): string => {
  return [
    "# LLaDA",
    `\`${command}\`, ${date}, ${hardware}, load before the start ${load.toFixed(1)}, commit ${commit ?? "unknown"}. The reference is \`bench/reference/llada_torch.py\`: adapters as PEFT adds them, logits at every position; the sampler sees the whole row in every step, its adapters merged. Ours is what \`repro run\` and \`repro sample\` do. Contenders take turns; figures are medians of processor seconds of all threads.`,
    ...(why === undefined ? [] : [why.trim()]),
    ...measured.map(shapeSection),
  ].join("\n\n")
}

const shapeSection = ({ shape, threads, losses, steps, sampling, failures }: LladaMeasured): string =>
  [
    `## ${shape.name}: ${shape.layers} layers, width ${shape.width}, ${shape.heads} heads, MLP ${shape.mlpWidth}, ${shape.rows} x ${shape.length} tokens, vocabulary ${shape.classes}, rank ${shape.rank}, ${threads} thread${threads === 1 ? "" : "s"}`,
    `Rows without padding, a quarter of each a prompt. Loss of the first batch against PyTorch: ${losses.map(({ id, difference }) => `${id} differs by ${difference.toExponential(1)}`).join(", ")}.`,
    table(["tuning step", "processor", "wall", "steps", "against eager"], rowsOf(steps)),
    `Sampling ${sampling.texts} texts together, ${sampling.response} tokens in blocks of ${sampling.block}, a token a step, low-confidence remasking, T = 0. Tokens that are those of the published sampler: ${sampling.agreement.map(({ id, share }) => `${id} ${(100 * share).toFixed(1)} %`).join(", ")}.`,
    table(["sampler, all texts", "processor", "wall", "runs", "against eager"], rowsOf(sampling.times)),
    ...failures.map(({ id, why: reason }) => `Not measured: ${id} (${reason.split("\n")[0]}).`),
  ].join("\n\n")
