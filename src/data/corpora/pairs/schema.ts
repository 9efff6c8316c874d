/** The JSON of rows of a prompt and a target. */
import * as Schema from "effect/Schema"
import { Count, Natural, Proportion, Sha256, formed } from "../../../spec/common.js"
import { FileSource, HubSource } from "../../../spec/source-syntax.js"

export const WebSource = formed(/^https?:\/\/\S+$/, "https://...", { prefix: "https:" })

export const Pairs = Schema.Struct({
  kind: Schema.Literal("pairs"),
  source: Schema.Union([HubSource, FileSource, WebSource]).annotate({
    description:
      "Where the rows are: hf:OWNER/REPOSITORY with `files` of it, or one file by file:PATH or https://. JSON lines, plain, gzip or zstd.",
  }),
  revision: Schema.optionalKey(Schema.String).annotate({
    description: "Branch, tag or commit of a hub repository; main when absent.",
  }),
  files: Schema.optionalKey(Schema.NonEmptyArray(Schema.String)).annotate({
    description: "Files of a hub repository, in the order of their rows; all its JSON lines when absent.",
  }),
  sha256: Schema.optionalKey(Schema.Record(Schema.String, Sha256)).annotate({
    description: "Digest of each file, by its name in the repository; of a single file, by its source.",
  }),
  tokenizer: Schema.Union([FileSource, WebSource]).annotate({
    description: "The tokenizer.json.",
  }),
  prompt: Schema.String.annotate({
    description: "Field of a row that is the prompt; blanks around it are cut.",
  }),
  target: Schema.String.annotate({
    description: "Field of a row that is the target; blanks around it are cut.",
  }),
  promptEnd: Schema.String.annotate({ description: "Text behind every prompt, tokenised on its own." }),
  blanks: Schema.optionalKey(Schema.Literal("kept")).annotate({
    description: "kept: blanks around prompt and target stay; cut when absent.",
  }),
  promptTemplate: Schema.optionalKey(formed(/\{prompt\}/, 'a text with "{prompt}" in it')).annotate({
    description:
      "Text of a prompt, such as that of a chat, where {prompt} stands for the field; the field alone when absent.",
  }),
  targetSplit: Schema.optionalKey(Schema.String.check(Schema.isMinLength(1))).annotate({
    description:
      "Text in every target that divides it at its last place, such as the #### before GSM8K's answer; blanks around both parts are cut.",
  }),
  targetTemplate: Schema.optionalKey(formed(/\{target\}/, 'a text with "{target}" in it')).annotate({
    description:
      "Text of a target, where {target} stands for the field, or for its part before targetSplit, and {answer} for the part behind; the field alone when absent.",
  }),
  holdOut: Schema.Struct({
    share: Proportion.annotate({ description: "Share of the rows that is held out, rounded up." }),
    seed: Natural.annotate({ description: "Seed of the permutation that chooses them." }),
  }).annotate({ description: "The validation split: what the hub's train_test_split holds out." }),
  trainShards: Count.annotate({ description: "Shards that the rows are cut into, in their order." }),
  only: Schema.optionalKey(Schema.Literal("first-row")).annotate({
    description: "first-row: the first row of the training split, for training and validation alike.",
  }),
}).annotate({
  description: "Rows of a prompt and a target, such as TinyGSM's question and code, tokenised apart.",
})
export type Pairs = typeof Pairs.Type

/** What a spec says of texts beyond the fields. */
export const textRule = ({ blanks, promptTemplate, targetSplit, targetTemplate }: Pairs) => ({
  ...(blanks === undefined ? {} : { blanks }),
  ...(promptTemplate === undefined ? {} : { promptTemplate }),
  ...(targetSplit === undefined ? {} : { targetSplit }),
  ...(targetTemplate === undefined ? {} : { targetTemplate }),
})
