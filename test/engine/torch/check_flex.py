"""FlexAttention's forward pass, compiled, against the plain formula; prints JSON. Run by flex.test.ts."""

from __future__ import annotations

import json

import torch
from torch import Tensor

from repro_worker import flex


def attention(q: Tensor, k: Tensor, v: Tensor, lengths: Tensor | None) -> Tensor:
    return flex.attention(q, k, v, lengths, scale=0.25, causal=False)


def plain(q: Tensor, k: Tensor, v: Tensor, lengths: Tensor | None) -> Tensor:
    """In float64, on operands of 8 bits as the kernel has them."""
    q, k, v = (x.bfloat16().double().transpose(1, 2) for x in (q, k, v))
    scores = q @ k.mT * 0.25
    if lengths is not None:
        rows = lengths.view(-1, 1, 1, 1)
        scores = scores.masked_fill(~((torch.arange(k.shape[2]) < rows) | (rows <= 0)), float("-inf"))
    return (scores.softmax(-1) @ v).transpose(1, 2)


def main() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(3, 64, 2, 32) for _ in range(3))
    lengths = torch.tensor([64, 7, 0], dtype=torch.int32)
    apart = {}
    compiled = torch.compile(attention, dynamic=False)
    with torch.no_grad():
        for name, given in (("whole", None), ("lengths", lengths)):
            found = compiled(q, k, v, given).double()
            apart[name] = (found - plain(q, k, v, given)).abs().max().item()
    on_cpu = flex.serves(q, causal=False, masked=True)
    print(json.dumps({"apart": apart, "served": on_cpu}))


main()
