import type { Corpus } from "../../spec/data.js"

/** What contracts call a corpus, planned or measured: the published data set, the package of the text, or "files". */
export const datasetName = (corpus: Corpus): string => {
  switch (corpus.kind) {
    case "parameter-golf":
      return corpus.dataset
    case "speeches":
      return corpus.source.replace(/^npm:/, "")
    case "files":
      return "files"
  }
}
