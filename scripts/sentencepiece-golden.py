#!/usr/bin/python3
"""What the reference implementation says about a SentencePiece model.

Reads a JSON list of texts, prints one JSON value per line: special ids,
then [piece, type, score] of every id, then [text, ids] of every text.
Needs the Debian package python3-sentencepiece (0.1.97). The committed answers were made with

    npx tsx test/data/texts.ts 300 7 | scripts/sentencepiece-golden.py assets/sp1024.model > test/data/tokenizers/sp1024.golden.ndjson
"""
import json
import sys

import sentencepiece

processor = sentencepiece.SentencePieceProcessor(model_file=sys.argv[1])
texts = json.load(sys.stdin)


def kind(piece):
    for name, test in (
        ("unknown", processor.IsUnknown),
        ("control", processor.IsControl),
        ("unused", processor.IsUnused),
        ("byte", processor.IsByte),
    ):
        if test(piece):
            return name
    return "normal"


pieces = [[processor.IdToPiece(i), kind(i), processor.GetScore(i)] for i in range(processor.GetPieceSize())]
encodings = [[text, processor.EncodeAsIds(text)] for text in texts]

ids = {name: getattr(processor, f"{name}_id")() for name in ("unk", "bos", "eos", "pad")}

for row in [{"version": sentencepiece.__version__, **ids, "size": len(pieces)}, *pieces, *encodings]:
    print(json.dumps(row, separators=(",", ":")))
