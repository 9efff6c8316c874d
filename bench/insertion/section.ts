/** The FlexMDM part of RESULTS.md. */
import { table } from "../table.js"
import type { Verdict } from "../targets.js"
import { engineName, medianOf, torchName, type Seconds } from "../turns.js"
import type { InsertionMeasured } from "./measure.js"

/** Stored results of another format are not read. */
export const INSERTION_FORMAT = 1

export interface InsertionResults {
  readonly format: typeof INSERTION_FORMAT
  readonly date: string
  readonly hardware: string
  readonly load: number
  readonly commit: string | undefined
  readonly command: string
  readonly measured: readonly InsertionMeasured[]
}

const OURS = ["onnxruntime", "tensorflow"] as const
export const seconds = (value: number): string => `${value.toPrecision(3)} s`

export const verdict = (
  what: string,
  measuredAs: string,
  target: number,
  ratio: number | undefined,
  most = false,
): Verdict => {
  const shown = `${most ? "<=" : ">="} ${target}x`
  if (ratio === undefined)
    return { what, measuredAs, target: shown, result: "not measured", met: undefined, remark: "" }
  const met = most ? ratio <= target : ratio >= target
  const short = most ? ratio / target - 1 : 1 - ratio / target
  return {
    what,
    measuredAs,
    target: shown,
    result: `${ratio.toFixed(2)}x`,
    met,
    remark: met ? "" : `missed by ${(100 * short).toFixed(0)} %`,
  }
}

export const over = (
  base: readonly Seconds[] | undefined,
  ours: readonly Seconds[] | undefined,
): number | undefined =>
  base === undefined || ours === undefined ? undefined : medianOf(base).cpu / medianOf(ours).cpu

/** What the measurements are held to; processor seconds are compared, so that other work on the machine counts less. */
export const insertionVerdicts = (measured: readonly InsertionMeasured[]): readonly Verdict[] =>
  measured.flatMap(({ shape, steps, sampling }) => {
    const of = (id: string): readonly Seconds[] | undefined => steps.find((each) => each.id === id)?.rounds
    const best = OURS.map(engineName)
      .flatMap((id) => (of(id) === undefined ? [] : [{ id, cpu: medianOf(of(id)!).cpu }]))
      .sort((a, b) => a.cpu - b.cpu)[0]?.id
    const rows: Verdict[] = (
      [
        ["eager", shape.name === "small" ? 2.5 : 2],
        ["compile", 2],
      ] as const
    )
      .filter(([mode]) => shape.name === "small" || of(torchName(mode)) !== undefined)
      .map(([mode, target]) =>
        verdict(
          `FlexMDM train step, ${shape.name}`,
          `${best ?? "ours"} against ${torchName(mode)}`,
          target,
          best === undefined ? undefined : over(of(torchName(mode)), of(best)),
        ),
      )
    if (sampling === undefined) return rows
    const find = (end: string) => sampling.times.find(({ id }) => id.endsWith(end))
    const [published, own, events] = [
      find("published sampler"),
      find("steps as published"),
      find("event-driven"),
    ]
    const step = own === undefined ? undefined : medianOf(own.rounds).cpu / medianOf(own.passes).cpu
    return [
      ...rows,
      verdict(
        `FlexMDM sampling, ${sampling.steps} steps, canvas ${shape.canvas}`,
        `${own?.id ?? "ours"} against the published sampler`,
        4,
        over(published?.rounds, own?.rounds),
      ),
      verdict(
        "FlexMDM sampling step of its own pass",
        `${own?.id ?? "ours"}, pass without the head`,
        1.3,
        step,
        true,
      ),
      verdict(
        "FlexMDM event-driven sampling of the same texts",
        `${events?.id ?? "ours"} against the published sampler`,
        10,
        over(published?.rounds, events?.rounds),
      ),
    ]
  })

const shapeSection = ({ shape, threads, losses, steps, sampling, failures }: InsertionMeasured): string => {
  const ratios = (rounds: readonly Seconds[]): readonly string[] =>
    (["eager", "compile"] as const).map((mode) => {
      const base = steps.find(({ id }) => id === torchName(mode))?.rounds
      const ratio = over(base, rounds)
      return ratio === undefined ? "" : `${ratio.toFixed(2)}x`
    })
  return [
    `## ${shape.name}: ${shape.layers} layers, width ${shape.width}, ${shape.heads} heads, ${shape.rows} x ${shape.canvas} tokens, vocabulary 50 263, ${threads} thread${threads === 1 ? "" : "s"}`,
    `Documents fill the canvas. Loss of the first batch against PyTorch: ${losses.map(({ id, difference }) => `${id} differs by ${difference.toExponential(1)}`).join(", ")}.`,
    table(
      ["train step", "processor", "wall", "steps", "against eager", "against compile"],
      steps.map(({ id, rounds }) => [
        id,
        seconds(medianOf(rounds).cpu),
        seconds(medianOf(rounds).wall),
        String(rounds.length),
        ...ratios(rounds),
      ]),
    ),
    ...(sampling === undefined
      ? []
      : [
          `Sampling texts of ${sampling.meanLength.toFixed(0)} tokens on a canvas of ${shape.canvas}, per text; ${sampling.texts} texts together. Both sides are told how many tokens are missing, so that untrained weights give texts of the data's length. The published sampler does the same work at every step, so ${sampling.counted} of its ${sampling.steps} are timed and scaled up; ours runs whole.`,
          table(
            ["sampler", "processor", "of that, passes", "wall", "passes a text"],
            sampling.times.map(({ id, rounds, passes, passesPerText }) => [
              id,
              seconds(medianOf(rounds).cpu),
              seconds(medianOf(passes).cpu),
              seconds(medianOf(rounds).wall),
              passesPerText.toFixed(0),
            ]),
          ),
        ]),
    ...failures.map(({ id, why }) => `Not measured: ${id} (${why.split("\n")[0]}).`),
  ].join("\n\n")
}

export const insertionSection = (
  { date, hardware, load, commit, command, measured }: InsertionResults,
  why: string | undefined,
): string =>
  [
    "# FlexMDM",
    `\`${command}\`, ${date}, ${hardware}, load before the start ${load.toFixed(1)}, commit ${commit ?? "unknown"}. The reference is \`bench/reference/flexmdm_torch.py\` and \`flexmdm_bench.py\`: xlm-core's step and sampler, every row on the whole canvas, logits at every position. Ours is what \`repro run\` and \`repro sample\` do. Contenders take turns; figures are medians of processor seconds of all threads, which other work on the machine changes less than the wall clock.`,
    ...(why === undefined ? [] : [why.trim()]),
    ...measured.map(shapeSection),
  ].join("\n\n")
