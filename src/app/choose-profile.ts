/** Which profile to run when none was asked for. */
import { checkCorpus } from "../data/corpora/corpus.js"
import type { Available } from "../engine/choose.js"
import { loadSpec, type Profile } from "../spec/spec-file.js"

/** `paper` where its data lies on disk and a GPU can run it, else `laptop`. */
export const chooseProfile = async (
  file: string,
  cacheDir: string,
  available: () => Promise<Available>,
): Promise<{ readonly profile: Profile; readonly reason: string }> => {
  const paper = await loadSpec(file, "paper")
  if (!paper.profiles.includes("laptop")) return { profile: "paper", reason: "the spec has no other profile" }
  const { ready } = await checkCorpus(paper.experiment.data, { cacheDir })
  const gpu = ready && (await available()).gpu
  if (ready && gpu) return { profile: "paper", reason: "its data and a GPU are there" }
  return {
    profile: "laptop",
    reason: ready
      ? "no GPU was found for the published size"
      : "the published data is not on this machine (repro prepare SPEC fetches it)",
  }
}
