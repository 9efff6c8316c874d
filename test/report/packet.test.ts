import { fileURLToPath } from "node:url"
import t from "tap"
import { audit } from "../../src/audit/packet.js"
import { packetHtml } from "../../src/report/packet/html.js"
import { packetMarkdown } from "../../src/report/packet/markdown.js"
import { CHROMIUM, layouts } from "./layout.js"
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

t.test(
  "layout in a browser at phone and desktop width",
  CHROMIUM === undefined ? { skip: "chromium is not installed: layout not measured" } : { timeout: 540_000 },
  async (test) => {
    const widths = [390, 1280]
    const found = await layouts([
      ...widths.map((width) => ({ html, width })),
      {
        html: html.replace("</style>", "td{overflow-wrap:anywhere;max-width:1rem}</style>"),
        width: 1280,
      },
      { html: html.replace("<main>", '<main style="min-width:900px">'), width: 390 },
    ])
    for (const [index, width] of widths.entries()) {
      const measured = found[index]!
      test.equal(measured.width, width, "the window has the width asked for")
      test.same(measured.out, [], `nothing sticks out, overlaps or breaks a word at ${width} pixels`)
    }
    test.match(found.at(-2)!.out.join("\n"), /^broken /m, "the measure sees a word broken in a cell")
    test.ok(found.at(-1)!.out.length > 0, "the measure sees a page that is too wide")
  },
)
