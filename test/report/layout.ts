/** Measures pages in a browser: one start for all of them, each in a frame of a width of its own. */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

export const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  existsSync,
)

/** Height of a screen, of a phone's and of a desktop's window. */
const SCREEN = 900

/** Runs in the page: what sticks out sideways, what of a plot lies on what, what is broken in a word or cut, and how low the headline ends. */
const MEASURE = `
const width = document.documentElement.clientWidth
const out = []
const scrolls = (element) => {
  for (let at = element.parentElement; at !== null; at = at.parentElement)
    if (["auto", "scroll"].includes(getComputedStyle(at).overflowX)) return true
  return false
}
for (const element of document.querySelectorAll("body *")) {
  if (element.closest("details:not([open]) > :not(summary)")) continue
  const box = element.getBoundingClientRect()
  if (box.width > 0 && (box.right > width + 1 || box.left < -1) && !scrolls(element)) out.push("overflow " + element.tagName + " " + element.textContent.slice(0, 40))
}
for (const figure of document.querySelectorAll("figure"))
  if (figure.scrollWidth > figure.clientWidth + 1) out.push("a figure of " + figure.scrollWidth + " pixels in " + figure.clientWidth)
const area = document.documentElement
if (area.scrollWidth > width + 1) out.push("the page scrolls sideways to " + area.scrollWidth)
for (const svg of document.querySelectorAll("svg")) {
  const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()])
  for (let i = 0; i < texts.length; i++) for (let j = 0; j < i; j++) {
    const [a, b] = [texts[i][1], texts[j][1]]
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left)
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)
    if (wide > 1 && high > 3) out.push("overlap " + texts[i][0] + " / " + texts[j][0])
  }
}
const blocks = [...document.querySelectorAll(".card, figure, h2, ol.findings > li")].map((block) => [block, block.getBoundingClientRect()])
for (let i = 0; i < blocks.length; i++) for (let j = 0; j < i; j++) {
  const [[x, a], [y, b]] = [blocks[i], blocks[j]]
  if (x.contains(y) || y.contains(x)) continue
  if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1)
    out.push("overlap of blocks " + x.textContent.slice(0, 30) + " / " + y.textContent.slice(0, 30))
}
for (const element of document.querySelectorAll("h1, h2, h3, th, td")) {
  if (element.closest("details:not([open]) > :not(summary)")) continue
  for (const child of element.childNodes) {
    if (child.nodeType !== 3) continue
    // A number in groups holds no-break spaces: it is one word. Longer words, such as paths, may be broken.
    for (const found of child.textContent.matchAll(/[^ \\n\\/-]{2,24}/g)) {
      const range = document.createRange()
      range.setStart(child, found.index)
      range.setEnd(child, found.index + found[0].length)
      if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) out.push("broken " + found[0] + " in " + element.textContent.slice(0, 40))
    }
  }
}
for (const text of document.querySelectorAll("svg text")) if (text.textContent.endsWith("…")) out.push("cut " + text.textContent)
const bottom = (selector) => { const found = document.querySelector(selector); return found === null ? null : found.getBoundingClientRect().bottom }
const small = [...document.querySelectorAll("p, td, th, li, dd")].filter((element) => element.textContent.trim() !== "" && element.getClientRects().length > 0 && parseFloat(getComputedStyle(element).fontSize) < 12).length
parent.measured(NUMBER, { width, out, verdict: bottom(".verdict"), headline: bottom("table.head"), small })
`

export interface Layout {
  /** Of the frame, in pixels. */
  readonly width: number
  /** What sticks out, overlaps, is broken within a word or cut, in words. */
  readonly out: readonly string[]
  /** How far down, in pixels, the sentence of the verdict and the headline's rows end; null without one. */
  readonly verdict: number | null
  readonly headline: number | null
  /** Elements in type too small to be read. */
  readonly small: number
}

/** Each page at its width, in the order given. */
export const layouts = async (
  pages: readonly { readonly html: string; readonly width: number }[],
): Promise<readonly Layout[]> => {
  const folder = await mkdtemp(join(tmpdir(), "repro-layout-"))
  try {
    const frames = pages.map(({ html, width }, index) => {
      const content = html.replace(
        "</body>",
        `<script>${MEASURE.replace("NUMBER", String(index))}</script></body>`,
      )
      const text = content.replaceAll("&", "&amp;").replaceAll('"', "&quot;")
      // A frame of the wanted width: a headless window has a least width of its own, wider than a phone.
      return `<iframe style="border:0;width:${width}px;height:${SCREEN}px" srcdoc="${text}"></iframe>`
    })
    const collect = `<script>const all = []; window.measured = (i, found) => { all[i] = found; if (all.filter(Boolean).length === ${pages.length}) document.body.setAttribute("data-measured", JSON.stringify(all)) }</script>`
    const file = join(folder, "page.html")
    await writeFile(file, `<!doctype html><body style="margin:0">${collect}${frames.join("")}</body>`)
    const { stdout } = await promisify(execFile)(
      CHROMIUM!,
      [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        `--user-data-dir=${join(folder, "profile")}`,
        "--hide-scrollbars",
        "--window-size=1400,1000",
        "--dump-dom",
        `file://${file}`,
      ],
      { timeout: 540_000, maxBuffer: 1 << 26 },
    )
    const found = /data-measured="([^"]*)"/.exec(stdout)?.[1]
    if (found === undefined) throw new Error("the pages were not measured")
    return JSON.parse(found.replaceAll("&quot;", '"').replaceAll("&amp;", "&")) as readonly Layout[]
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}
