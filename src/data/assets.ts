/** Files that ship with the package; the path is the same from src/data and from dist/data. */
import { fileURLToPath } from "node:url"

/** The project's own SP-1024 model, made by scripts/train-tokenizer.sh. */
export const EMBEDDED_TOKENIZER = fileURLToPath(new URL("../../assets/sp1024.model", import.meta.url))

/** SHA-256 of {@link EMBEDDED_TOKENIZER}. */
export const EMBEDDED_TOKENIZER_DIGEST = "192266915e536e7bb7eb328eb6b51625c5fb03365ac1db526ec050ecbde65aea"
