/** A run that is killed again and again while it samples and judges texts ends with the evidence of one never killed. */
import { spawn } from "node:child_process"
import { readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as after } from "node:timers/promises"
import t from "tap"
import type { EvidenceHeader } from "../../src/evaluators/evidence.js"
import { readRun } from "../../src/run/directory.js"
import { program, repro, root, runFolder } from "../cli/small.js"
import { judgeSpec } from "./judge-spec.js"
import { growingSpec } from "./samples-run.js"

t.setTimeout(540_000)

/** Lines of parts that a run has kept of an evaluation; the first says what they depend on. */
const parts = async (runs: string): Promise<number> => {
  const folder = await runFolder(runs).catch(() => undefined)
  if (folder === undefined) return 0
  const text = await readFile(join(folder, "partial", "texts.items.ndjson"), "utf8").catch(() => "")
  return Math.max(0, text.split("\n").length - 2)
}

/** Runs the program and kills it once that many parts are kept; whether it was. */
const killedAt = async (runs: string, args: readonly string[], wanted: number): Promise<boolean> => {
  const child = spawn(process.execPath, [...program, ...args], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: "ignore",
  })
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once("close", (_code, signal) => resolve(signal)),
  )
  while (child.exitCode === null && child.signalCode === null) {
    if ((await parts(runs)) >= wanted) child.kill("SIGKILL")
    await after(5)
  }
  return (await ended) === "SIGKILL"
}

/** Time is what a kill may change. */
const untimed = ({ metadata }: { readonly metadata: Readonly<Record<string, string>> }): unknown => {
  const header = JSON.parse(metadata["evidence"]!) as EvidenceHeader
  return { ...header, seconds: 0, judge: { ...header.judge, seconds: 0 } }
}

void t.test("texts and what their judge said, after kills in either", async (t) => {
  const [count, batch] = [80, 2]
  const { folder, spec } = await growingSpec(
    "brackets",
    [
      {
        kind: "samples",
        id: "texts",
        count,
        seeds: [0],
        sampling: { sampler: "tau", steps: 24 },
        judge: { run: "tiny_judge" },
      },
    ],
    { execution: { evaluationBatch: batch } },
  )
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await judgeSpec(folder)
  const [whole, killed] = [join(folder, "whole"), join(folder, "killed")]
  const made = await repro(["run", spec, "--profile", "paper", "--runs", whole, "--json"])
  t.equal(made.code, 0, made.stderr)
  let kills = 0
  // Forty groups of texts, then texts and chunks in parts that are judged together.
  for (const wanted of [3, 17, count / batch + 1]) {
    const resume = kills === 0 ? ["--profile", "paper"] : ["--resume", "latest"]
    if (await killedAt(killed, ["run", spec, ...resume, "--runs", killed], wanted)) kills++
  }
  t.ok(kills >= 2, `killed ${kills} times`)
  const last = await repro(["run", spec, "--runs", killed, "--resume", "latest", "--json"])
  t.equal(last.code, 0, last.stderr)
  const folders = [await runFolder(whole), await runFolder(killed)] as const
  const [a, b] = await Promise.all(
    folders.map((each) => readFile(join(each, "evidence", "texts.ndjson"), "utf8")),
  )
  t.ok(a!.trimEnd().split("\n").length === count && a === b, "the items are the same bytes")
  const [one, other] = await Promise.all(
    folders.map(async (each) => (await readRun(each)).readEvidence("texts")),
  )
  t.same([...one!.tensors.keys()], [...other!.tensors.keys()])
  for (const [name, tensor] of one!.tensors)
    t.same(tensor, other!.tensors.get(name), `${name} holds the same numbers`)
  t.same(untimed(one!), untimed(other!))
})
