/** What `repro sample` prints for people. */
import type { SamplingSettings } from "../samplers/masked/settings.js"
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

export const describeSettings = (
  settings: SamplingSettings,
  about: string,
  { tokens, forwards, tokensPerSecond, entropy, finished }: SampleFigures,
): readonly string[] => {
  const { sampler, count, length, steps, block, temperature, topP, seed } = settings
  const how = block === undefined ? sampler : `semi-autoregressive, blocks of ${block}, ${sampler}`
  const texts = `${count} text${count === 1 ? "" : "s"}`
  if (tokens === 0 && !finished) return [about, "Stopped before the first text was complete."]
  return [
    about,
    `${how}; ${steps} steps; temperature ${temperature}; top-p ${topP}; seed ${seed}`,
    `${finished ? texts : `stopped before ${texts} were complete`}, at most ${length} tokens each; ${whole(tokens)} tokens generated`,
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
