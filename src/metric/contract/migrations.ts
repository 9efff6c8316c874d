/** The contract's changelog, and how contracts of older forms are brought to the present one. */
import { CONTRACT_VERSION, NOT_STATED } from "./contract.js"

export interface ContractChange {
  readonly version: number
  readonly change: string
  /** Brings the previous version's form to this one; absent for the first version. */
  readonly migrate?: (contract: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>
}

export const CONTRACT_CHANGELOG: readonly ContractChange[] = [
  {
    version: 1,
    change:
      "First form: nineteen semantic fields, each of which may be 'not stated'; bos, eos, pad and mask are fields of their own.",
  },
  {
    version: 2,
    change: "bos, eos, pad and mask move into one field, specials; their meaning is unchanged.",
    migrate: ({ bos, eos, pad, mask, ...rest }) => ({
      ...rest,
      specials: [bos, eos, pad, mask].every((inclusion) => inclusion === NOT_STATED)
        ? NOT_STATED
        : { bos, eos, pad, mask },
    }),
  },
]

/** A contract whose version this code does not know. */
export class ContractVersionError extends Error {
  readonly _tag = "ContractVersionError"
  readonly pointer = "/version"
  readonly expected = `a contract version from 1 to ${CONTRACT_VERSION}`
  readonly found: unknown

  constructor(found: unknown) {
    super(
      `/version: expected a contract version from 1 to ${CONTRACT_VERSION}, found ${JSON.stringify(found) ?? "nothing"}. ` +
        `A newer release wrote it, or the key is missing.`,
    )
    this.name = "ContractVersionError"
    this.found = found
  }
}

/** A contract of any known version in today's form, undecoded; anything that is no object passes unchanged. */
export const migrateContract = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value
  const contract = value as Readonly<Record<string, unknown>>
  const version = contract["version"]
  if (typeof version !== "number" || !Number.isInteger(version) || version < 1 || version > CONTRACT_VERSION)
    throw new ContractVersionError(version)
  return CONTRACT_CHANGELOG.filter((entry) => entry.version > version).reduce(
    (form, { version: next, migrate }) => ({
      ...(migrate === undefined ? form : migrate(form)),
      version: next,
    }),
    contract,
  )
}
