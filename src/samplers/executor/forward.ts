/**
 * Passes of samplers over an executor. The body of the network runs over whole rows, those of like length together;
 * the token head runs at the positions that a step changes, of all rows together.
 *
 * A row's numbers do not depend on the rows beside it, so that a text is the same whatever it is sampled with, up to how
 * an executor rounds programs of several shapes: some 1e-6 of a logit.
 */
import type { Executor, HostTensors } from "../../engine/executor.js"
import type { FlexForward, MaskedForward, Place, TokenPass } from "../forward.js"
import { makeBody, type BodyOutput } from "./body.js"
import { makeHead, type Asked, type Features } from "./head.js"
import type { SampledNetwork } from "./network.js"
import { openPrograms, part, type Programs } from "./programs.js"
import { makeSteps } from "./steps.js"

export interface ForwardOptions {
  /** Tokens of a row at most, its given ones included. */
  readonly canvas: number
  readonly padId: number
  /** Rows in one pass at most; as many as fill one when absent. */
  readonly batch?: number | undefined
}

export interface ExecutorForward extends FlexForward {
  /** Rows without padding or time. */
  readonly masked: MaskedForward
  /** Passes so far, counted in rows. */
  readonly forwards: () => number
  readonly dispose: () => Promise<void>
}

const MOST_ROWS = 64

interface Parts {
  readonly body: Programs
  readonly head: Programs
  /** Programs of body and head together. */
  readonly whole: Programs
  readonly dispose: () => Promise<void>
}

/** Programs of body and head: over one set of weights where none of them holds a copy, else each over its own. */
const openParts = async (
  executor: Executor,
  network: SampledNetwork,
  values: HostTensors,
): Promise<Parts> => {
  const { parameters, merged } = network
  if (executor.repeats !== true) {
    const body = { parameters: parameters.body, adapters: merged?.body }
    const head = { parameters: parameters.head, adapters: merged?.head }
    const bodyPrograms = await openPrograms(executor, "body", body, values)
    const headPrograms = await openPrograms(executor, "head", head, values)
    return {
      body: bodyPrograms,
      head: headPrograms,
      whole: bodyPrograms,
      dispose: async () => {
        await bodyPrograms.dispose()
        await headPrograms.dispose()
      },
    }
  }
  const own = new Set(parameters.body.map(({ name }) => name))
  const adapted = new Set(merged?.body.map(({ weight }) => weight))
  const whole = await openPrograms(
    executor,
    "network",
    {
      parameters: [...parameters.body, ...parameters.head.filter(({ name }) => !own.has(name))],
      adapters: [
        ...(merged?.body ?? []),
        ...(merged?.head.filter(({ weight }) => !adapted.has(weight)) ?? []),
      ],
    },
    values,
  )
  return {
    body: part(whole, "body", parameters.body),
    head: part(whole, "head", parameters.head),
    whole,
    dispose: whole.dispose,
  }
}

export const openForward = async (
  executor: Executor,
  network: SampledNetwork,
  values: HostTensors,
  { canvas, padId, batch = MOST_ROWS }: ForwardOptions,
): Promise<ExecutorForward> => {
  const programs = await openParts(executor, network, values)
  const { body: bodyPrograms, head: headPrograms } = programs
  const growing = makeBody(network, bodyPrograms, { canvas, padId, batch })
  const exact = makeBody(network, bodyPrograms, { canvas: "exact", padId, batch })
  const head = makeHead(network, headPrograms)
  const steps = makeSteps(network, programs.whole, { padId, batch })
  let forwards = 0

  const featuresAt = ({ features }: BodyOutput, position: number): Float32Array =>
    features.subarray(position * network.width, (position + 1) * network.width)

  const passOf = (features: (place: Place) => Features): TokenPass => {
    const asked = (place: Place, uniform = 0): Asked => ({ ...features(place), uniform })
    return {
      draw: async (at, rule) => {
        const answers = await head(
          { kind: "draw", rule },
          at.map((place) => asked(place, place.uniform)),
        )
        return {
          tokens: Int32Array.from(answers, ({ token }) => token),
          probabilities: Float64Array.from(answers, ({ value }) => value),
        }
      },
      confidence: async (at, by, ranking, banned) => {
        if (by === "position") return Float64Array.from(at, ({ position }) => -position)
        const answers = await head(
          { kind: "confidence", by, ranking, banned },
          at.map((place) => asked(place)),
        )
        return Float64Array.from(answers, ({ value }) => value)
      },
      probability: async (at, id) => {
        const answers = await head(
          { kind: "probability", id },
          at.map((place) => asked(place)),
        )
        return Float64Array.from(answers, ({ value }) => value)
      },
    }
  }

  return {
    forward: async (states) => {
      const rows = await growing(states)
      forwards += states.length
      return {
        gaps: rows.map(({ gaps }) => gaps),
        ...passOf(({ row, position }) => ({ given: featuresAt(rows[row]!, position) })),
      }
    },
    masked: {
      forward: async (given, guidance) => {
        const all = [...given, ...(guidance?.unconditional ?? [])]
        const rows = await exact(all.map((tokens) => ({ tokens })))
        forwards += all.length
        return passOf(({ row, position }) =>
          guidance === undefined
            ? { given: featuresAt(rows[row]!, position) }
            : {
                given: featuresAt(rows[row]!, position),
                without: featuresAt(rows[given.length + row]!, position),
                scale: guidance.scale,
              },
        )
      },
      steps: (rows, length, block) => {
        const make = steps(rows, length, block)
        return make === undefined
          ? undefined
          : async (given, each, rule) => {
              forwards += given.length * each.length
              return make(given, each, rule)
            }
      },
    },
    forwards: () => forwards,
    dispose: programs.dispose,
  }
}
