/**
 * The one registration of families: what a spec may name, and who answers for it.
 *
 * A family's networks are traced by the programs of `traced.ts`, keyed by the same kinds; types hold the two together.
 */
import * as Schema from "effect/Schema"
import { nearest } from "../spec/nearest.js"
import { registrationChanged } from "../spec/registration.js"
import { flexmdmNetwork, mdmNetwork } from "./flexmdm/model.js"
import { flexmdmPart } from "./flexmdm/objective.js"
import { gptNetwork } from "./gpt/model.js"
import { autoregressive } from "./gpt/objective.js"
import { gpt2Network } from "./gpt2/model.js"
import { lladaNetwork } from "./llada/model.js"
import { lladaObjective } from "./llada/objective.js"
import { mdlmNetwork } from "./mdlm/model.js"
import { maskedDiffusion } from "./mdlm/objective.js"
import type { Family, Kind, NetworkPart, ObjectivePart } from "./part.js"

const mdlm = {
  name: "mdlm",
  systems: ["mdlm"],
  networks: [mdlmNetwork],
  objectives: [maskedDiffusion],
} as const
const gpt = { name: "gpt", networks: [gptNetwork, gpt2Network], objectives: [autoregressive] } as const

const flexmdm = {
  name: "flexmdm",
  systems: ["flexmdm", "flexmdm-8b"],
  networks: [flexmdmNetwork, mdmNetwork],
  objectives: [flexmdmPart],
} as const

const llada = { name: "llada", networks: [lladaNetwork], objectives: [lladaObjective] } as const

export const FAMILIES = [mdlm, gpt, flexmdm, llada] as const satisfies readonly Family[]

type Registered = (typeof FAMILIES)[number]
type SpecOf<P> = P extends { readonly schema: Schema.Codec<infer A> } ? A : never
/** A network of some registered family, as a spec holds it. */
export type RegisteredModel = SpecOf<Registered["networks"][number]>
/** An objective of some registered family, as a spec holds it. */
export type RegisteredObjective = SpecOf<Registered["objectives"][number]>
/** A system of some registered family. */
export type RegisteredSystem = Extract<Registered, { readonly systems: unknown }>["systems"][number]

let families: readonly Family[] = FAMILIES

/**
 * Adds a family for the rest of the process, as if it stood in the list above.
 *
 * @returns what takes it away again
 * @throws Error where one of its kinds is taken
 */
export const registerFamily = (family: Family): (() => void) => {
  const taken = [
    ...family.networks.map(({ kind }) => networkKinds().includes(kind) && kind),
    ...family.objectives.map(({ kind }) => objectiveKinds().includes(kind) && kind),
  ].find((kind) => kind !== false)
  if (taken !== undefined) throw new Error(`the kind "${taken}" of the family ${family.name} is taken`)
  families = [...families, family]
  registrationChanged()
  return () => {
    families = families.filter((each) => each !== family)
    registrationChanged()
  }
}

const networks = (): readonly NetworkPart[] => families.flatMap((family) => family.networks)
const objectives = (): readonly ObjectivePart[] => families.flatMap((family) => family.objectives)

export const networkKinds = (): readonly string[] => networks().map(({ kind }) => kind)
export const objectiveKinds = (): readonly string[] => objectives().map(({ kind }) => kind)

const find = <P extends { readonly kind: string }>(parts: readonly P[], kind: string, what: string): P => {
  const part = parts.find((each) => each.kind === kind)
  if (part === undefined)
    throw new Error(
      `no ${what} of the kind "${kind}" is registered; there are ${parts.map((each) => each.kind).join(", ")}`,
    )
  return part
}

/** The network part of an experiment's model. */
export const networkPart = ({ kind }: Kind): NetworkPart => find(networks(), kind, "network")

/** The objective part of an experiment's objective. */
export const objectivePart = ({ kind }: Kind): ObjectivePart => find(objectives(), kind, "objective")

/** The kind that a spec means: its own, or the nearest where it is misspelled. */
export const meantKind = (given: unknown, kinds: readonly string[]): string | undefined =>
  typeof given !== "string" ? undefined : kinds.includes(given) ? given : nearest(given, kinds)

/** Schema of every registered network. */
export const networkUnion = (): Schema.Codec<RegisteredModel> =>
  Schema.Union(networks().map(({ schema }) => schema)).annotate({
    description: "The network.",
  }) as unknown as Schema.Codec<RegisteredModel>

/** Schema of every registered objective. */
export const objectiveUnion = (): Schema.Codec<RegisteredObjective> =>
  Schema.Union(objectives().map(({ schema }) => schema)).annotate({
    description: "What training minimises.",
  }) as unknown as Schema.Codec<RegisteredObjective>

/** Schema of every registered system. */
export const systemUnion = (): Schema.Codec<RegisteredSystem> =>
  Schema.Literals(families.flatMap(({ systems = [] }) => systems) as RegisteredSystem[]).annotate({
    description: "Family of experiments that it belongs to.",
  })
