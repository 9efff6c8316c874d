/** Writes `docs/metrics/`: one page per contract and an index, from the schema. A test compares. */
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import * as SchemaAST from "effect/SchemaAST"
import { VERDICTS } from "../src/metric/contract/compare.js"
import { contractDigest } from "../src/metric/contract/digest.js"
import { CONTRACT_CHANGELOG } from "../src/metric/contract/migrations.js"
import { contractPages } from "../src/evaluators/pages.js"
import type { ContractPage } from "../src/metric/contract/pages.js"
import { SEMANTIC_FIELDS, semanticFields } from "../src/metric/contract/contract.js"
import { MARK_WORDS } from "../src/audit/provenance.js"
import { contractRows, VERDICT_WORDS } from "../src/report/packet/words.js"

const NOTE =
  "<!-- Written by scripts/generate-metric-docs.ts from the schema; edit the schema, not this page. -->"

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ")

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [
    `| ${head.join(" | ")} |`,
    `| ${head.map(() => "---").join(" | ")} |`,
    ...rows.map((row) => `| ${row.map(cell).join(" | ")} |`),
  ].join("\n")

/** The description of a field: its own, or that of the part of the union that is not "not stated". */
const describe = (ast: SchemaAST.AST): string => {
  const own = SchemaAST.resolveDescription(ast)
  if (own !== undefined) return own
  if (!SchemaAST.isUnion(ast)) return ""
  const parts = ast.types.flatMap((type) => {
    const text = describe(type)
    const [kind] = SchemaAST.isObjects(type) ? words(type) : []
    return text === "" ? [] : [kind === undefined ? text : `${kind}: ${text}`]
  })
  return parts.join(" ")
}

/** The words a field may have, where it is a closed list. */
const words = (ast: SchemaAST.AST): readonly string[] => {
  if (SchemaAST.isLiteral(ast)) return [String(ast.literal)]
  if (SchemaAST.isUnion(ast)) return ast.types.flatMap(words)
  if (SchemaAST.isObjects(ast)) {
    const kind = ast.propertySignatures.find(({ name }) => name === "kind")
    return kind === undefined ? [] : words(kind.type)
  }
  if (SchemaAST.isArrays(ast)) return ast.rest.flatMap(words)
  return []
}

const page = ({ id, title, kind, formula, text, hazards, citations, contract }: ContractPage): string =>
  [
    NOTE,
    "",
    `# ${title}`,
    "",
    `${kind === "definition" ? "A definition that claims are compared against" : "Measured by this project"}: \`${id}\`. ${text}`,
    "",
    "## Formula",
    "",
    "```text",
    ...formula,
    "```",
    "",
    "## What counts",
    "",
    `Contract \`${contractDigest(contract)}\`. ${
      kind === "definition"
        ? 'A field that is "not stated" is one the definition leaves open.'
        : 'Built for the published windows; fields that belong to a run are "not stated" here.'
    }`,
    "",
    table(["field", "value"], contractRows(contract)),
    "",
    "## Hazards",
    "",
    ...hazards.map((hazard) => `- ${hazard}`),
    "",
    "## Citations",
    "",
    ...citations.map((citation) => `- ${citation}`),
    "",
  ].join("\n")

const index = (): string =>
  [
    NOTE,
    "",
    "# Metrics",
    "",
    "A number means something under its contract. One page per contract:",
    "",
    ...(["definition", "evaluator"] as const).flatMap((kind) => [
      kind === "definition" ? "Definitions that claims are compared against:" : "Evaluators of this project:",
      "",
      ...contractPages()
        .filter((each) => each.kind === kind)
        .map(({ id, title }) => `- [${title}](${id}.md)`),
      "",
    ]),
    "## Fields of a contract",
    "",
    'Any field may be "not stated": unknown is a value, never a guess.',
    "",
    table(
      ["field", "meaning", "words"],
      SEMANTIC_FIELDS.map((field) => {
        const { ast } = semanticFields[field]
        return [
          `\`${field}\``,
          describe(ast),
          [...new Set(words(ast))]
            .filter((word) => word !== "not stated")
            .map((word) => `\`${word}\``)
            .join(", "),
        ]
      }),
    ),
    "",
    "## Digest",
    "",
    "SHA-256 of the semantic fields as canonical JSON, with the algorithm's version as prefix (`c1:`). Prose (title, description, hazards, citations, the `source` words of a denominator) does not change it.",
    "",
    "## Verdicts",
    "",
    ...VERDICTS.map((verdict) => `- \`${verdict}\`: ${VERDICT_WORDS[verdict].replace(/^[^:]*: /, "")}`),
    "",
    "## Marks of certainty",
    "",
    ...Object.entries(MARK_WORDS).map(([mark, meaning]) => `- *${mark}*: ${meaning}`),
    "",
    "## Changelog of the contract's form",
    "",
    ...CONTRACT_CHANGELOG.map(({ version, change }) => `- Version ${version}: ${change}`),
    "",
  ].join("\n")

/** Every page by file name. */
export const metricDocs = (): ReadonlyMap<string, string> =>
  new Map([
    ["README.md", index()],
    ...contractPages().map((each): readonly [string, string] => [`${each.id}.md`, page(each)]),
  ])

export const METRIC_DOCS = fileURLToPath(new URL("../docs/metrics/", import.meta.url))

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await mkdir(METRIC_DOCS, { recursive: true })
  for (const [name, content] of metricDocs()) await writeFile(join(METRIC_DOCS, name), content)
}
