/** Rules between rows of documents, the end slot of a network that inserts, and the windows that score it. */
import { readFile } from "node:fs/promises"
import { test } from "tap"
import { mergePatch } from "../../src/spec/merge-patch.js"
import { brokenRules } from "../../src/spec/rules.js"

const spec = async (name: string, change: object): Promise<readonly string[]> => {
  const { profiles: _, ...experiment } = JSON.parse(
    await readFile(`specs/${name}.json`, "utf8"),
  ) as object & {
    readonly profiles: unknown
  }
  return brokenRules(mergePatch(experiment, change)).map(
    ({ pointer, expected, found }) => `${pointer}: ${expected}; ${found}`,
  )
}

test("an anchor ends rows where the network's end slot is before it, and only there", async (t) => {
  t.same(await spec("flexmdm_star_easy", {}), [])
  t.same(await spec("flexmdm_brackets", {}), [])
  const none = ['/data/batching/end: "anchor" for the end slot "eos-anchor" of the network; "none"']
  t.same(await spec("flexmdm_star_easy", { data: { batching: { end: "none" } } }), none)
  t.same(await spec("flexmdm_star_easy", { data: { batching: { end: null } } }), none, "none, when absent")
  t.same(await spec("flexmdm_brackets", { data: { batching: { end: "anchor" } } }), [
    '/data/batching/end: "none" for the end slot "extra" of the network; "anchor"',
  ])
})

/** One evaluation of windows. */
const measured = (by: object) => (alignment: string) => ({
  evaluations: [
    { id: "code-length", windows: { length: 42, count: 10, alignment }, draws: 1, seed: 1, ...by },
  ],
})
const evaluations = measured({ kind: "insertion-nelbo", strata: 4 })
const elbo = measured({ kind: "discrete-elbo", steps: 4 })

test("documents are scored as documents", async (t) => {
  for (const alignment of ["raw-stream", "document-chunks"])
    t.match(await spec("flexmdm_star_easy", evaluations(alignment)), [
      /^\/evaluations\/0\/windows\/alignment: "documents", as rows of training are whole documents/,
    ])
  t.match(await spec("flexmdm_speeches", evaluations("documents")), [
    /^\/evaluations\/0\/windows\/alignment: another alignment/,
  ])
  // A masked network of fixed length may be trained on documents; most evaluations would mask and score prompts.
  t.match(await spec("llada_8b_math", elbo("documents")), [
    /^\/evaluations\/0\/windows\/alignment: "raw-stream" or "document-chunks" for the kind "discrete-elbo"/,
  ])
  t.match(await spec("llada_8b_math", elbo("document-chunks")), [
    /^\/evaluations\/0\/windows\/alignment: "documents", as rows of training are whole documents/,
  ])
  // Their places behind a text are its end, which no kind but one fills in.
  t.match(await spec("mdlm_speeches", elbo("document-chunks")), [
    /^\/evaluations\/0\/windows\/alignment: "raw-stream" for the kind "discrete-elbo", or the kind "continuous-nelbo"/,
  ])
  t.same(await spec("mdlm_speeches", elbo("raw-stream")), [])
})
