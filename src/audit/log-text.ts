/** The text of a log as a person reads it: encodings, terminal control codes, and lines that were drawn over. */

const TERMINAL = new RegExp(
  [
    // Operating system commands (titles, links), to their end.
    String.raw`\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)`,
    // Control sequences (colours, cursor).
    String.raw`(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]`,
    String.raw`\u001b[ -/]*[0-~]`,
  ].join("|"),
  "g",
)
// Control characters that draw nothing; tab, line feed and carriage return are kept.
// oxlint-disable-next-line no-control-regex
const INVISIBLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u200b\u2060\ufeff]/g

const utf16 = (bytes: Uint8Array, little: boolean, from: number): string =>
  new TextDecoder(little ? "utf-16le" : "utf-16be").decode(bytes.subarray(from))

/** Which half of the byte pairs is zero, for UTF-16 without a mark: mostly Latin text has every other byte zero. */
const zeroHalf = (bytes: Uint8Array): "even" | "odd" | undefined => {
  const sample = bytes.subarray(0, 1024)
  const zeros = [0, 0]
  for (const [index, byte] of sample.entries()) if (byte === 0) zeros[index % 2]! += 1
  const half = sample.length / 2
  if (half < 4) return undefined
  if (zeros[1]! > 0.7 * half && zeros[0]! < 0.1 * half) return "odd"
  return zeros[0]! > 0.7 * half && zeros[1]! < 0.1 * half ? "even" : undefined
}

/** The text of a file in UTF-8 or UTF-16, with or without a byte order mark; undefined for what is no text. */
export const decodeText = (bytes: Uint8Array): string | undefined => {
  const [a, b, c, d] = bytes
  if (a === 0xff && b === 0xfe && !(c === 0 && d === 0)) return utf16(bytes, true, 2)
  if (a === 0xfe && b === 0xff) return utf16(bytes, false, 2)
  const half = zeroHalf(bytes)
  if (half !== undefined) return utf16(bytes, half === "odd", 0)
  const text = new TextDecoder("utf-8").decode(bytes)
  return text.slice(0, 4096).includes("\u0000") ? undefined : text
}

export interface LogLine {
  /** One-based, as an editor counts them. */
  readonly number: number
  readonly text: string
}

/** Lines without terminal codes. What a carriage return drew over is a line of its own with the same number. */
export const logLines = (text: string): readonly LogLine[] =>
  text.split(/\r?\n/).flatMap((line, index) =>
    line
      .replaceAll(TERMINAL, "")
      .split("\r")
      .map((part) => ({ number: index + 1, text: part.replaceAll(INVISIBLE, "") })),
  )
