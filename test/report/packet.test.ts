import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import t from "tap"
import { audit } from "../../src/audit/packet.js"
import { packetHtml } from "../../src/report/packet/html.js"
import { packetMarkdown } from "../../src/report/packet/markdown.js"
import { claimsOf, readLedger } from "../../src/spec/claim-ledger.js"

const ledger = await readLedger(fileURLToPath(new URL("../../specs/claims/", import.meta.url)))
const make = (...ids: string[]) =>
  audit(
    { id: "mdlm_eos", title: "A <b>title</b> & more", file: "specs/mdlm_eos.json" },
    claimsOf(ledger, ids, "test"),
    ledger,
  )
const subject = make(
  "pr1241-headline",
  "pr1241-one-shard",
  "pr1241-train-loss",
  "pr1461-quoted",
  "mdlm-owt",
  "flexmdm-gsm8k-1024",
)
const html = packetHtml(subject)
const markdown = packetMarkdown(subject)

t.test("equal audits give equal bytes", (test) => {
  const again = make(
    "pr1241-headline",
    "pr1241-one-shard",
    "pr1241-train-loss",
    "pr1461-quoted",
    "mdlm-owt",
    "flexmdm-gsm8k-1024",
  )
  test.equal(packetHtml(again), html)
  test.equal(packetMarkdown(again), markdown)
  test.end()
})

t.test("the page stands alone: no script, nothing fetched, nothing left unescaped", (test) => {
  test.notMatch(html, /<script|javascript:|\son\w+=/i)
  test.notMatch(html, /<link|<img|<iframe|@import|url\(/i)
  test.notMatch(html, /<b>title/)
  test.match(html, /A &lt;b&gt;title&lt;\/b&gt; &amp; more/)
  test.notMatch(html, /undefined|NaN|\[object/)
  test.notMatch(markdown, /undefined|NaN|\[object/)
  test.notMatch(markdown, /<b>title/)
  test.end()
})

t.test("every claim, verdict, finding and command is in both", (test) => {
  for (const claim of subject.claims) {
    test.ok(html.includes(`id="${claim.id}"`), claim.id)
    test.ok(markdown.includes(`\`${claim.id}\``), claim.id)
    test.ok(html.includes(claim.contractId) && markdown.includes(claim.contractId))
  }
  for (const finding of subject.findings) test.ok(html.includes(`id="${finding.id}"`), finding.id)
  test.match(html, /1\.7364 to 1\.7593/)
  test.match(markdown, /1\.7478 bits\/byte/)
  test.match(markdown, /repro rescore pr1241-headline/)
  test.end()
})

t.test("amounts outside the values and the pairs of claims have rows of their own", (test) => {
  // derived: 1.7477651 + 0.0038783
  for (const text of [html, markdown]) {
    test.match(text, /boundary positions, entropy/)
    test.match(text, /≤ 1\.7516 bits\/byte/)
    test.match(text, /enumerated over the whole split/)
    test.match(text, /enumerated in every window of 2048 tokens/)
    test.match(text, /without the boundary charge/)
    test.match(text, /Which may stand beside which/)
  }
  // Every pair of which one is audited, once: derived n (n - 1) / 2 + n m.
  const [n, m] = [subject.claims.length, subject.beside.length]
  test.equal(subject.pairs.length, (n * (n - 1)) / 2 + n * m)
  const pair = (first: string, second: string) =>
    subject.pairs.find((each) => each.first === first && each.second === second)
  test.equal(pair("pr1241-headline", "pr1241-one-shard")?.verdict, "identical")
  test.equal(pair("pr1241-headline", "pr1241-train-loss")?.verdict, "incomparable")
  test.equal(pair("pr1241-headline", "ar-baseline-2026-03-17")?.verdict, "ordered-only")
  for (const { verdict, axes } of subject.pairs) test.ok(verdict === "identical" || axes.length > 0)
  test.end()
})

t.test("labels of the plot carry the mark of a bound", (test) => {
  test.match(html, /<text[^>]*>≤ 1\.7478 \(/)
  test.notMatch(html, /<text[^>]*>1\.7478/)
  test.end()
})

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync)

/** Runs in the page: elements that stick out sideways, and texts of the plot that lie on each other. */
const MEASURE = `
const width = document.documentElement.clientWidth
const out = []
for (const element of document.querySelectorAll("body *")) {
  if (element.closest("details:not([open]) > :not(summary)")) continue
  const box = element.getBoundingClientRect()
  if (box.width > 0 && (box.right > width + 1 || box.left < -1)) out.push("overflow " + element.tagName + " " + element.textContent.slice(0, 40))
}
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
parent.document.body.setAttribute("data-measured", JSON.stringify({ width, out }))
`

const measure = async (page: string, width: number): Promise<{ width: number; out: string[] }> => {
  const folder = await mkdtemp(join(tmpdir(), "repro-packet-"))
  try {
    const file = join(folder, "page.html")
    // A frame of the wanted width: a headless window has a least width of its own, wider than a phone.
    const content = page.replace("</body>", `<script>${MEASURE}</script></body>`)
    const frame = content.replaceAll("&", "&amp;").replaceAll('"', "&quot;")
    await writeFile(
      file,
      `<!doctype html><body style="margin:0"><iframe style="border:0;width:${width}px;height:900px" srcdoc="${frame}"></iframe></body>`,
    )
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
      { timeout: 540_000, maxBuffer: 1 << 24 },
    )
    const found = /data-measured="([^"]*)"/.exec(stdout)?.[1]
    if (found === undefined) throw new Error("the page was not measured")
    return JSON.parse(found.replaceAll("&quot;", '"').replaceAll("&amp;", "&")) as {
      width: number
      out: string[]
    }
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

t.test(
  "layout in a browser at phone and desktop width",
  CHROMIUM === undefined ? { skip: "chromium is not installed: layout not measured" } : { timeout: 540_000 },
  async (test) => {
    for (const width of [390, 1280]) {
      const measured = await measure(html, width)
      test.equal(measured.width, width, "the window has the width asked for")
      test.same(measured.out, [], `nothing sticks out or overlaps at ${width} pixels`)
    }
    const broken = await measure(html.replace("<main>", '<main style="min-width:900px">'), 390)
    test.ok(broken.out.length > 0, "the measure sees a page that is too wide")
  },
)
