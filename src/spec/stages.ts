/**
 * Experiments that begin from another's result: a chain of specs, each with the fingerprint of the one before it.
 *
 * The fingerprint is written into the text when a spec is read, for each profile, so that the text says by itself what
 * it rests on and a stored run can be compared with it later.
 */
import { readJson } from "./decode.js"
import { mergePatch } from "./merge-patch.js"
import { SpecError, type Problem } from "./spec-error.js"
import type { LoadedSpec } from "./spec-file.js"

type Document = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Document =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Loads the spec that a name means, for a profile. */
export type LoadParent = (name: string, profile: string) => Promise<LoadedSpec>

interface Named {
  readonly run: string
  readonly profile: string
  readonly stated: unknown
}

/** What a body's init names, under a profile; undefined where it names no spec. */
const namedIn = (body: Document, profile: string): Named | undefined => {
  const { init } = body
  if (!isObject(init) || typeof init["run"] !== "string") return undefined
  return {
    run: init["run"],
    profile: typeof init["profile"] === "string" ? init["profile"] : profile,
    stated: init["fingerprint"],
  }
}

const mentionsRun = (document: Document): boolean =>
  [document, ...(isObject(document["profiles"]) ? Object.values(document["profiles"]) : [])].some(
    (body) => isObject(body) && isObject(body["init"]),
  )

/** The text of a spec with the fingerprint of each profile's parent. @throws SpecError where a stated one is another */
export const pinParents = async (text: string, file: string, load: LoadParent): Promise<string> => {
  const { value: document } = readJson(text, file)
  if (!isObject(document) || !mentionsRun(document)) return text
  const problems: Problem[] = []
  const { profiles: overlays, published, ...body } = document
  const pinOf = async (of: Document, profile: string, pointer: string): Promise<string | undefined> => {
    const named = namedIn(of, profile)
    if (named === undefined) return undefined
    const { fingerprint } = await load(named.run, named.profile)
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
  const own = await pinOf(body, "paper", "/init/fingerprint")
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
    const pin = await pinOf(of, name, `/profiles/${name}/init/fingerprint`)
    if (pin !== undefined) pinned[name] = withPin(overlay, pin)
    else if (own !== undefined && isObject(merged["init"]))
      pinned[name] = { ...overlay, init: { ...(overlay["init"] as Document), fingerprint: null } }
  }
  if (problems.length > 0) throw new SpecError(file, problems)
  const publishedPin = isObject(published) ? await pinOf(published, "paper", "/init/fingerprint") : undefined
  const whole = {
    ...(own === undefined ? body : withPin(body, own)),
    ...(overlays === undefined ? {} : { profiles: isObject(overlays) ? pinned : overlays }),
    ...(published === undefined
      ? {}
      : { published: publishedPin === undefined ? published : withPin(published as Document, publishedPin) }),
  }
  return `${JSON.stringify(whole, null, 2)}\n`
}

/** The chain that an experiment stands on, the first stage first; empty where it draws its weights. */
export const ancestorsOf = ({ parent }: Pick<LoadedSpec, "parent">): readonly LoadedSpec[] =>
  parent === undefined ? [] : [...ancestorsOf(parent), parent]
