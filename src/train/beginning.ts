/**
 * What weights begin as when they are not drawn: which tensor of which file each parameter is.
 *
 * Files are read by the executor; here only their headers are, so that names and shapes are judged before anything is
 * loaded and no tensor passes through this process.
 */
import { basename } from "node:path"
import type { WeightSource } from "../engine/weights.js"
import { DataError } from "../files/errors.js"
import { bytesDigest } from "../files/digest.js"
import type { ParameterSpec } from "../model/parameters.js"
import { canonicalJson } from "../spec/canonical.js"

/** A tensor of a file: its name there, and what the network calls it. */
export interface OfferedTensor {
  readonly stored: string
  readonly shape: readonly number[]
  readonly dtype: string
}

/** A safetensors file that weights are taken from. */
export interface WeightsFile {
  readonly path: string
  readonly sha256: string
  /** By the network's names. */
  readonly offered: ReadonlyMap<string, OfferedTensor>
  /** Names in the file that nobody takes and that are no mistake: moments of an optimiser, what a name map leaves out. */
  readonly others: readonly string[]
}

export interface TakenWeights {
  readonly source: Extract<WeightSource, { kind: "files" }>
  /** Names of the parameters that are taken; the others are drawn. */
  readonly taken: ReadonlySet<string>
  /** Digest of what the frozen parameters are; undefined where none is frozen. */
  readonly base: string | undefined
}

const several = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`

const FLOATS = /^(BF16|F16|F32|F64)$/

const requireTensor = (
  { name, shape }: ParameterSpec,
  { stored, shape: found, dtype }: OfferedTensor,
  path: string,
): void => {
  if (found.join() !== shape.join())
    throw new DataError(
      "invalid",
      path,
      `the tensor ${stored} is [${found.join(", ")}], and the network's ${name} is [${shape.join(", ")}]; give the spec the sizes of these weights, or name other weights in init.`,
    )
  if (!FLOATS.test(dtype))
    throw new DataError(
      "invalid",
      path,
      `the tensor ${stored} holds ${dtype}, not floating-point numbers; give the weights before quantisation.`,
    )
}

/**
 * Takes each parameter from the first file that offers it.
 *
 * @param files nearest stage first
 * @throws DataError where a frozen parameter is in no file, a tensor has another shape or type, or a tensor is left over
 */
export const takeWeights = (
  specs: readonly ParameterSpec[],
  files: readonly WeightsFile[],
  subject: string,
): TakenWeights => {
  const from = new Map<string, { readonly file: WeightsFile; readonly tensor: OfferedTensor }>()
  for (const spec of specs)
    for (const file of files) {
      const tensor = file.offered.get(spec.name)
      if (tensor === undefined) continue
      requireTensor(spec, tensor, file.path)
      from.set(spec.name, { file, tensor })
      break
    }
  const frozen = specs.filter((spec) => spec.frozen === true)
  const missing = frozen.filter(({ name }) => !from.has(name)).map(({ name }) => name)
  const names = new Set(specs.map(({ name }) => name))
  const left = files.flatMap((file) =>
    [...file.offered].flatMap(([name, { stored }]) => (names.has(name) ? [] : [{ file, stored }])),
  )
  const hint =
    left[0] === undefined
      ? ""
      : ` ${basename(left[0].file.path)} has ${several(left.map(({ stored }) => stored))}, which the network does not have: init.names says what each is called here.`
  if (missing.length > 0)
    throw new DataError(
      "invalid",
      subject,
      `the weights that it begins with lack ${missing.length} of the ${frozen.length} frozen tensors: ${several(missing)}.${hint === "" ? " Name every file of them, and download one again that is cut." : hint}`,
    )
  if (left.length > 0)
    throw new DataError(
      "invalid",
      subject,
      `the weights that it begins with hold tensors that nothing takes.${hint} null there leaves one out.`,
    )
  const used = files.filter((file) => [...from.values()].some((each) => each.file === file))
  const tensors = specs.flatMap((spec) => {
    const found = from.get(spec.name)
    if (found === undefined) return []
    const { name, shape, storage } = spec
    return [{ name, shape, stored: found.tensor.stored, ...(storage === undefined ? {} : { storage }) }]
  })
  const taken = new Set(tensors.map(({ name }) => name))
  const wanted = new Set(tensors.map(({ stored }) => stored))
  return {
    source: {
      kind: "files",
      tensors,
      files: used.map(({ path, sha256 }) => ({ path, sha256 })),
      unused: [
        ...new Set(
          used
            .flatMap((file) => [...file.others, ...[...file.offered.values()].map(({ stored }) => stored)])
            .filter((name) => !wanted.has(name)),
        ),
      ],
    },
    taken,
    base:
      frozen.length === 0
        ? undefined
        : bytesDigest(
            canonicalJson(
              Object.fromEntries(
                frozen.map(({ name, storage = "f32" }) => {
                  const { file, tensor } = from.get(name)!
                  return [name, [file.sha256, tensor.stored, storage]]
                }),
              ),
            ),
          ),
  }
}
