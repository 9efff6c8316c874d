/** The content that a run rests on: every file of its data by digest, in the order of use. */

export interface FileContent {
  /** Name without its folder. */
  readonly file: string
  /** SHA-256, hexadecimal. */
  readonly sha256: string
}

/** How much of the validation split also stands, word for word, in the training split. */
export interface Overlap {
  /** Tokens in one block; blocks follow each other in the validation split. */
  readonly block: number
  /** Whole blocks in the validation split. */
  readonly blocks: number
  /** Of these, those that stand anywhere in the training tokens that were looked at. */
  readonly shared: number
  /** Training tokens that were looked at, and all there are. */
  readonly looked: number
  readonly trainTokens: number
}

export interface DataContent {
  readonly tokenizer: FileContent
  readonly train: readonly FileContent[]
  readonly validation: readonly FileContent[]
  /** Absent: not looked at. */
  readonly overlap?: Overlap
}

const PARTS = ["tokenizer", "train", "validation"] as const
const WORDS = { tokenizer: "tokenizer", train: "training shard", validation: "validation shard" } as const

const filesOf = (content: DataContent, part: (typeof PARTS)[number]): readonly FileContent[] =>
  part === "tokenizer" ? [content.tokenizer] : content[part]

const named = ({ file, sha256 }: FileContent): string => `${file} (sha256 ${sha256})`

/** Where two contents differ, as clauses that name files and both digests; empty when they are equal. Names may differ. */
export const contentChanges = (before: DataContent, now: DataContent): readonly string[] =>
  PARTS.flatMap((part) => {
    const [was, is] = [filesOf(before, part), filesOf(now, part)]
    const [there, here] = [was, is].map((files) => files.map(({ sha256 }) => sha256))
    if (there!.join() === here!.join()) return []
    if ([...there!].sort().join() === [...here!].sort().join())
      return [
        `the ${WORDS[part]}s are in another order: ${was.map(({ file }) => file).join(", ")}, now ${is.map(({ file }) => file).join(", ")}`,
      ]
    const count = Math.max(was.length, is.length)
    return Array.from({ length: count }, (_, i) => [was[i], is[i]] as const).flatMap(([a, b]) => {
      if (a === undefined) return [`${WORDS[part]} ${named(b!)} was not there`]
      if (b === undefined) return [`${WORDS[part]} ${named(a)} is no longer there`]
      return a.sha256 === b.sha256
        ? []
        : [
            `${WORDS[part]} ${b.file} had sha256 ${a.sha256}${a.file === b.file ? "" : ` as ${a.file}`}, has ${b.sha256}`,
          ]
    })
  })

export const sameContent = (a: DataContent, b: DataContent): boolean => contentChanges(a, b).length === 0

const twice = (files: readonly FileContent[], what: string): readonly string[] => {
  const byDigest = new Map<string, string[]>()
  for (const { file, sha256 } of files) byDigest.set(sha256, [...(byDigest.get(sha256) ?? []), file])
  return [...byDigest.values()]
    .filter((names) => names.length > 1)
    .map((names) =>
      new Set(names).size === 1
        ? `The ${what} shard ${names[0]} is listed ${names.length} times: its text counts ${names.length} times.`
        : `The ${what} shards ${names.join(" and ")} have the same content: its text counts ${names.length} times.`,
    )
}

const overlapNotice = ({ block, blocks, shared, looked, trainTokens }: Overlap): string => {
  const share = ((100 * shared) / blocks).toFixed(shared === blocks ? 0 : 2)
  const of = looked < trainTokens ? `the first ${looked} tokens of the training split` : "the training split"
  return `${shared} of ${blocks} blocks of ${block} validation tokens (${share} %) stand word for word in ${of}; its floors know them.`
}

/** What a reader must know about the data: shards listed twice, validation text in the training split. */
export const contentNotices = (content: DataContent): readonly string[] => {
  const train = new Map(content.train.map(({ file, sha256 }) => [sha256, file]))
  const both = content.validation.flatMap(({ file, sha256 }) => {
    const other = train.get(sha256)
    return other === undefined ? [] : [other === file ? file : `${file} (as ${other})`]
  })
  const whole = [...new Set(both)]
  return [
    ...twice(content.train, "training"),
    ...twice(content.validation, "validation"),
    ...(whole.length > 0
      ? [
          `Validation text is in the training split: ${whole.join(", ")} ${whole.length === 1 ? "is" : "are"} in both; floors of the training split are fitted on text that is scored.`,
        ]
      : content.overlap !== undefined && content.overlap.shared > 0
        ? [overlapNotice(content.overlap)]
        : []),
  ]
}
