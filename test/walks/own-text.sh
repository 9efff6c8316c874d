# In a folder with texts in corpus/ and the small spec that README shows: five commands to a table.
set -eu
npx repro validate mine
npx repro plan mine --profile ci
npx repro tokenize mine --profile ci
npx repro run mine --profile ci --engine onnxruntime --threads 1
npx repro table latest --format md
