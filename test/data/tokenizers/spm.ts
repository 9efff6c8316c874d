/** SentencePiece's own tools (the Debian package `sentencepiece`), which train models and say how they encode. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Trains a model on lines of text. @returns the path of the model */
export const trainModel = (lines: readonly string[], options: Readonly<Record<string, string>>): string => {
  const folder = mkdtempSync(join(tmpdir(), "repro-spm-"))
  const input = join(folder, "text.txt")
  writeFileSync(input, lines.map((line) => `${line}\n`).join(""))
  const flags = { input, model_prefix: join(folder, "m"), minloglevel: "2", num_threads: "1", ...options }
  execFileSync(
    "spm_train",
    Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  )
  return join(folder, "m.model")
}

/** What the reference makes of each line. */
export const referenceIds = (model: string, lines: readonly string[]): number[][] => {
  const out = execFileSync("spm_encode", [`--model=${model}`, "--output_format=id"], {
    input: lines.map((line) => `${line}\n`).join(""),
    maxBuffer: 1 << 28,
    stdio: ["pipe", "pipe", "ignore"],
  }).toString()
  return out
    .split("\n")
    .slice(0, lines.length)
    .map((line) => (line === "" ? [] : line.split(" ").map(Number)))
}
