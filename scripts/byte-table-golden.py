"""Writes the byte table of a SentencePiece model, from python3-sentencepiece's own answers about each id.

Usage: /usr/bin/python3 scripts/byte-table-golden.py assets/sp1024.model > test/metric/bytes/sp1024.byte-table.golden
One line per id: bytes without the leading space, leading space 0/1, boundary 0/1.
"""

import sys

import sentencepiece

model = sentencepiece.SentencePieceProcessor(model_file=sys.argv[1])
for token in range(model.get_piece_size()):
    if model.is_control(token) or model.is_unknown(token) or model.is_unused(token):
        print(0, 0, 1)
        continue
    if model.is_byte(token):
        print(1, 0, 0)
        continue
    piece = model.id_to_piece(token)
    spaced = piece.startswith("\u2581")
    print(len(piece[1:].encode() if spaced else piece.encode()), int(spaced), 0)
