"""Golden of test/metric/text-account.test.ts: texts of known UTF-8 length and their pieces under every kind of model.

Run with python3-sentencepiece 0.1.97; the models are trained here on random words and thrown away.

    python3 scripts/text-bytes-golden.py > test/metric/bytes/text-bytes.golden
"""
import json
import os
import random
import tempfile

import sentencepiece as spm

WORDS = "hello world the cat sat on a mat def return if else x y token Fox über naïve".split()
PLAIN = dict(model_type="bpe", normalization_rule_name="identity", remove_extra_whitespaces=False, byte_fallback=True)
UNKNOWN = dict(PLAIN, byte_fallback=False, vocab_size=60)
MODELS = {
    "dummy": PLAIN,
    "nodummy": dict(PLAIN, add_dummy_prefix=False),
    "suffix": dict(PLAIN, treat_whitespace_as_suffix=True),
    "suffix-nodummy": dict(PLAIN, treat_whitespace_as_suffix=True, add_dummy_prefix=False),
    "runs": dict(PLAIN, allow_whitespace_only_pieces=True),
    "runs-nodummy": dict(
        PLAIN, model_type="unigram", allow_whitespace_only_pieces=True, split_by_whitespace=False, add_dummy_prefix=False
    ),
    "inner": dict(PLAIN, model_type="unigram", split_by_whitespace=False),
    "unknown": UNKNOWN,
    "unknown-nodummy": dict(UNKNOWN, add_dummy_prefix=False),
    "sentinel": dict(PLAIN, user_defined_symbols=["\ue001", "\U000f0000"]),
    "nfkc": dict(model_type="bpe", normalization_rule_name="nmt_nfkc", byte_fallback=True),
    "nfkc-cf": dict(model_type="bpe", normalization_rule_name="nmt_nfkc_cf", byte_fallback=True),
    "spaces": dict(model_type="bpe", normalization_rule_name="identity", byte_fallback=True),
}
TEXTS = ["hello world", "the cat sat", "a", " hello  world ", "    if x", "x    y   ", "  ", "the     cat"]
TEXTS += ["世界 hello", "naïve über ☃ fox", "😀 x", "é"]
SENTINELS = ["the \ue001cat \U000f0000sat", "\ue001hello"]
TO_NORMALISE = ["Ｈｅｌｌｏ　ｗｏｒｌｄ", "ﬁne №5", "the   cat "]


def type_of(model, token):
    piece = model.id_to_piece(token)
    if any(0xE000 <= ord(c) <= 0xF8FF or ord(c) >= 0xF0000 for c in piece):
        return "user-defined"
    return "unknown" if model.is_unknown(token) else "byte" if model.is_byte(token) else "normal"


def entry(name, settings, folder, lines):
    prefix = os.path.join(folder, name)
    settings = dict(dict(vocab_size=340), **settings)
    spm.SentencePieceTrainer.train(
        input=lines, model_prefix=prefix, hard_vocab_limit=False, minloglevel=2, **settings
    )
    model = spm.SentencePieceProcessor(model_file=prefix + ".model")
    normalises = settings.get("remove_extra_whitespaces", True)
    texts = TEXTS + (SENTINELS if name == "sentinel" else []) + (TO_NORMALISE if normalises else [])
    pieces, documents, unknown = [], [], []
    for text in texts:
        ids = model.encode(text)
        if name.startswith("unknown"):
            found = model.encode(text, out_type="immutable_proto").pieces
            unknown += [len(p.surface.encode()) for p in found if p.id == model.unk_id()]
        document = []
        for token in ids:
            piece = [model.id_to_piece(token), type_of(model, token)]
            if piece not in pieces:
                pieces.append(piece)
            document.append(pieces.index(piece) + 1)
        documents.append(document)
    return dict(
        model=name,
        addDummyPrefix=settings.get("add_dummy_prefix", True),
        removeExtraWhitespaces=normalises,
        replaces=settings["normalization_rule_name"] != "identity",
        whitespaceAsSuffix=settings.get("treat_whitespace_as_suffix", False),
        texts=texts,
        pieces=pieces,
        documents=documents,
        sourceBytes=sum(len(text.encode()) for text in texts),
        decodedBytes=sum(len(model.decode(model.encode(text)).encode()) for text in texts),
        unknown=len(unknown),
        unknownBytes=sum(unknown),
    )


random.seed(2)
with tempfile.TemporaryDirectory() as folder:
    lines = os.path.join(folder, "train.txt")
    with open(lines, "w") as file:
        for _ in range(4000):
            indent = "    " if random.random() < 0.3 else ""
            file.write(indent + random.choice([" ", "  ", "    "]).join(random.choice(WORDS) for _ in range(8)) + "\n")
    print(json.dumps([entry(name, settings, folder, lines) for name, settings in MODELS.items()]))
