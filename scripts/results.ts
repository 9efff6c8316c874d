/**
 * `docs/results/`: pages of measured results, rendered from stored evidence alone.
 *
 *   npm run results                             every page again; the tests compare
 *   npm run results -- --store NAME --kind matched --title T --command C [--keep a,b] RUN...
 *                                               copies runs (no checkpoints) and adds a page, or replaces it
 *   npm run results -- --recompute              results.json of every stored run again, after an estimator changed
 *   npm run results -- --reencode               the evidence of every stored run in the present format
 *   npm run results -- --remove NAME            takes a page away, and runs that no other page names
 *
 * Kinds: run (one run), matched (models of one budget), sweep (--spec FILE --profile P; cells are found by fingerprint).
 * --keep stores the evidence of these evaluations alone. A stored run is read like any other:
 * `repro table docs/results/evidence/RUN`.
 */
import { cp, mkdir, readdir, readFile, rename, rm } from "node:fs/promises"
import { basename, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { gzipSync } from "node:zlib"
import { parseArgs } from "node:util"
import { writeFileAtomic } from "../src/files/atomic.js"
import { publishedClaims, recomputeTable } from "../src/app/run-results.js"
import type { LadderPlot } from "../src/analysis/ladder-plot.js"
import { matched } from "../src/analysis/matched.js"
import type { MatchedRun } from "../src/analysis/matched-model.js"
import { matchedCurves, matchedLadder, readMatchedRun } from "../src/analysis/matched-runs.js"
import { renderMatched } from "../src/report/matched-text.js"
import { renderMarkdown } from "../src/report/render/markdown.js"
import { ratioInterval, runLadder, runTable } from "../src/analysis/run-table.js"
import { sweepTable } from "../src/analysis/sweep-runs.js"
import { ladderPlot } from "../src/report/svg.js"
import { packEvidence } from "../src/evaluators/stored-evidence.js"
import { readRun, writeEvidenceFiles, type RunReader } from "../src/run/directory.js"
import { cellSpecs } from "../src/spec/cell-spec.js"
import { loadSpec, type Profile } from "../src/spec/spec-file.js"

export const resultsFolder = fileURLToPath(new URL("../docs/results", import.meta.url))

export interface Page {
  /** Of its files: NAME.md, NAME.svg. */
  readonly name: string
  readonly kind: "run" | "matched" | "sweep"
  readonly title: string
  /** What was typed to measure it. */
  readonly command: string
  /** Ids of runs under evidence/, in the order of the models. */
  readonly runs: readonly string[]
  /** A sweep's profile; its spec is NAME.spec.json. */
  readonly profile?: Profile
}

const PAGES = "pages.json"

export const readPages = async (folder = resultsFolder): Promise<readonly Page[]> => {
  const text = await readFile(join(folder, PAGES), "utf8").catch(() => undefined)
  return text === undefined ? [] : (JSON.parse(text) as { readonly pages: readonly Page[] }).pages
}

interface Body {
  readonly markdown: string
  readonly plot?: LadderPlot | undefined
  /** Further pictures, NAME-1.svg and so on. */
  readonly more?: readonly LadderPlot[]
}

const sweepBody = async (page: Page, runs: readonly RunReader[], folder: string): Promise<Body> => {
  const file = join(folder, `${page.name}.spec.json`)
  const spec = await loadSpec(file, page.profile ?? "paper")
  const cells = cellSpecs(spec).map((cell) => ({
    ...cell,
    run: runs.find(({ manifest }) => manifest.fingerprint === cell.spec.fingerprint),
  }))
  const { sweep } = spec
  if (sweep === undefined || runs[0] === undefined)
    throw new Error(`${page.name}: this is no finished sweep.`)
  const { table } = await sweepTable(sweep, cells, await publishedClaims(runs[0]))
  return { markdown: renderMarkdown(table) }
}

const bodyOf = async (page: Page, folder: string): Promise<Body> => {
  const runs = await Promise.all(page.runs.map((id) => readRun(join(folder, "evidence", id))))
  switch (page.kind) {
    case "run":
      return { markdown: renderMarkdown(await recomputeTable(runs[0]!)), plot: await runLadder(runs[0]!) }
    case "sweep":
      return sweepBody(page, runs, folder)
    case "matched": {
      const read: MatchedRun[] = []
      for (const run of runs) read.push(await readMatchedRun(run, (await publishedClaims(run)).claims))
      const result = matched(read, { ratioInterval })
      return {
        markdown: renderMatched(result, "md", { width: 120, colour: false }),
        plot: matchedLadder(read),
        more: matchedCurves(read),
      }
    }
  }
}

const machineOf = async (page: Page, folder: string): Promise<string> => {
  const machines = new Set<string>()
  for (const id of page.runs) {
    const { provenance, started } = (await readRun(join(folder, "evidence", id))).manifest
    const { executor, cpu, spec } = provenance
    const threads =
      executor.threads === 0 ? "" : `, ${executor.threads} thread${executor.threads === 1 ? "" : "s"}`
    const commit =
      spec.commit === null
        ? ""
        : `, commit ${spec.commit.slice(0, 7)}${spec.modified === true ? " with changes" : ""}`
    machines.add(
      `${started.slice(0, 10)}, ${executor.name} ${executor.version} (${executor.precision}, ${executor.device}${threads}) on ${cpu.model}, ${cpu.cores} cores${commit}`,
    )
  }
  return [...machines].join("; ")
}

const again = ({ name, kind, runs }: Page): string => {
  const folder = "docs/results/evidence"
  const table =
    kind === "run"
      ? `repro table ${folder}/${runs[0]!} --format md`
      : kind === "matched"
        ? "npm run results"
        : `npm run results # ${name}`
  return ["```sh", table, "```"].join("\n")
}

/** Every file that the pages and their evidence make, by name. */
export const renderPages = async (folder = resultsFolder): Promise<ReadonlyMap<string, string>> => {
  const pages = await readPages(folder)
  const files = new Map<string, string>()
  for (const page of pages) {
    const { markdown, plot, more = [] } = await bodyOf(page, folder)
    for (const [i, each] of more.entries()) files.set(`${page.name}-${i + 1}.svg`, ladderPlot(each))
    if (plot !== undefined) files.set(`${page.name}.svg`, ladderPlot(plot))
    files.set(
      `${page.name}.md`,
      [
        `<!-- Written by scripts/results.ts from docs/results/evidence; not to be edited. -->\n`,
        `# ${page.title}\n`,
        `Measured with:\n\n\`\`\`sh\n${page.command}\n\`\`\`\n`,
        `${await machineOf(page, folder)}. Another processor, number of threads or version rounds differently, and training amplifies it: figures then differ by about 0.5 %.\n`,
        `Every number below is computed from the evidence stored beside this page (${page.runs.map((id) => `[${id}](evidence/${id})`).join(", ")}); again, without training:\n\n${again(page)}\n`,
        ...(plot === undefined ? [] : [`![${plot.title}](${page.name}.svg)\n`]),
        ...more.map((each, i) => `![${each.title}](${page.name}-${i + 1}.svg)\n`),
        markdown,
      ].join("\n"),
    )
  }
  const list = pages.map(({ name, title, command }) => `- [${title}](${name}.md): \`${command}\``)
  files.set(
    "README.md",
    `<!-- Written by scripts/results.ts; not to be edited. -->\n\n# Results\n\nMeasured by the commands that each page names; \`npm run results\` renders every page again from the stored evidence, and the tests check that nothing changes.\n\n${list.length === 0 ? "No results are stored yet." : list.join("\n")}\n`,
  )
  return files
}

const write = async (): Promise<void> => {
  for (const [name, text] of await renderPages()) await writeFileAtomic(join(resultsFolder, name), text)
}

const savePages = (pages: readonly Page[]): Promise<void> =>
  writeFileAtomic(join(resultsFolder, PAGES), `${JSON.stringify({ pages }, null, 2)}\n`)

/** Removes evidence that no page names. */
const sweepEvidence = async (pages: readonly Page[]): Promise<void> => {
  const named = new Set(pages.flatMap(({ runs }) => runs))
  for (const id of await readdir(join(resultsFolder, "evidence")).catch(() => []))
    if (!named.has(id)) await rm(join(resultsFolder, "evidence", id), { recursive: true })
}

/** Packs every file of a folder of evidence that is not packed yet; the readers unpack it to the same bytes. */
const pack = async (folder: string): Promise<void> => {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isFile() || path.endsWith(".gz")) continue
    await writeFileAtomic(`${path}.gz`, gzipSync(await readFile(path), { level: 9 }))
    await rm(path)
  }
}

/** Evidence in the present format, whichever one it is read from. */
const storeEvidence = async (run: RunReader, id: string, folder: string): Promise<void> =>
  writeEvidenceFiles(join(folder, `${id}.safetensors`), packEvidence(await run.readEvidence(id)))

const reencode = async (id: string): Promise<void> => {
  const folder = join(resultsFolder, "evidence", id)
  const run = await readRun(folder)
  if ((await run.recorded()) !== undefined) return pack(join(folder, "evidence"))
  const fresh = join(folder, "evidence.new")
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh)
  for (const evaluation of await run.evidence()) await storeEvidence(run, evaluation, fresh)
  await pack(fresh)
  await rm(join(folder, "evidence"), { recursive: true })
  await rename(fresh, join(folder, "evidence"))
}

/** The files of evidence, byte for byte: those that the run recorded the digests of. */
const copyEvidence = async (from: string, ids: readonly string[], to: string): Promise<void> => {
  for (const name of await readdir(from)) {
    const id = name.replace(/\.(safetensors|ndjson)$/, "")
    if (id === name || ids.includes(id)) await cp(join(from, name), join(to, name), { recursive: true })
  }
}

/** A run without its checkpoints and its lock. One that recorded no digests is stored in the present format. */
const storeRun = async (folder: string, keep: ReadonlySet<string> | undefined): Promise<string> => {
  const run = await readRun(folder)
  const to = join(resultsFolder, "evidence", run.manifest.id)
  await rm(to, { recursive: true, force: true })
  await mkdir(join(to, "evidence"), { recursive: true })
  for (const file of ["manifest.json", "events.ndjson"]) await cp(join(folder, file), join(to, file))
  const ids = (await run.evidence()).filter((id) => keep === undefined || keep.has(id) || id === "floors")
  if ((await run.recorded()) === undefined)
    for (const id of ids) await storeEvidence(run, id, join(to, "evidence"))
  else await copyEvidence(join(folder, "evidence"), ids, join(to, "evidence"))
  await pack(join(to, "evidence"))
  await writeTable(run.manifest.id)
  return run.manifest.id
}

/** results.json of a stored run, from its evidence. */
const writeTable = async (id: string): Promise<void> => {
  const folder = join(resultsFolder, "evidence", id)
  const run = await readRun(folder)
  const table = await runTable(run, await publishedClaims(run))
  // A run that recorded its digests recorded that of these bytes too.
  const indent = (await run.recorded()) === undefined ? undefined : 2
  await writeFileAtomic(join(folder, "results.json"), `${JSON.stringify(table, null, indent)}\n`)
}

const main = async (): Promise<void> => {
  const { values: flags, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      store: { type: "string" },
      remove: { type: "string" },
      recompute: { type: "boolean", default: false },
      reencode: { type: "boolean", default: false },
      kind: { type: "string", default: "matched" },
      title: { type: "string" },
      command: { type: "string" },
      keep: { type: "string" },
      spec: { type: "string" },
      profile: { type: "string" },
    },
  })
  const pages = await readPages()
  if (flags.remove !== undefined) {
    const left = pages.filter(({ name }) => name !== flags.remove)
    await savePages(left)
    await sweepEvidence(left)
    for (const file of await readdir(resultsFolder))
      if (file.replace(/(-\d+)?(\.md|\.svg|\.spec\.json)$/, "") === flags.remove)
        await rm(join(resultsFolder, file), { force: true })
  } else if (flags.reencode) {
    for (const id of new Set(pages.flatMap(({ runs }) => runs))) {
      await reencode(id)
      await writeTable(id)
    }
  } else if (flags.recompute) {
    for (const id of new Set(pages.flatMap(({ runs }) => runs))) await writeTable(id)
  } else if (flags.store !== undefined) {
    const { store: name, title, command } = flags
    const kind = flags.kind as Page["kind"]
    if (title === undefined || command === undefined || positionals.length === 0)
      throw new Error("--store needs --title, --command and the folders of the runs")
    const keep = flags.keep === undefined ? undefined : new Set(flags.keep.split(","))
    const runs: string[] = []
    for (const folder of positionals) runs.push(await storeRun(folder, keep))
    if (kind === "sweep") {
      if (flags.spec === undefined) throw new Error("a sweep needs --spec and --profile")
      await cp(flags.spec, join(resultsFolder, `${basename(name)}.spec.json`))
    }
    const page: Page = {
      name,
      kind,
      title,
      command,
      runs,
      ...(flags.profile === undefined ? {} : { profile: flags.profile as Profile }),
    }
    const at = pages.findIndex((each) => each.name === name)
    const all = at < 0 ? [...pages, page] : pages.with(at, page)
    await savePages(all)
    await sweepEvidence(all)
  }
  await write()
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main()
