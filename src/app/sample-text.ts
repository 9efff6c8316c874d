/** What `repro sample` prints for people. */
import type { Resolved, TextsRequest } from "../samplers/texts.js"
import type { UnigramEntropy } from "../metric/samples/unigram-entropy.js"

/** Control characters, which a model may spell byte by byte, as pictures: nothing it writes steers the terminal. */
export const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (character) => {
    const code = character.charCodeAt(0)
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "\u2421" : "\ufffd"
  })

export interface SampleFigures {
  readonly tokens: number
  readonly forwards: number
  readonly tokensPerSecond: number
  readonly entropy: UnigramEntropy
  readonly finished: boolean
}

const rate = (nats: number): string =>
  `${nats.toFixed(3)} nats/token (${(nats / Math.LN2).toFixed(3)} bits/token)`

const whole = (value: number): string => Math.round(value).toLocaleString("en-US").replaceAll(",", " ")

/** Steps of one text, or about as many passes as event-driven sampling takes at most. */
export const stepsOf = (resolved: Resolved): number =>
  resolved.kind === "blocks"
    ? (resolved.steps ?? resolved.room)
    : resolved.kind === "fixed"
      ? resolved.settings.steps
      : resolved.settings.kind === "steps"
        ? resolved.settings.settings.steps
        : 2 * resolved.model.canvas

/** Tokens of the longest text. */
export const lengthOf = (resolved: Resolved): number =>
  resolved.kind === "blocks"
    ? resolved.room
    : resolved.kind === "fixed"
      ? resolved.settings.length
      : resolved.model.canvas

const temperatureOf = ({ sampling }: TextsRequest, resolved: Resolved): number =>
  resolved.kind === "blocks" ? resolved.temperature : (sampling.temperature ?? 1)

/** The settings for programs: those of fixed rows, or of rows that grow with their schedules. */
export const settingsFields = (
  request: TextsRequest,
  resolved: Resolved,
): Readonly<Record<string, unknown>> => {
  const { sampling, seed, texts } = request
  if (resolved.kind === "blocks")
    return {
      sampler: "blocks",
      count: texts.length,
      length: resolved.room,
      steps: stepsOf(resolved),
      block: resolved.block ?? null,
      remasking: resolved.remasking,
      temperature: resolved.temperature,
      topP: 1,
      seed,
    }
  if (resolved.kind === "fixed") return { ...resolved.settings, block: resolved.settings.block ?? null }
  const { model, settings } = resolved
  return {
    sampler: sampling.sampler ?? "events",
    count: texts.length,
    length: model.canvas,
    steps: settings.kind === "steps" ? settings.settings.steps : null,
    temperature: sampling.temperature ?? 1,
    topP: sampling.topP ?? 1,
    seed,
    settings: settings.settings,
    schedules: model.schedules,
  }
}

const howSampled = ({ sampling }: TextsRequest, resolved: Resolved): readonly string[] => {
  if (resolved.kind === "blocks")
    return [
      resolved.block === undefined ? "the response as one block" : `blocks of ${resolved.block}`,
      `remasking ${resolved.remasking}`,
      `${stepsOf(resolved)} steps`,
    ]
  if (resolved.kind === "fixed") {
    const { sampler, block, steps } = resolved.settings
    return [
      block === undefined ? sampler : `semi-autoregressive, blocks of ${block}, ${sampler}`,
      `${steps} steps`,
    ]
  }
  const { settings } = resolved
  if (settings.kind === "events") {
    const { confidence } = settings.settings
    return ["event-driven", ...(confidence === undefined ? [] : [`the surest mask first, by ${confidence}`])]
  }
  const { unmasking, overflow, steps, specials, grid } = settings.settings
  return [
    unmasking.kind === "leap"
      ? `${sampling.sampler ?? "tau"}, ${unmasking.fire}`
      : `confidence by ${unmasking.by}${unmasking.hazard ? "" : " without the hazard"}${unmasking.window === undefined ? "" : `, window ${unmasking.window.factor},${unmasking.window.most}`}`,
    `${steps} steps${grid === "short" ? " of the short grid" : ""}`,
    `overflow ${overflow}`,
    ...(specials === "excluded" ? [] : ["MASK and PAD may be drawn"]),
  ]
}

export const describeSettings = (
  request: TextsRequest,
  resolved: Resolved,
  about: string,
  { tokens, forwards, tokensPerSecond, entropy, finished }: SampleFigures,
): readonly string[] => {
  const { topP = 1 } = request.sampling
  const count = request.texts.length
  const texts = `${count} text${count === 1 ? "" : "s"}`
  if (tokens === 0 && !finished) return [about, "Stopped before the first text was complete."]
  return [
    about,
    [
      ...howSampled(request, resolved),
      `temperature ${temperatureOf(request, resolved)}`,
      `top-p ${topP}`,
      `seed ${request.seed}`,
    ].join("; "),
    `${finished ? texts : `stopped before ${texts} were complete`}, at most ${lengthOf(resolved)} tokens each; ${whole(tokens)} tokens generated`,
    `unigram entropy ${rate(entropy.perText)}${count === 1 ? "" : ", mean of the texts"}`,
    ...(count === 1 ? [] : [`unigram entropy ${rate(entropy.pooled)} in all of them together`]),
    `${whole(forwards)} forward passes, ${(forwards / Math.max(1, tokens)).toFixed(2)} a token; ${whole(tokensPerSecond)} tokens/s`,
  ]
}

export const showTexts = (
  texts: readonly { readonly index: number; readonly text: string }[],
  figures: readonly string[],
): string =>
  [
    ...texts.flatMap(({ index, text }) => [`── text ${index + 1} ──`, printable(text) || "(empty)", ""]),
    ...figures,
  ].join("\n")
