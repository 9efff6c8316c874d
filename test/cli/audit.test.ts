import { mkdtemp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import t from "tap"
import { audit } from "../../src/app/audit.js"
import { compare } from "../../src/app/compare.js"
import { infer } from "../../src/app/infer.js"
import { rescore } from "../../src/app/rescore.js"
import { canonicalContract } from "../../src/metric/contract/builders.js"
import type { Audit } from "../../src/audit/packet.js"

const spec = fileURLToPath(new URL("../../specs/mdlm_eos.json", import.meta.url))

const withFolder = async <A>(run: (folder: string) => Promise<A>): Promise<A> => {
  const folder = await mkdtemp(join(tmpdir(), "repro-audit-"))
  try {
    return await run(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

t.test(
  "audit: for every claim the printed value, contract, verdict, re-scored value and findings",
  async (test) => {
    const { json, text, exitCode } = await audit({ spec })
    const result = json as Audit
    test.equal(exitCode ?? 0, 0)
    test.ok(result.claims.length >= 2)
    for (const claim of result.claims) {
      test.ok(claim.printed.length > 0 && claim.contractId.startsWith("c1:"))
      test.ok(claim.comparison !== null && claim.comparison.axes.length === 17, claim.id)
      test.ok(claim.rescored !== null, claim.id)
    }
    const headline = result.claims.find(({ id }) => id === "pr1241-headline")!
    test.equal(headline.comparison?.verdict, "ordered-only")
    // derived: 0.990101083045782 * 4.3 / 2.435930, and its interval over 500 windows
    test.equal(headline.rescored?.number?.value.toFixed(4), "1.7478")
    test.equal(headline.rescored?.number?.interval.lo.toFixed(3), "1.736")
    test.equal(headline.rescored?.number?.interval.hi.toFixed(3), "1.759")
    test.ok((headline.rescored?.assumptions.length ?? 0) > 0)
    test.ok(result.findings.length >= 9)
    test.match(text, /1\.7478 bits\/byte \(1\.7364 to 1\.7593\)/)
    test.same(JSON.parse(JSON.stringify(json)), json, "the document is plain JSON")
  },
)

t.test("audit in a terminal: the boundary charge and the pairs", async (test) => {
  const { text } = await audit({ spec })
  // derived: 0.990101083045782 * 4.3 / 2.435930 + 0.0038783
  test.match(text, /1\.7478 bits\/byte \(1\.7364 to 1\.7593\), without the boundary charge/)
  test.match(text, /with boundary-entropy +\+0\.00388 bits\/byte +derived +≤ 1\.7516 bits\/byte/)
  test.match(text, /with boundary-split .*≤ 1\.7516/)
  test.match(text, /with boundary-window /)
  test.match(text, /Which may stand beside which/)
  test.match(text, /\n2 pr1241-one-shard +=\n/)
  test.match(text, /pr1106-t512 +O O\n/)
  test.match(text, /schedule-mismatch \(the spec\): The spec trains with the weight dsigma/)
})

t.test("audit of a sweep: its points are chosen by what it reports", async (test) => {
  const { json } = await audit({ spec: "ablation_heads" })
  const { warnings } = json as Audit
  test.match(
    warnings.find(({ rule }) => rule === "selection-split"),
    { claims: [], text: /grid \(heads\) by elbo-t32/ },
  )
})

t.test("audit --html where no folder can be made ends with a sentence", async (test) => {
  await withFolder(async (folder) => {
    const file = join(folder, "file")
    await writeFile(file, "")
    await test.rejects(audit({ spec, html: file }), { name: "UsageError", message: /is not a folder/ })
    await test.rejects(audit({ spec, html: join(file, "x") }), { name: "UsageError" })
  })
  // A recursive mkdir of Node does not end here.
  if (process.platform === "linux")
    await test.rejects(audit({ spec, html: "/proc/x/y" }), {
      name: "UsageError",
      message: /\/proc\/x: the folder for the packet cannot be made/,
    })
})

t.test("audit --html writes the packet, whole, twice the same", async (test) => {
  await withFolder(async (folder) => {
    const one = join(folder, "one")
    await audit({ spec, html: one })
    await audit({ spec, html: join(folder, "two") })
    test.same((await readdir(one)).sort(), ["audit.html", "audit.json", "audit.md"])
    for (const name of await readdir(one))
      test.equal(
        await readFile(join(one, name), "utf8"),
        await readFile(join(folder, "two", name), "utf8"),
        name,
      )
    const { text } = await audit({ spec, md: true })
    test.equal(`${text}\n`, await readFile(join(one, "audit.md"), "utf8"))
  })
})

t.test("compare and rescore: exit code 3 where numbers may not stand side by side", async (test) => {
  const together = await compare("pr1241-headline", "ar-baseline-2026-03-17")
  test.equal(together.exitCode, 3)
  test.match(together.json, { verdict: "ordered-only", order: { relation: "undetermined" } })
  test.equal((await compare("ar-baseline-present-export", "bpb")).exitCode, 0)
  test.equal((await rescore("pr1106-t512")).exitCode, 0)
  test.match((await rescore("pr1106-t512")).text, /2\.0238 bits\/byte/)
  test.equal((await rescore("pr1461-quoted")).exitCode, 3)
  await test.rejects(rescore("pr1106-t51"), { name: "SpecError", message: /Did you mean "pr1106-t512"/ })
  await withFolder(async (folder) => {
    const file = join(folder, "contract.json")
    await writeFile(file, JSON.stringify({ ...canonicalContract(), bound: "upper-bound" }))
    test.match((await compare(file, "bpb")).json, { verdict: "ordered-only", first: { kind: "file" } })
    await writeFile(file, JSON.stringify({ ...canonicalContract(), version: 99 }))
    await test.rejects(compare(file, "bpb"), {
      name: "SpecError",
      message: /\/version: expected a contract version/,
    })
  })
})

t.test("claims may come from a file of another tool", async (test) => {
  await withFolder(async (folder) => {
    const file = join(folder, "results_1.json")
    await writeFile(
      file,
      JSON.stringify({
        results: { gsm8k: { "exact_match,none": 0.5 } },
        configs: { gsm8k: {} },
        "n-samples": { gsm8k: { original: 1319, effective: 1319 } },
      }),
    )
    const { json } = await rescore("gsm8k-exact_match", { claims: file })
    // derived: Wilson 95 % at 660 of 1319
    test.match(json, { rescored: { definition: "accuracy", number: { kind: "estimate", value: 0.5 } } })
  })
})

/** A results file of lm-evaluation-harness. */
const results = (score: number) =>
  JSON.stringify({ results: { gsm8k: { "exact_match,none": score } }, configs: { gsm8k: {} } })

t.test("claims may come from a folder of files of other tools", async (test) => {
  await withFolder(async (folder) => {
    await writeFile(join(folder, "a.json"), results(0.5))
    await writeFile(join(folder, "b.json"), results(0.25))
    test.match((await rescore("gsm8k-exact_match", { claims: folder })).json, {
      rescored: { number: { value: 0.5 } },
    })
    // The second model's number has the same id, so the name of its file comes before it.
    test.match((await rescore("b-gsm8k-exact_match", { claims: folder })).json, {
      rescored: { number: { value: 0.25 } },
    })
    await writeFile(join(folder, "c.json"), "{}")
    await test.rejects(rescore("gsm8k-exact_match", { claims: folder }), { name: "SpecError" })
    await test.rejects(rescore("x", { claims: join(folder, "absent") }), { message: /no such folder/ })
  })
})

t.test("infer: bytes per token behind printed figures", async (test) => {
  // public log 2026-03-18_LongContextSeq2048/train.log
  const agreed = await infer({ loss: "2.03588345", bpb: "1.20576485", tokens: 62021632 })
  test.equal(agreed.exitCode, 0)
  test.match(agreed.text, /2\.435930.*151080364.*agrees/s)
  // derived: a BPB over a constant of 4.3 bytes per token
  const constant = await infer({ loss: "2.95102879", bpb: "0.99010108" })
  test.equal(constant.exitCode, 3)
  test.match(
    constant.text,
    /4\.300000.*no tokenizer's totals \(no vocabulary is stated\).*a constant: 4\.3 bytes/s,
  )
  test.notMatch(constant.text, /SP-1024|2\.4359/, "no tokenizer is presumed")
  // parameter-golf PR #1241 as printed; derived: 4.3 / 2.4359302
  for (const tokens of [undefined, 1_024_000]) {
    const published = await infer({ loss: "2.95102883", bpb: "0.990101", tokens, vocab: 1024 })
    test.equal(published.exitCode, 3)
    test.match(published.text, /1\.76524 times 2\.435930 \(the whole validation file\)/)
  }
  const coarse = await infer({ loss: "2", bpb: "1" })
  test.match(coarse.text, /too coarse to tell/)
  test.notMatch(coarse.text, /agrees/)
  for (const tokens of [-5, 0])
    await test.rejects(infer({ loss: "2.1", bpb: "1.2", tokens }), {
      name: "UsageError",
      message: /whole number above 0/,
    })
  await test.rejects(infer({}), { name: "UsageError" })
  await test.rejects(infer({ loss: "x", bpb: "1" }), { name: "UsageError", message: /positive number/ })
  await withFolder(async (folder) => {
    await mkdir(join(folder, "a"))
    await writeFile(
      join(folder, "a", "train.log"),
      "val_loader:shards tokens:62021632\nstep:100/200 val_loss:2.1 val_bpb:1.2\nfinal_int8_zlib_roundtrip_exact val_loss:2.03588345 val_bpb:1.20576485\n",
    )
    await writeFile(join(folder, "other.txt"), "nothing here\n")
    const table = await infer({ path: folder })
    test.match(table.json, {
      rows: [{ file: "a/train.log", line: 3, tokens: 62021632, verdict: { verdict: "agrees" } }],
      withoutFigures: ["other.txt"],
    })
    await test.rejects(infer({ path: join(folder, "other.txt") }), { message: /--pattern/ })
    await test.rejects(infer({ path: join(folder, "absent") }), { message: /no such file/ })
  })
})

t.test("compare: rounding is shown, a claim equals itself, one table is one source", async (test) => {
  const self = await compare("pr820-t128", "pr820-t128")
  // 1.59 as printed: half a unit of the last digit on either side
  test.match(self.text, "≤ 1.5900 bits/byte (1.585 to 1.595 as printed)")
  test.match(self.json, { verdict: "identical", order: { relation: "equal" } })
  test.match((await compare("log-byte260", "log-byte260")).json, { verdict: "identical" })
  test.match((await compare("log-byte260", "log-bytes")).json, { verdict: "unknown" })
  test.match((await compare("mdlm-owt", "ar-owt")).json, { verdict: "ordered-only" })
  test.match((await compare("mdlm-owt", "mdlm-lm1b")).json, { verdict: "incomparable", conversions: [] })
  test.match((await rescore("pr820-t128")).text, "(1.585 to 1.595 as printed)")
  test.notMatch((await rescore("ar-baseline-2026-03-17")).text, / to .* as printed/)
})
