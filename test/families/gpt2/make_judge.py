"""Writes judge.json: a small GPT-2 as its published safetensors file has it, and what transformers 5.24.0 (torch 2.13,
sentencepiece 0.2) says of three texts: python3 make_judge.py assets/sp1024.model. Nats of each scored token in float32,
of the text alone, whose first token is not scored, and behind the boundary token.
"""

import base64
import json
import pathlib
import sys

import sentencepiece
import torch
from safetensors.torch import save
from transformers import GPT2Config, GPT2LMHeadModel

WINDOW = 16
BOUNDARY = 1
PIECES = 1024
TEXTS = [
    "The union of these states is strong.",
    "We have made a long and careful study of the whole matter, and the people know it; so be it.",
    "the",
    "",
]

torch.manual_seed(0)
config = GPT2Config(
    vocab_size=PIECES + 2, n_positions=WINDOW, n_embd=4, n_layer=1, n_head=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
)
model = GPT2LMHeadModel(config).eval()
with torch.no_grad():
    for parameter in model.parameters():
        parameter.add_(0.5 * torch.randn_like(parameter))
tokenizer = sentencepiece.SentencePieceProcessor(model_file=sys.argv[1])


def nats(read: list[int]) -> list[float]:
    """Of every token but the first; MASK and PAD are rows of the table and no classes."""
    if len(read) < 2:
        return []
    with torch.no_grad():
        logits = model(torch.tensor([read[:-1]])).logits[0, :, :PIECES]
        return torch.nn.functional.cross_entropy(logits, torch.tensor(read[1:]), reduction="none").tolist()


judged = []
for text in TEXTS:
    ids = tokenizer.encode(text)
    judged.append(
        {"text": text, "ids": ids, "alone": nats(ids[:WINDOW]), "opened": nats([BOUNDARY, *ids[:WINDOW]])}
    )
joined = [token for each in judged for token in [*each["ids"], BOUNDARY]]
chunks = [nats(joined[at : at + WINDOW]) for at in range(0, len(joined), WINDOW)]

# Names as published: without the prefix, with the causal mask that older files hold.
state = {name.removeprefix("transformer."): p.detach().contiguous() for name, p in model.named_parameters()}
state.pop("lm_head.weight", None)
state["h.0.attn.bias"] = torch.tril(torch.ones(WINDOW, WINDOW)).view(1, 1, WINDOW, WINDOW)
out = {"window": WINDOW, "file": base64.b64encode(save(state)).decode(), "judged": judged, "chunks": chunks}
(pathlib.Path(__file__).parent / "judge.json").write_text(json.dumps(out) + "\n")
