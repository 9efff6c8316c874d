/** Runs one evaluation of a spec and gives its evidence as a file's contents. */
import type { StoredTensor } from "../files/safetensors.js"
import type { MaskRule } from "../diffusion/corrupt.js"
import { TIE_NATS } from "./confidence.js"
import {
  EVIDENCE_FORMAT,
  EVIDENCE_VERSION,
  evidenceMetadata,
  followingTokens,
  previousTokens,
  type EvidenceHeader,
} from "./evidence.js"
import { EvaluationError, type EvaluateJob } from "./job.js"
import { measureCausal } from "./measure-causal.js"
import { measureMasked } from "./measure-masked.js"
import { isIntact } from "../files/intact.js"
import { textRulesOf } from "../data/tokenizers/text-rules.js"
import { cutWindows } from "../inference/windows.js"

export { EvaluationError, type EvaluateJob } from "./job.js"

export interface EvidenceFile {
  readonly tensors: Record<string, StoredTensor>
  readonly metadata: Record<string, string>
}

export const evaluate = async (job: EvaluateJob): Promise<EvidenceFile> => {
  const { evaluation, experiment, executor, split, corpus } = job
  const { objective } = experiment
  const { tokenizer } = experiment.data
  const boundary = objective.kind === "masked-diffusion" ? objective.boundary : "maskable"
  const rule: MaskRule = {
    maskId: tokenizer.maskId,
    padId: tokenizer.padId,
    boundaryId: tokenizer.boundaryId,
    boundary,
  }
  const windows = cutWindows(split, evaluation.windows, tokenizer, corpus.validation.join(", "))
  const { normalizer, whitespaceAsSuffix = false, pieces } = corpus.tokenizer
  const text = normalizer === undefined ? undefined : textRulesOf({ normalizer, whitespaceAsSuffix })
  const intact = text !== undefined && isIntact({ pieces, text }, split, corpus.totals?.validation.bytes)
  const started = performance.now()
  const header = (forwards: number): EvidenceHeader => ({
    format: EVIDENCE_FORMAT,
    version: EVIDENCE_VERSION,
    evaluation,
    split: {
      name: "validation",
      tokens: split.length,
      digests: corpus.validationDigests,
      available: windows.available,
      windows: windows.count,
      ...(windows.leftOut === undefined ? {} : { leftOut: windows.leftOut }),
      ...(intact ? { intact } : {}),
    },
    tokenizer: {
      id: tokenizer.id,
      digest: corpus.tokenizerDigest,
      vocabSize: tokenizer.vocabSize,
      boundaryId: tokenizer.boundaryId,
      maskId: tokenizer.maskId,
      padId: tokenizer.padId,
      pieces: corpus.tokenizer.pieces.map(({ piece, type }) => ({ piece, type })),
      ...(text === undefined ? {} : { text }),
    },
    objective: { eps: objective.kind === "masked-diffusion" ? objective.schedule.eps : null, boundary },
    ...(evaluation.kind === "chain-rule" && evaluation.order === "confidence" ? { tieNats: TIE_NATS } : {}),
    step: job.step,
    executor: { name: executor.name, version: executor.version, precision: job.precision },
    forwards,
    seconds: (performance.now() - started) / 1000,
  })

  if (objective.kind !== "autoregressive" && objective.kind !== "masked-diffusion")
    throw new EvaluationError(
      evaluation.id,
      `the kind "${evaluation.kind}" scores rows of a fixed length, and the objective "${objective.kind}" inserts tokens; evaluate its code length`,
    )
  const measured =
    objective.kind === "autoregressive"
      ? await measureCausal(job, windows)
      : await measureMasked(job, windows, objective, rule)
  return {
    tensors: {
      ...measured.tensors(previousTokens(split, windows)),
      following: {
        dtype: "I32",
        shape: [windows.count],
        data: followingTokens(split, windows, tokenizer.padId),
      },
    },
    metadata: evidenceMetadata(header(measured.forwards)),
  }
}
