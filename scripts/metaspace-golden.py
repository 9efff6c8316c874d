"""Golden of test/data/tokenizers/metaspace.test.ts: tokenizer.json files as Llama-2, Mistral, Gemma and T5 write them, with
the ids that the library `tokenizers` gives to texts that are hard for such files.

Run with tokenizers 0.23.3 (`pip install tokenizers`); the vocabularies are trained here on a few sentences.

    python3 scripts/metaspace-golden.py > test/data/tokenizers/metaspace.golden.ndjson
"""
import json

from tokenizers import Tokenizer
from tokenizers.models import BPE, Unigram
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.trainers import BpeTrainer, UnigramTrainer

SPACE = "\u2581"
SENTENCES = [
    "the cat sat on the mat and the dog sat on the cat",
    "hello world, hello token; def main(): return x if y else z",
    "naïve über café, the end of the text",
    "    indented code    with   runs of spaces",
    "世界 你好 世界",
    "line one\nline two\n\nline four\ttab",
] * 4
SPECIALS = ["<unk>", "<s>", "</s>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
TEXTS = [
    "hello world", "a", "", " ", "  ", "   ", " hello", "  hello", "    return x", "hello ", "hello  ",
    "the  cat   sat    on", "\n", "\n\n", "line one\nline two", "\n hello", "hello\n", "a\n\n  b", "\t", "a\tb",
    "世界", " 世界 ", "世界你好 hello", "漢字カナ", "😀", "😀😀 x", "👩‍👩‍👧 family", "\u00a0", "\u3000hello", "\u2581", "a\u2581b",
    "naïve über café ☃", "e\u0301", "\u200b", "\ufeffx", "Ωmega ß", "<s>", "a</s>b", "<unk>", "hello <s> world", "<0x41>",
    "x" * 40, "the cat" * 5, "!?;:,.", "0123456789", "\r\n", "a\u0000b", "\u007f", "مرحبا بالعالم", "नमस्ते", "🇩🇪",
]


def trained_bpe():
    tokenizer = Tokenizer(BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = Metaspace(replacement=SPACE, prepend_scheme="always", split=False)
    # Pieces of several spaces, and those that end in one, as Llama's have them.
    tokenizer.train_from_iterator(SENTENCES, BpeTrainer(vocab_size=160, show_progress=False))
    return json.loads(tokenizer.to_str())["model"]


def trained_unigram():
    tokenizer = Tokenizer(Unigram())
    tokenizer.pre_tokenizer = Metaspace(replacement=SPACE, prepend_scheme="always")
    trainer = UnigramTrainer(vocab_size=150, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return json.loads(tokenizer.to_str())["model"]["vocab"]


def bpe(byte_fallback=True, **more):
    model = trained_bpe()
    names = SPECIALS + (BYTES if byte_fallback else [])
    names += [piece for piece, _ in sorted(model["vocab"].items(), key=lambda entry: entry[1]) if piece not in names]
    return dict(
        type="BPE", dropout=None, unk_token="<unk>", continuing_subword_prefix=None, end_of_word_suffix=None,
        fuse_unk=True, byte_fallback=byte_fallback, ignore_merges=False,
        vocab={piece: index for index, piece in enumerate(names)}, merges=model["merges"], **more,
    )


def unigram(byte_fallback, without=()):
    vocab = trained_unigram()
    lowest = min(score for _, score in vocab)
    names = [["<unk>", 0.0], ["<s>", 0.0], ["</s>", 0.0]]
    names += [[byte, lowest - 5] for byte in BYTES if byte not in without] if byte_fallback else []
    names += [entry for entry in vocab if entry[0] != "<unk>"]
    return dict(type="Unigram", unk_id=0, vocab=names, byte_fallback=byte_fallback)


def metaspace(**settings):
    return dict(type="Metaspace", replacement=SPACE, **settings)


def decoder(strip=1):
    steps = [dict(type="Replace", pattern=dict(String=SPACE), content=" "), dict(type="ByteFallback"), dict(type="Fuse")]
    return dict(type="Sequence", decoders=steps + [dict(type="Strip", content=" ", start=strip, stop=0)])


def whole(model, normalizer=None, pre_tokenizer=None, last=None):
    added = [
        dict(id=index, content=name, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
        for index, name in enumerate(SPECIALS)
    ]
    return dict(
        version="1.0", truncation=None, padding=None, added_tokens=added, normalizer=normalizer,
        pre_tokenizer=pre_tokenizer, post_processor=None, decoder=last or decoder(), model=model,
    )


REPLACE = dict(type="Replace", pattern=dict(String=" "), content=SPACE)
PREPEND = dict(type="Sequence", normalizers=[dict(type="Prepend", prepend=SPACE), REPLACE])
FILES = {
    "Llama-2: normalizer": whole(bpe(), normalizer=PREPEND),
    "Llama-2 and Mistral: metaspace, first, unsplit": whole(bpe(), pre_tokenizer=metaspace(prepend_scheme="first", split=False)),
    "metaspace, first, split": whole(bpe(), pre_tokenizer=metaspace(prepend_scheme="first", split=True)),
    "metaspace, always, split": whole(bpe(), pre_tokenizer=metaspace(prepend_scheme="always", split=True)),
    "metaspace, always, unsplit": whole(bpe(), pre_tokenizer=metaspace(prepend_scheme="always", split=False)),
    "metaspace, never, split": whole(bpe(), pre_tokenizer=metaspace(prepend_scheme="never", split=True), last=decoder(0)),
    "metaspace, never, unsplit": whole(bpe(), pre_tokenizer=metaspace(prepend_scheme="never", split=False), last=decoder(0)),
    "metaspace of old files, prefix": whole(bpe(), pre_tokenizer=metaspace(add_prefix_space=True)),
    "Gemma: replaced alone": whole(bpe(), normalizer=REPLACE, last=decoder(0)),
    "without bytes": whole(bpe(byte_fallback=False), pre_tokenizer=metaspace(prepend_scheme="always", split=True)),
    "unigram, always": whole(unigram(False), pre_tokenizer=metaspace(prepend_scheme="always", split=True)),
    "unigram with bytes, first": whole(unigram(True), pre_tokenizer=metaspace(prepend_scheme="first", split=True)),
    "unigram with bytes, always, unsplit": whole(unigram(True), pre_tokenizer=metaspace(prepend_scheme="always", split=False)),
    "unigram with bytes, replaced alone": whole(unigram(True), normalizer=REPLACE, last=decoder(0)),
    "unigram with bytes, normalised before": whole(unigram(True), normalizer=PREPEND),
    "unigram without the bytes of emoji": whole(
        unigram(True, ("<0xF0>",)), pre_tokenizer=metaspace(prepend_scheme="always", split=True)
    ),
    "unigram, words": whole(unigram(False), pre_tokenizer=dict(type="WhitespaceSplit")),
    "unigram with bytes, words": whole(unigram(True), pre_tokenizer=dict(type="WhitespaceSplit")),
}

for name, document in FILES.items():
    tokenizer = Tokenizer.from_str(json.dumps(document))
    # Without what training left in the models' JSON but the file that is read.
    rows = []
    for text in TEXTS:
        rows.append([text, tokenizer.encode(text, add_special_tokens=False).ids])
    print(json.dumps(dict(name=name, json=document, rows=rows), ensure_ascii=False, separators=(",", ":")))
