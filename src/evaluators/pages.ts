/** What the documentation says of each contract: the definitions, then every evaluator. */
import { PAGE_CONTEXT } from "../metric/contract/page-context.js"
import { DEFINITION_PAGES, type ContractPage } from "../metric/contract/pages.js"
import { evaluatorParts } from "./index.js"

export const contractPages = (): readonly ContractPage[] => [
  ...DEFINITION_PAGES,
  ...evaluatorParts().flatMap((part) =>
    part.pages.map(({ example, context, ...page }): ContractPage => ({
      ...page,
      kind: "evaluator",
      contract: part.contract(example, { ...PAGE_CONTEXT, ...context }),
    })),
  ),
]
