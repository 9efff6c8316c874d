# An experiment varied in a line, and its report.
set -eu
npx repro run mdlm_eos --profile ci --engine onnxruntime --threads 1 --set model.width=32 --set execution.validation.windows=8 --set execution.validation.every=50
npx repro report latest --out report
