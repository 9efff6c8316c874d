/** Texts of LLaDA: a response behind what is given, which ends with the first token that ends a text. */
import { stream } from "../../diffusion/philox.js"
import type { Executor, HostTensors } from "../../engine/executor.js"
import type { Network } from "../../model/network.js"
import { openForward } from "../executor/forward.js"
import { SamplingError } from "../masked/settings.js"
import { lladaTexts, type LladaSettings } from "./blocks.js"

export interface BlocksRequest {
  readonly kind: "blocks"
  readonly seed: number
  /** Tokens of a row. */
  readonly room: number
  readonly maskId: number
  readonly padId: number
  readonly boundaryId: number
  /** Tokens behind what is given; as many as the row has room for when absent. */
  readonly response: number | undefined
  /** Of the whole response; one for each of its tokens when absent. */
  readonly steps: number | undefined
  /** Tokens of a block; the whole response when absent. */
  readonly block: number | undefined
  readonly remasking: LladaSettings["remasking"]
  readonly temperature: number
}

interface Start {
  readonly index: number
  readonly prefix: readonly number[]
  readonly suffix: readonly number[]
}

interface Job {
  readonly executor: Executor
  readonly network: Network
  readonly parameters: HostTensors
  readonly texts: readonly Start[]
  readonly batch?: number | undefined
  readonly stopping?: () => boolean
}

/** Texts that share their passes. */
const TOGETHER = 64

/** Those that begin with equally many tokens, which share their passes. */
const byLength = (texts: readonly Start[]): readonly (readonly Start[])[] => {
  const groups = new Map<number, Start[]>()
  for (const text of texts) {
    const own = groups.get(text.prefix.length)
    if (own === undefined) groups.set(text.prefix.length, [text])
    else own.push(text)
  }
  return [...groups.values()]
}

/** @throws SamplingError where a text has a suffix, or what is given leaves no room */
export const openBlocks = async (
  { executor, network, parameters, texts, batch, stopping }: Job,
  { seed, room, maskId, padId, boundaryId, response, steps, block, remasking, temperature }: BlocksRequest,
) => {
  const { sampled } = network
  if (sampled === undefined)
    throw new SamplingError(
      "blocks: the network's family says nothing of how it is sampled; take confidence.",
    )
  for (const { prefix, suffix } of texts) {
    if (suffix.length > 0)
      throw new SamplingError(
        "blocks: a text is given behind the response; take the sampler confidence, or rows whose middle comes last.",
      )
    if (response === undefined && prefix.length >= room)
      throw new SamplingError(
        `blocks: the given text takes ${prefix.length} of the ${room} tokens of a row and leaves no room to generate.`,
      )
  }
  const together = Math.max(1, Math.min(texts.length, batch ?? TOGETHER))
  const roomOf = (given: number): number => (response === undefined ? room : given + response)
  const canvas = Math.max(...texts.map(({ prefix }) => roomOf(prefix.length)))
  const forward = await openForward(executor, sampled, parameters, { canvas, padId, batch: together })
  const job = {
    forward: forward.masked,
    source: stream(seed, "sample"),
    maskId,
    banned: padId === boundaryId ? [] : [padId],
    ...(stopping === undefined ? {} : { stopping }),
  }
  const group = async (asked: readonly Start[]) => {
    const given = asked[0]!.prefix.length
    const length = roomOf(given) - given
    const own = {
      length,
      block: block ?? length,
      steps: steps ?? length,
      remasking,
      choice: { temperature, topP: 1 },
      guidance: 0,
      specials: "excluded",
    } as const
    const made = await lladaTexts(
      asked.map(({ index, prefix }) => ({ index, tokens: prefix })),
      own,
      job,
    )
    return made.map(({ index, row, forwards }) => {
      const written = row.slice(given)
      const end = written.indexOf(boundaryId)
      return {
        index,
        tokens: row,
        generated: end < 0 ? written : written.slice(0, end),
        given,
        room: roomOf(given),
        forwards,
        ended: end >= 0,
        ends: written.reduce((n, token) => n + (token === boundaryId ? 1 : 0), 0),
        behind:
          end < 0 ? 0 : written.subarray(end).reduce((n, token) => n + (token === boundaryId ? 0 : 1), 0),
      }
    })
  }
  return {
    together,
    make: async (asked: readonly Start[]) => {
      const made = []
      for (const own of byLength(asked)) {
        if (stopping?.() === true) break
        made.push(...(await group(own)))
      }
      return made.sort((a, b) => a.index - b.index)
    },
    dispose: forward.dispose,
  }
}
