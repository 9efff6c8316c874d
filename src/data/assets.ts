/** Files that ship with the package. */
import { packageFile } from "../files/package-files.js"

/** The project's own SP-1024 model, made by scripts/train-tokenizer.sh. */
export const EMBEDDED_TOKENIZER = packageFile("assets", "sp1024.model")

/** SHA-256 of {@link EMBEDDED_TOKENIZER}. */
export const EMBEDDED_TOKENIZER_DIGEST = "ac0bd879ab30c73f68d72be7252b1bd1705a09d14558747ee14773626d341a41"
