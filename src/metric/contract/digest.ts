/**
 * The digest of a contract.
 *
 * Algorithm 1: the semantic fields as canonical JSON (keys in code-unit order, no white space, numbers as the shortest
 * decimal that reads back), preceded by the algorithm's name and a line feed, hashed with SHA-256. Text prefix "c1:".
 */
import { createHash } from "node:crypto"
import { CONTRACT_VERSION, SEMANTIC_FIELDS, type Contract } from "./contract.js"

export const CONTRACT_DIGEST_VERSION = 1

/** JSON with keys in code-unit order and no white space. */
export const canonicalJson = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(",")}}`
  }
  return JSON.stringify(Object.is(value, -0) ? 0 : value)
}

/** `source` words inside a denominator say where a number comes from: prose, not meaning. */
const withoutSource = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== "source"))
}

/** Digest of the semantic fields: equal exactly when two contracts mean the same. */
export const contractDigest = (contract: Contract): string => {
  const semantic = Object.fromEntries(
    SEMANTIC_FIELDS.map((field) => [
      field,
      field === "denominator" ? withoutSource(contract[field]) : contract[field],
    ]),
  )
  const text = `repro-contract/${CONTRACT_DIGEST_VERSION} form ${CONTRACT_VERSION}\n${canonicalJson(semantic)}`
  return `c${CONTRACT_DIGEST_VERSION}:${createHash("sha256").update(text, "utf8").digest("hex")}`
}
