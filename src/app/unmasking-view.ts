/**
 * A text that is being unmasked, drawn in place on a terminal's alternate screen: masks as dim blocks, what was just
 * revealed highlighted; where rows grow, masks that were just inserted in yellow. It is a view: what the terminal could not show in one column a character is drawn as a dot.
 * Everything goes to standard error, and the screen is as it was before once the view is closed.
 */
import { mayColour, type DisplayStream } from "../run/display.js"
import { SPACE } from "../data/tokenizers/normalizer.js"
import type { Piece } from "../data/tokenizers/sentencepiece.js"

type Style = "plain" | "kept" | "fresh" | "mask" | "inserted"

interface Cell {
  readonly character: string
  readonly style: Style
}

export interface ViewText {
  /** MASK where nothing stands yet. */
  readonly tokens: ArrayLike<number>
  readonly kept: (position: number) => boolean
  readonly fresh: ReadonlySet<number>
  /** Masks that were just inserted, where rows grow. */
  readonly inserted?: ReadonlySet<number>
  /** The line below. */
  readonly status: string
}

export interface ViewModel {
  readonly pieces: readonly Pick<Piece, "piece" | "type">[]
  readonly maskId: number
}

const MASK = "░░"
const OTHER = "·"
const STYLES: Readonly<Record<Style, string>> = {
  plain: "",
  kept: "\x1b[36m",
  fresh: "\x1b[1;32m",
  mask: "\x1b[2m",
  inserted: "\x1b[33m",
}

/** Whether a character takes one column everywhere: printable Latin, Greek, Cyrillic and general punctuation. */
const isNarrow = (character: string): boolean =>
  /^[ -~\u00a1-\u02ff\u0370-\u0482\u048a-\u052f\u2010-\u2027\u2030-\u205e\u20ac]$/u.test(character)

const charactersOf = ({ pieces }: ViewModel, token: number): string => {
  const piece = pieces[token]
  if (piece === undefined || piece.type === "unknown" || piece.type === "unused") return OTHER
  if (piece.type === "control") return "¶"
  if (piece.type === "byte") {
    const character = String.fromCharCode(Number.parseInt(piece.piece.slice(3, 5), 16))
    return /^[ -~]$/.test(character) ? character : OTHER
  }
  return Array.from(piece.piece, (c) => (c === SPACE ? " " : isNarrow(c) ? c : OTHER)).join("")
}

const cellsOf = ({ tokens, kept, fresh, inserted }: ViewText, model: ViewModel): readonly Cell[] => {
  const cells: Cell[] = []
  for (let i = 0; i < tokens.length; i++) {
    const masked = tokens[i] === model.maskId
    const style = masked
      ? inserted?.has(i) === true
        ? "inserted"
        : "mask"
      : fresh.has(i)
        ? "fresh"
        : kept(i)
          ? "kept"
          : "plain"
    for (const character of masked ? MASK : charactersOf(model, tokens[i]!)) cells.push({ character, style })
  }
  return cells
}

const isMask = ({ style }: Cell): boolean => style === "mask" || style === "inserted"

/** Lines of at most `width` cells, broken after a space or a mask where there is one. */
const wrap = (cells: readonly Cell[], width: number): readonly (readonly Cell[])[] => {
  const lines: Cell[][] = []
  let start = 0
  while (cells.length - start > width) {
    let end = start + width
    while (end > start && cells[end - 1]!.character !== " " && !isMask(cells[end - 1]!)) {
      if (cells[end]!.character === " ") break
      end--
    }
    if (end === start) end = start + width
    lines.push(cells.slice(start, end))
    start = cells[end]?.character === " " ? end + 1 : end
  }
  lines.push(cells.slice(start))
  return lines
}

const paint = (line: readonly Cell[], colour: boolean): string => {
  let out = ""
  let style: Style = "plain"
  for (const cell of line) {
    if (colour && cell.style !== style) out += `${style === "plain" ? "" : "\x1b[0m"}${STYLES[cell.style]}`
    style = cell.style
    out += cell.character
  }
  return colour && style !== "plain" ? `${out}\x1b[0m` : out
}

/**
 * The lines of one frame: the text, an empty line, the status. A text taller than the screen is scrolled so that its
 * first mask stays in the upper two thirds. The last column stays free, as a terminal may wrap after it.
 */
export const viewLines = (
  text: ViewText,
  model: ViewModel,
  size: { readonly columns: number; readonly rows: number },
  colour: boolean,
): readonly string[] => {
  const width = Math.max(8, size.columns - 1)
  const room = Math.max(1, size.rows - 2)
  const lines = wrap(cellsOf(text, model), width)
  const masked = lines.findIndex((line) => line.some(isMask))
  const focus = masked < 0 ? lines.length - 1 : masked
  const top = Math.max(0, Math.min(lines.length - room, focus - Math.floor((2 * room) / 3)))
  return [
    ...lines.slice(top, top + room).map((line) => paint(line, colour)),
    "",
    paint(
      Array.from(text.status.slice(0, width), (character) => ({ character, style: "mask" })),
      colour,
    ),
  ]
}

/** Least time between two frames, in milliseconds. */
const FRAME = 40
/** Longest wait after a step, so that a person can follow; and about how long one text takes at most by waiting. */
const STEP = 80
const TEXT = 6000

export interface View {
  /** Shows a text; waits long enough for a person to follow. `last` frames are always drawn, and stand a moment. */
  readonly show: (text: Omit<ViewText, "fresh">, fresh: readonly number[], last: boolean) => Promise<void>
  /** Milliseconds spent waiting for the person. */
  readonly waited: () => number
  readonly close: () => void
}

export interface ViewStream extends DisplayStream {
  readonly rows?: number
}

export interface ViewOptions {
  readonly stream: ViewStream
  readonly env: Readonly<Record<string, string | undefined>>
  readonly model: ViewModel
  /** Steps that one text takes. */
  readonly steps: number
  /** Milliseconds, monotonic. */
  readonly now?: () => number
  readonly sleep?: (milliseconds: number) => Promise<void>
}

const timer = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => void setTimeout(resolve, milliseconds))

export const openView = ({
  stream,
  env,
  model,
  steps,
  now = () => performance.now(),
  sleep = timer,
}: ViewOptions): View => {
  const colour = mayColour(stream, env)
  const pause = Math.min(STEP, TEXT / steps)
  let drawnAt = -Infinity
  let waited = 0
  let open = true
  let fresh = new Set<number>()
  const wait = async (milliseconds: number): Promise<void> => {
    const began = now()
    await sleep(milliseconds)
    waited += now() - began
  }
  const close = (): void => {
    if (!open) return
    open = false
    process.off("exit", close)
    stream.write("\x1b[?25h\x1b[?1049l")
  }
  process.on("exit", close)
  stream.write("\x1b[?1049h\x1b[?25l")
  return {
    show: async (text, revealed, last) => {
      for (const position of revealed) fresh.add(position)
      if (last || now() - drawnAt >= FRAME) {
        const { columns = 80, rows = 24 } = stream
        const lines = viewLines({ ...text, fresh }, model, { columns, rows }, colour)
        stream.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join("\r\n")}\x1b[J`)
        drawnAt = now()
        fresh = new Set()
      }
      await wait(last ? 10 * STEP : pause)
    },
    waited: () => waited,
    close,
  }
}

/** Whether a view can be drawn there. */
export const canView = (stream: DisplayStream, env: Readonly<Record<string, string | undefined>>): boolean =>
  stream.isTTY === true && env["TERM"] !== "dumb"
