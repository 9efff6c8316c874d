/** The data of an experiment in words: their digests, and what a reader must know of them. */
import { contentNotices, type DataContent, type FileContent } from "../spec/content.js"
import type { Experiment } from "../spec/experiment.js"
import { strayDigests } from "../spec/fingerprint.js"

/** At most this many shards are named. */
const NAMED = 3

const named = ({ file, sha256 }: FileContent): string => `${file} ${sha256.slice(0, 12)}`

const list = (files: readonly FileContent[]): string => {
  const rest = files.length - NAMED
  return [...files.slice(0, NAMED).map(named), ...(rest > 0 ? [`and ${rest} more`] : [])].join(", ")
}

/** `train a.bin 0f77.., validation b.bin 1c2c.., tokenizer t.model ac0b..`: names and the beginning of each SHA-256. */
export const describeContent = ({ train, validation, tokenizer }: DataContent): string =>
  `train ${list(train)}; validation ${list(validation)}; tokenizer ${named(tokenizer)}`

/** Sentences about the data that the numbers rest on. */
export const dataWarnings = (experiment: Experiment, content: DataContent | undefined): readonly string[] => [
  ...strayDigests(experiment).map(
    (path) =>
      `data.corpus.sha256 states a digest of ${path}, which is not among the shards; it is compared with nothing.`,
  ),
  ...(content === undefined ? [] : contentNotices(content)),
]
