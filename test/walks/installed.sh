# In an empty folder, with the package alone.
set -eu
npm install --no-audit --no-fund "$PACKAGE" 2> install.log
npx repro list
npx repro run mdlm_eos --profile ci --engine onnxruntime --threads 1
npx repro table latest
