/** A plan for people. */
import type { RunPlan } from "./plan.js"

const SI = [
  [1e18, "E"],
  [1e15, "P"],
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
] as const

/** Three significant digits with an SI prefix, for example `3.07 G`; a unit may follow directly. */
export const si = (value: number): string => {
  for (const [size, prefix] of SI)
    if (Math.abs(value) >= size) return `${(value / size).toPrecision(3)} ${prefix}`
  return value.toPrecision(3)
}

const bytes = (value: number): string =>
  value >= 2 ** 30 ? `${(value / 2 ** 30).toFixed(2)} GiB` : `${(value / 2 ** 20).toFixed(1)} MiB`

/** Groups of three digits. */
export const whole = (value: number): string => value.toLocaleString("en-US").replaceAll(",", " ")

/** For example `3 min 12 s`. */
export const duration = (seconds: number): string => {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`
  return `${(seconds / 86_400).toFixed(1)} days`
}

const json = (value: unknown): string => (value === undefined ? "absent" : JSON.stringify(value))

/** A long value in brief: parts that have ids by these, anything else by its beginning. */
const brief = (value: unknown): string => {
  const text = json(value)
  if (text.length <= 120) return text
  const ids = Array.isArray(value) ? value.map((part: { readonly id?: unknown } | null) => part?.id) : []
  return ids.length > 0 && ids.every((id) => typeof id === "string")
    ? `${ids.length} (${ids.join(", ")})`
    : `${[...text].slice(0, 100).join("")}… (whole with --json)`
}

const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : ["", title, ...lines.map((line) => `  ${line}`)]

const acceleratorLines = ({ accelerator, training }: RunPlan): readonly string[] =>
  accelerator === undefined
    ? []
    : [
        `${bytes(accelerator.total)}: frozen weights ${bytes(accelerator.frozen)}, trained weights with gradients and moments ${bytes(accelerator.trained)}, activations of one micro-batch ${bytes(accelerator.activations)}`,
        accelerator.fits.length === 0
          ? "it fits no accelerator that is known here"
          : `fits ${accelerator.fits.join(", ")}; up to ${whole(accelerator.most)} of them share the ${training.sequencesPerStep} sequences of a step`,
      ]

/** Lines of text, without a final newline. */
export const renderPlan = (plan: RunPlan): string => {
  const { training, parameters, flops, memory, time } = plan
  const cores = time.rate.device === "cpu" ? ` on ${time.cores} core${time.cores === 1 ? "" : "s"}` : ""
  return [
    `${plan.spec.title}`,
    `${plan.spec.file}, profile ${plan.spec.profile}, ${plan.spec.fingerprint}`,
    ...section(
      "Begins from, each stage run first where it is not finished",
      (plan.chain ?? []).map(
        ({ spec, profile, steps, positions, flops: cost, seconds, fingerprint }) =>
          `${spec}, profile ${profile}: ${steps === 0 ? "weights as they are" : `${whole(steps)} steps, ${si(positions)} positions`}, ${si(cost)}FLOP, about ${duration(seconds)} (${fingerprint})`,
      ),
    ),
    ...section(
      "Judged by, each run first where it is not finished",
      (plan.judges ?? []).map(
        ({ evaluation, spec, profile, made, texts, window, forwards, flops: cost, memory: held, seconds }) =>
          `${evaluation}: ${spec}, profile ${profile}: ${made.steps === 0 ? "weights as they are" : `${whole(made.steps)} steps, about ${duration(made.seconds)}`}; ${whole(texts)} texts in up to ${whole(forwards)} forwards of ${whole(window)} tokens, ${si(cost)}FLOP, about ${duration(seconds)}, up to ${bytes(held)} beside the network (${made.fingerprint})`,
      ),
    ),
    ...section("Training", [
      `${whole(training.steps)} steps: ${training.groups} shard group${training.groups === 1 ? "" : "s"} of ${whole(training.stepsPerGroup)}`,
      `${whole(training.positionsPerStep)} positions a step (${training.sequencesPerStep} sequences), ${si(training.positions)} positions in all`,
      `${whole(parameters.total)} parameters: ${parameters.groups.map(({ name, count }) => `${name} ${whole(count)}`).join(", ")}`,
    ]),
    ...section("Cost", [
      `${si(flops.trainingPerPosition)}FLOP a position, ${si(flops.perStep)}FLOP a step, ${si(flops.training)}FLOP to train, ${si(flops.evaluation)}FLOP to evaluate`,
      `${bytes(memory.total)} of memory in fp32 (activations ${bytes(memory.activations)}, parameters, gradients and optimiser ${bytes(memory.parameters + memory.gradients + memory.optimizer + memory.average)}, shards ${bytes(memory.shards)})`,
      `about ${duration(time.total)}${cores} (training ${duration(time.training)}, evaluation ${duration(time.evaluation)}), data preparation apart`,
      `  at the rate of ${time.rate.description}: ${time.rate.source}`,
    ]),
    ...section("Each accelerator, in bf16 with fp32 moments", acceleratorLines(plan)),
    ...section(
      "Evaluations",
      plan.evaluations.map(
        ({ id, kind, item = "window", windows, tokens, forwardsPerWindow, flops: cost }) =>
          `${id}: ${kind}, up to ${whole(windows)} ${item}s, ${whole(tokens)} tokens, ${whole(forwardsPerWindow)} forwards a ${item}, ${si(cost)}FLOP`,
      ),
    ),
    ...section(
      "Numbers it produces",
      plan.contracts.map(({ evaluation, contract }) => {
        const denominator =
          typeof contract.denominator === "string" ? contract.denominator : contract.denominator.kind
        const side = typeof contract.sideInformation === "string" ? [] : contract.sideInformation
        return `${evaluation}: ${contract.unit}, ${contract.bound}, denominator ${denominator}${side.length === 0 ? "" : `, side information: ${side.join(", ")}`}`
      }),
    ),
    ...section(
      "Random streams",
      plan.streams.map(({ name, seed, used }) => `${name} (seed ${seed}): ${used}`),
    ),
    ...section(
      "Reads",
      plan.files.reads.map(
        ({ path, about, bytes: size }) => `${path}: ${about}${size === null ? "" : `, ${bytes(size)}`}`,
      ),
    ),
    ...section(
      "Writes",
      plan.files.writes.map(({ path, about }) => `${path}: ${about}`),
    ),
    ...section(
      `Differs from the published configuration in ${plan.differences.length} places`,
      plan.differences.map(
        ({ pointer, paper, profile }) => `${pointer}: ${brief(paper)} -> ${brief(profile)}`,
      ),
    ).slice(plan.differences.length === 0 ? Infinity : 0),
    ...section("Claims it is set beside", plan.claims),
    ...section("Warnings", plan.warnings),
  ].join("\n")
}
