"""Writes golden.json: a small GPT-2 of random weights by transformers 5.24.0 on torch 2.13 (python3 make.py).

Names and layout are those of the published safetensors file; logits, mean cross-entropy and all gradients are of float32.
"""

import base64
import json
import pathlib

import torch
from transformers import GPT2Config, GPT2LMHeadModel

torch.manual_seed(0)
config = GPT2Config(
    vocab_size=13, n_positions=8, n_embd=12, n_layer=2, n_head=3, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
)
model = GPT2LMHeadModel(config).eval()
with torch.no_grad():
    for parameter in model.parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
ids = torch.randint(0, 13, (3, 8))
out = model(ids, labels=ids)
out.loss.backward()


def pack(tensor: torch.Tensor) -> dict[str, object]:
    """Shape and little-endian float32."""
    data = tensor.detach().contiguous().numpy().astype("<f4").tobytes()
    return {"shape": list(tensor.shape), "f32": base64.b64encode(data).decode()}


named = {name: p for name, p in model.named_parameters() if name != "lm_head.weight"}
golden = {
    "ids": ids.tolist(),
    "loss": out.loss.item(),
    "logits": pack(out.logits),
    "parameters": {name: pack(p) for name, p in named.items()},
    "gradients": {name: pack(p.grad) for name, p in named.items()},
}
(pathlib.Path(__file__).parent / "golden.json").write_text(json.dumps(golden) + "\n")
