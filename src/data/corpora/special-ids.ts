/** The special ids of a spec against the tokenizer and the shards. */
import type { Data, Tokenizer } from "../../spec/data.js"
import { windowsIn } from "../../spec/windows.js"
import type { SplitName } from "./store.js"
import { DataMismatch } from "../../files/errors.js"
import type { SentencePieceModel } from "../tokenizers/sentencepiece.js"
import { readShard } from "../rows/shards.js"

const TYPES = {
  normal: "an ordinary piece",
  unknown: "the unknown piece",
  "user-defined": "a user-defined piece",
  unused: "an unused piece",
  byte: "a byte piece",
  control: "a control piece",
} as const

/** At most this many pieces are suggested. */
const SUGGESTED = 4

/**
 * The boundary is a piece without text. MASK and PAD are no pieces, or, within the vocabulary that a network predicts,
 * pieces without text.
 * @throws DataMismatch with what the id is in the tokenizer, and the ids it may be.
 */
export const requireSpecialIds = (
  { pieces, ids }: Pick<SentencePieceModel, "pieces" | "ids">,
  { boundaryId, separatorId, maskId, padId, vocabSize }: Tokenizer,
  path: string,
): void => {
  const control = pieces.flatMap(({ piece, type }, id) => (type === "control" ? [{ piece, id }] : []))
  const shown = control
    .sort((a, b) => Number(b.id === ids.bos) - Number(a.id === ids.bos))
    .slice(0, SUGGESTED)
    .map(({ piece, id }) => `${id} (${piece})`)
  const cure =
    shown.length === 0
      ? "the tokenizer has no control piece; give the one that made the shards."
      : `write the control piece that starts each document: ${shown.join(", ")}${control.length > SUGGESTED ? ", ..." : ""}.`
  const found = pieces[boundaryId]
  if (found?.type !== "control") {
    const what =
      found === undefined
        ? `not among its ${pieces.length} pieces`
        : `${TYPES[found.type]}, ${JSON.stringify(found.piece)}, whose text would be taken for a document's start`
    throw new DataMismatch("invalid", path, `data.tokenizer.boundaryId ${boundaryId} is ${what}; ${cure}`)
  }
  if (separatorId !== undefined && pieces[separatorId]?.type !== "control") {
    const piece = pieces[separatorId]
    throw new DataMismatch(
      "invalid",
      path,
      `data.tokenizer.separatorId ${separatorId} is ${piece === undefined ? `not among its ${pieces.length} pieces` : `${TYPES[piece.type]}, ${JSON.stringify(piece.piece)}`}; write a control piece that stands between prompt and target: ${shown.join(", ")}.`,
    )
  }
  for (const [name, id] of [
    ["maskId", maskId],
    ["padId", padId],
  ] as const) {
    const piece = pieces[id]
    if (piece?.type === "control" && id < vocabSize) continue
    if (piece === undefined && id < vocabSize && id >= pieces.length)
      throw new DataMismatch(
        "invalid",
        path,
        `data.tokenizer.${name} ${id} is within the vocabulary of ${vocabSize}, and the tokenizer has no such piece: it has ${pieces.length} and lacks the special ones of the model. Give the tokenizer that belongs to the weights.`,
      )
    if (piece !== undefined)
      throw new DataMismatch(
        "invalid",
        path,
        `data.tokenizer.${name} ${id} is a piece, ${JSON.stringify(piece.piece)}; write an id from ${pieces.length} on.`,
      )
  }
}

/** What of an experiment says whether it rests on boundary tokens. */
export interface BoundaryUse {
  readonly data: Pick<Data, "batching" | "tokenizer">
  readonly objective: object
  readonly evaluations: readonly { readonly id: string }[]
}

const isOfDocuments = ({ kind }: Data["batching"]): boolean =>
  kind === "document-chunks" || kind === "documents"

/** What rests on boundary tokens in the training shards, and what in the validation shards; a phrase each. */
const usesOf = ({ data, objective, evaluations }: BoundaryUse) => {
  const free =
    "boundary" in objective && objective.boundary === "free"
      ? ['the objective gives boundaries free (/objective/boundary is "free")']
      : []
  const documents = evaluations.filter(
    (each) => (windowsIn(each)?.alignment ?? "raw-stream") !== "raw-stream",
  )
  return {
    train: [...(isOfDocuments(data.batching) ? ["batches are cut from documents"] : []), ...free],
    validation: [
      ...(documents.length > 0
        ? [`evaluation ${documents.map(({ id }) => id).join(", ")} cuts windows from documents`]
        : []),
      ...free,
    ],
  }
}

/**
 * Where the objective, batches or windows rest on boundary tokens, the shards hold some.
 * @throws DataMismatch naming the first part that has none.
 */
export const requireBoundaries = async (
  experiment: BoundaryUse,
  corpus: Readonly<Record<SplitName, readonly string[]>>,
  parts: readonly SplitName[] = ["train", "validation"],
): Promise<void> => {
  const uses = usesOf(experiment)
  const { boundaryId } = experiment.data.tokenizer
  for (const part of parts) {
    const [use] = uses[part]
    if (use === undefined || (await holds(corpus[part], boundaryId))) continue
    throw new DataMismatch(
      "invalid",
      corpus[part].join(", "),
      `there is no boundary token (id ${boundaryId}) in the ${part === "train" ? "training" : "validation"} shards, but ${use}; correct data.tokenizer.boundaryId in the spec, or give shards that mark their documents.`,
    )
  }
}

const holds = async (paths: readonly string[], id: number): Promise<boolean> => {
  for (const path of paths) if ((await readShard(path)).includes(id)) return true
  return false
}
