/**
 * Experiments that rest on another's result, which they begin from or are judged by: a chain of specs, each with the
 * fingerprint of the one before it.
 *
 * The fingerprint is written into the text when a spec is read, for each profile, so that the text says by itself what
 * it rests on and a stored run can be compared with it later.
 */
import { readJson } from "./decode.js"
import { mergePatch } from "./merge-patch.js"
import { SpecError, type Problem } from "./spec-error.js"

type Document = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Document =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Loads the spec that a name means, for a profile. */
export type LoadParent = (
  name: string,
  profile: string,
  pointer: string,
) => Promise<{ readonly fingerprint: string }>

interface Named {
  readonly run: string
  readonly profile: string
  readonly stated: unknown
}

/** What names a spec, under a profile; undefined where it names none. */
const namedBy = (value: unknown, profile: string): Named | undefined => {
  if (!isObject(value) || typeof value["run"] !== "string") return undefined
  return {
    run: value["run"],
    profile: typeof value["profile"] === "string" ? value["profile"] : profile,
    stated: value["fingerprint"],
  }
}

const evaluationsOf = (body: Document): readonly unknown[] =>
  Array.isArray(body["evaluations"]) ? (body["evaluations"] as readonly unknown[]) : []

const isJudged = (evaluation: unknown): evaluation is Document & { readonly judge: Document } =>
  isObject(evaluation) && isObject(evaluation["judge"]) && typeof evaluation["judge"]["run"] === "string"

const mentionsRun = (document: Document): boolean =>
  [document, ...(isObject(document["profiles"]) ? Object.values(document["profiles"]) : [])].some(
    (body) => isObject(body) && (isObject(body["init"]) || evaluationsOf(body).some(isJudged)),
  )

/** Without the fingerprints that its judges state. */
const withoutPins = (body: Document): Document => ({
  ...body,
  evaluations: evaluationsOf(body).map((evaluation) => {
    if (!isJudged(evaluation)) return evaluation
    const { fingerprint: _fingerprint, ...judge } = evaluation.judge
    return { ...evaluation, judge }
  }),
})

/** The text of a spec with the fingerprint of each profile's parent and judges. @throws SpecError where a stated one is another */
export const pinParents = async (text: string, file: string, load: LoadParent): Promise<string> => {
  const { value: document } = readJson(text, file)
  if (!isObject(document) || !mentionsRun(document)) return text
  const problems: Problem[] = []
  const { profiles: overlays, published, ...body } = document
  const pinOf = async (by: unknown, profile: string, pointer: string): Promise<string | undefined> => {
    const named = namedBy(by, profile)
    if (named === undefined) return undefined
    const { fingerprint } = await load(named.run, named.profile, pointer.replace(/fingerprint$/, "run"))
    if (named.stated !== undefined && named.stated !== null && named.stated !== fingerprint)
      problems.push({
        pointer,
        expected: `${fingerprint}, the fingerprint of ${named.run} with the profile ${named.profile} as it is now`,
        found: JSON.stringify(named.stated),
        hint: "That experiment changed since the fingerprint was written: put it back, or write the new fingerprint and run both again.",
      })
    return fingerprint
  }
  const withPin = (of: Document, pin: string): Document => ({
    ...of,
    init: { ...(isObject(of["init"]) ? of["init"] : {}), fingerprint: pin },
  })
  /** The evaluations with the fingerprints of their judges; undefined where none is judged. */
  const judgedIn = async (
    of: Document,
    profile: string,
    at: string,
  ): Promise<Pick<Document, "evaluations"> | undefined> => {
    const evaluations = evaluationsOf(of)
    if (!evaluations.some(isJudged)) return undefined
    const pinnedOnes: unknown[] = []
    for (const [i, evaluation] of evaluations.entries())
      pinnedOnes.push(
        isJudged(evaluation)
          ? {
              ...evaluation,
              judge: {
                ...evaluation.judge,
                fingerprint: await pinOf(
                  evaluation.judge,
                  profile,
                  `${at}/evaluations/${i}/judge/fingerprint`,
                ),
              },
            }
          : evaluation,
      )
    return { evaluations: pinnedOnes }
  }
  const pinnedWhole = async (of: Document): Promise<Document> => {
    const pin = await pinOf(of["init"], "paper", "/init/fingerprint")
    return { ...(pin === undefined ? of : withPin(of, pin)), ...(await judgedIn(of, "paper", "")) }
  }
  const own = await pinOf(body["init"], "paper", "/init/fingerprint")
  const pinned: Record<string, unknown> = {}
  for (const [name, overlay] of Object.entries(isObject(overlays) ? overlays : {})) {
    pinned[name] = overlay
    if (!isObject(overlay)) continue
    // A fingerprint that the published configuration states is not that of this profile's parent.
    const stated = isObject(overlay["init"]) ? overlay["init"]["fingerprint"] : undefined
    const merged = mergePatch(body, overlay) as Document
    const of = isObject(merged["init"])
      ? { ...merged, init: { ...merged["init"], fingerprint: stated } }
      : merged
    const pin = await pinOf(of["init"], name, `/profiles/${name}/init/fingerprint`)
    // Evaluations of its own say their judges; those of the published configuration are judged under this profile.
    const judged = await judgedIn(
      overlay["evaluations"] === undefined ? withoutPins(merged) : merged,
      name,
      `/profiles/${name}`,
    )
    const withJudges: Document = { ...overlay, ...judged }
    if (pin !== undefined) pinned[name] = withPin(withJudges, pin)
    else if (own !== undefined && isObject(merged["init"]))
      pinned[name] = { ...withJudges, init: { ...(overlay["init"] as Document), fingerprint: null } }
    else pinned[name] = withJudges
  }
  if (problems.length > 0) throw new SpecError(file, problems)
  const whole = {
    ...(own === undefined ? body : withPin(body, own)),
    ...(await judgedIn(body, "paper", "")),
    ...(overlays === undefined ? {} : { profiles: isObject(overlays) ? pinned : overlays }),
    ...(published === undefined
      ? {}
      : { published: isObject(published) ? await pinnedWhole(published) : published }),
  }
  return `${JSON.stringify(whole, null, 2)}\n`
}

/** The chain that an experiment stands on, the first stage first; empty where it draws its weights. */
export const ancestorsOf = <S extends { readonly parent?: S }>({ parent }: S): readonly S[] =>
  parent === undefined ? [] : [...ancestorsOf(parent), parent]
