/** A joint distribution over three tokens of three kinds, small enough to enumerate, with its exact posterior. */
import type { Predictor, PredictRow } from "../../../src/inference/predictor.js"
import type { SampledModel, SamplingSettings } from "../../../src/samplers/masked/settings.js"

export const KINDS = 3
export const LENGTH = 3
const MASK = KINDS

export const MODEL: SampledModel = {
  kind: "masked",
  window: LENGTH,
  vocabSize: KINDS,
  maskId: MASK,
  padId: KINDS + 1,
  boundaryId: KINDS + 2,
  boundary: "maskable",
  schedule: { kind: "log-linear", eps: 1e-3 },
  endsAtBoundary: false,
}

export const SETTINGS: SamplingSettings = {
  sampler: "ancestral",
  count: 1,
  length: LENGTH,
  steps: LENGTH,
  temperature: 1,
  topP: 1,
  seed: 1,
  prefix: [],
  suffix: [],
  cache: true,
}

export const strings = Array.from({ length: KINDS ** LENGTH }, (_, n) => [
  Math.floor(n / 9),
  Math.floor(n / 3) % 3,
  n % 3,
])

const weight = ([a, b, c]: readonly number[]): number =>
  1 + ((5 * a! + 3 * b! + 2 * c! + 4 * a! * b! + b! * c! * c!) % 7)
const mass = strings.reduce((sum, x) => sum + weight(x), 0)

/** P(x) in the order of `strings`. */
export const JOINT = strings.map((x) => weight(x) / mass)

export const codeOf = (tokens: ArrayLike<number>): number => 9 * tokens[0]! + 3 * tokens[1]! + tokens[2]!

/** P(x_i = v | the tokens of `row` that are not MASK), by summing the joint. */
export const posterior = (row: ArrayLike<number>, i: number): readonly number[] => {
  const p = [0, 0, 0]
  strings.forEach((x, n) => {
    if (x.every((v, j) => row[j] === MASK || row[j] === v)) p[x[i]!]! += JOINT[n]!
  })
  const sum = p[0]! + p[1]! + p[2]!
  return p.map((each) => each / sum)
}

/** The posterior behind the interface of a network. */
export const toyPredictor = (batch = 64): Predictor & { readonly rows: PredictRow[] } => {
  const rows: PredictRow[] = []
  return {
    batch,
    vocabSize: KINDS,
    rows,
    predict: (given) => {
      rows.push(...given)
      return Promise.resolve(
        given.map(({ inputIds, columns }) =>
          Float32Array.from(columns.flatMap((i) => posterior(inputIds, i).map(Math.log))),
        ),
      )
    },
    forwards: () => rows.length,
    dispose: () => Promise.resolve(),
  }
}

/** The same as a next-token network: inputs are the boundary token and then the text, one column is asked for. */
export const causalToyPredictor = (batch = 64): Predictor => ({
  ...toyPredictor(batch),
  predict: (given) =>
    Promise.resolve(
      given.map(({ inputIds, columns: [column] }) => {
        const row = Array.from({ length: LENGTH }, (_, i) => (i < column! ? inputIds[i + 1]! : MASK))
        return Float32Array.from(posterior(row, column!).map(Math.log))
      }),
    ),
})

/** Pearson's statistic of counts against probabilities. */
export const chiSquare = (counts: readonly number[], probabilities: readonly number[]): number => {
  const n = counts.reduce((a, b) => a + b, 0)
  return counts.reduce(
    (sum, count, i) => sum + (count - n * probabilities[i]!) ** 2 / (n * probabilities[i]!),
    0,
  )
}

/** 0.999 quantile of chi-square with 26 degrees of freedom (NIST/SEMATECH e-Handbook, table 1.3.6.7.4). */
export const CRITICAL_26 = 54.052
