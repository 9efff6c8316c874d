/** A judge that trains nothing: a small GPT-2 in a file with published names (test/families/gpt2/make_judge.py). */
import { createHash } from "node:crypto"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"

interface Golden {
  readonly window: number
  readonly file: string
  readonly judged: readonly {
    readonly text: string
    readonly ids: readonly number[]
    readonly alone: readonly number[]
    readonly opened: readonly number[]
  }[]
  readonly chunks: readonly (readonly number[])[]
}

export const golden = JSON.parse(
  await readFile(new URL("../families/gpt2/judge.json", import.meta.url), "utf8"),
) as Golden
const weights = Buffer.from(golden.file, "base64")
export const sha256 = createHash("sha256").update(weights).digest("hex")

/** The spec of a judge that trains nothing, beside the spec that it judges. */
export const judgeSpec = async (folder: string): Promise<void> => {
  const published = JSON.parse(await readFile("specs/gpt2_large.json", "utf8")) as object
  const { data } = JSON.parse(await readFile("specs/flexmdm_speeches.json", "utf8")) as {
    readonly data: { readonly batching: object }
  }
  await writeFile(join(folder, "judge.safetensors"), weights)
  await writeFile(
    join(folder, "tiny_judge.json"),
    JSON.stringify({
      ...published,
      id: "tiny_judge",
      init: { checkpoint: `file:${join(folder, "judge.safetensors")}` },
      data: { ...data, batching: { ...data.batching, length: golden.window } },
      model: {
        kind: "gpt2",
        layers: 1,
        width: 4,
        heads: 2,
        positions: golden.window,
        tableRows: 1026,
        normEps: 1e-5,
      },
      evaluations: [
        {
          kind: "autoregressive",
          id: "ar",
          windows: { length: golden.window, count: 4, alignment: "document-chunks" },
          tail: "C",
        },
      ],
      execution: { engine: "onnxruntime", device: "cpu", precision: "fp32", threads: 1 },
      profiles: {},
    }),
  )
}
