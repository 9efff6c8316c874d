"""The published PR #1241 training step and ELBO evaluation in ordinary PyTorch, for measuring side by side.

Written from the description of the network (parameter-golf PR #1241, train_mdlm.py at commit 5d46f39): full
logits over the padded table cut to 1026, MASK and PAD at minus a million, log-softmax, copied visible tokens,
weight dsigma, AdamW on every tensor. Commands come as JSON lines on stdin, answers leave as JSON lines on
stdout; tensors travel in safetensors files.

Modes: eager (fp32), eager-bf16 (autocast), compile (fp32), compile-bf16 (autocast), and published (the whole
module and so AdamW's moments in bf16, under autocast, eager: what the published script did on its GPU).
"""

from __future__ import annotations

import json
import math
import statistics
import struct
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MASK, PAD, BOUNDARY, CLASSES, ROWS = 1024, 1025, 1, 1026, 1088
MINUS_INFINITY = -1e6


def read_safetensors(path: str | Path) -> dict[str, Tensor]:
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    dtypes = {"F32": torch.float32, "I32": torch.int32, "F64": torch.float64}
    out: dict[str, Tensor] = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=dtypes[entry["dtype"]])
        out[name] = flat.reshape(entry["shape"])
    return out


def write_safetensors(path: str | Path, tensors: Mapping[str, Tensor]) -> None:
    header: dict[str, object] = {}
    chunks: list[bytes] = []
    offset = 0
    for name, tensor in tensors.items():
        raw = tensor.detach().float().contiguous().numpy().tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(raw)],
        }
        chunks.append(raw)
        offset += len(raw)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(chunks))


def norm(x: Tensor) -> Tensor:
    return F.rms_norm(x, (x.size(-1),))


class AdaLN(nn.Module):
    def __init__(self, width: int, condition: int) -> None:
        super().__init__()
        self.proj = nn.Linear(condition, 2 * width)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        projected: Tensor = self.proj(c).unsqueeze(1)
        scale, shift = projected.chunk(2, dim=-1)
        return norm(x) * (1 + scale) + shift


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.c_q, self.c_k, self.c_v, self.c_proj = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, width = x.shape
        shape = (batch, length, self.heads, width // self.heads)

        def rotate(y: Tensor) -> Tensor:
            a, b = y.chunk(2, dim=-1)
            return torch.cat([a * cos + b * sin, b * cos - a * sin], dim=-1)

        q, k = norm(rotate(self.c_q(x).view(shape))), norm(rotate(self.c_k(x).view(shape)))
        v = self.c_v(x).view(shape)
        y = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        projected: Tensor = self.c_proj(y.transpose(1, 2).reshape(batch, length, width))
        return projected


class Block(nn.Module):
    def __init__(self, width: int, heads: int, ratio: int, condition: int) -> None:
        super().__init__()
        self.attn = Attention(width, heads)
        self.adaln_attn, self.adaln_mlp = AdaLN(width, condition), AdaLN(width, condition)
        self.mlp_fc = nn.Linear(width, ratio * width, bias=False)
        self.mlp_proj = nn.Linear(ratio * width, width, bias=False)

    def forward(self, x: Tensor, c: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attn(self.adaln_attn(x, c), cos, sin)
        added: Tensor = self.mlp_proj(F.relu(self.mlp_fc(self.adaln_mlp(x, c))).square())
        return x + added


class SigmaMap(nn.Module):
    freqs: Tensor

    def __init__(self, frequencies: int, hidden: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(2 * frequencies, hidden), nn.SiLU(), nn.Linear(hidden, 2 * frequencies)
        )
        table = torch.exp(-math.log(10000) * torch.arange(frequencies) / frequencies)
        self.register_buffer("freqs", table, persistent=False)

    def forward(self, sigma: Tensor) -> Tensor:
        angles = sigma[:, None] * self.freqs[None]
        return F.silu(self.mlp(torch.cat([angles.sin(), angles.cos()], dim=-1)))


class Model(nn.Module):
    cos: Tensor
    sin: Tensor

    def __init__(
        self,
        layers: int,
        width: int,
        heads: int,
        length: int,
        ratio: int = 3,
        frequencies: int = 64,
        hidden: int = 512,
    ) -> None:
        super().__init__()
        self.wte = nn.Embedding(ROWS, width)
        self.sigma_map = SigmaMap(frequencies, hidden)
        self.blocks = nn.ModuleList(Block(width, heads, ratio, 2 * frequencies) for _ in range(layers))
        self.head = nn.Linear(width, ROWS, bias=False)
        half = width // heads // 2
        angles = torch.outer(torch.arange(length).float(), 10000 ** (-torch.arange(half).float() / half))
        self.register_buffer("cos", angles.cos()[None, :, None, :], persistent=False)
        self.register_buffer("sin", angles.sin()[None, :, None, :], persistent=False)

    def forward(self, ids: Tensor, sigma: Tensor) -> Tensor:
        """Log-probabilities [batch, length, 1026] with the SUBS substitutions."""
        x, c = self.wte(ids), self.sigma_map(sigma)
        length = ids.size(1)
        for block in self.blocks:
            x = block(x, c, self.cos[:, :length], self.sin[:, :length])
        logits = self.head(norm(x))[..., :CLASSES].float()
        logits[..., MASK] = MINUS_INFINITY
        logits[..., PAD] = MINUS_INFINITY
        log_probs = F.log_softmax(logits, dim=-1)
        visible = ids != MASK
        copied = torch.full_like(log_probs, MINUS_INFINITY).scatter_(-1, ids[..., None], 0.0)
        return torch.where(visible[..., None], copied, log_probs)


def token_nats(model: Model, tokens: Tensor, ids: Tensor, sigma: Tensor) -> Tensor:
    """[batch, length], 0 at visible tokens."""
    log_probs: Tensor = model(ids, sigma)
    return -log_probs.gather(-1, tokens[..., None])[..., 0]


def loss_of(model: Model, tokens: Tensor, ids: Tensor, alpha: Tensor, eps: float = 1e-3) -> Tensor:
    weight = ((1 - eps) / alpha)[:, None]
    nats = token_nats(model, tokens, ids, -alpha.log())
    return (nats * weight * (ids == MASK)).sum() / (tokens != PAD).sum()


Function = TypeVar("Function", bound=Callable[..., Tensor])


def compiled_if(wanted: bool, function: Function) -> Function:
    return cast(Function, torch.compile(function)) if wanted else function


class Bench:
    """One method a command."""

    def init(
        self,
        layers: int,
        width: int,
        heads: int,
        length: int,
        mode: str,
        device: str,
        parameters: str,
        batch: str,
        threads: int,
    ) -> dict[str, str]:
        torch.set_num_threads(threads)
        self.device = torch.device(device)
        enabled = mode in ("eager-bf16", "compile-bf16", "published")
        self.autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)
        self.model = Model(layers, width, heads, length)
        missing = self.model.load_state_dict(read_safetensors(parameters), strict=True)
        assert not missing.missing_keys and not missing.unexpected_keys
        self.model = self.model.to(self.device)
        if mode == "published":
            self.model = self.model.to(torch.bfloat16)
        whole = mode.startswith("compile")
        self.loss_of, self.token_nats = compiled_if(whole, loss_of), compiled_if(whole, token_nats)
        feeds = read_safetensors(batch)
        self.tokens, self.ids = (feeds[k].long().to(self.device) for k in ("tokens", "ids"))
        self.alpha = feeds["alpha"].float().to(self.device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True
        )
        return {"torch": torch.__version__}

    def sync(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def gradients(self, out: str) -> dict[str, float]:
        with self.autocast:
            loss = self.loss_of(self.model, self.tokens, self.ids, self.alpha)
        torch.autograd.backward(loss)
        found = {name: p.grad for name, p in self.model.named_parameters()}
        write_safetensors(out, {name: grad.cpu() for name, grad in found.items() if grad is not None})
        self.optimizer.zero_grad(set_to_none=True)
        return {"loss": loss.item()}

    def steps(self, count: int) -> dict[str, Any]:
        seconds: list[float] = []
        for _ in range(count):
            start = time.perf_counter()
            self.optimizer.zero_grad(set_to_none=True)
            with self.autocast:
                loss = self.loss_of(self.model, self.tokens, self.ids, self.alpha)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            loss.item()
            self.sync()
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds, "loss": loss.item()}

    def products(
        self, products: list[dict[str, Any]], threads: int, repetitions: int = 9
    ) -> dict[str, list[float]]:
        """Median seconds of each matrix product by itself, fp32, its result written in place."""
        torch.set_num_threads(threads)
        seconds = []
        for p in products:
            a = torch.randn(p["batch"], p["m"], p["k"])
            b = torch.randn(p["batch"], p["k"], p["n"])
            a = a.mT.contiguous().mT if p["transposeA"] else a
            b = b.mT.contiguous().mT if p["transposeB"] else b
            out = torch.empty(p["batch"], p["m"], p["n"])
            multiply: Callable[..., Tensor] = torch.bmm
            if p["batch"] == 1:
                a, b, out, multiply = a[0], b[0], out[0], torch.mm
            times = []
            for _ in range(repetitions + 2):
                start = time.perf_counter()
                multiply(a, b, out=out)
                times.append(time.perf_counter() - start)
            seconds.append(statistics.median(times[2:]))
        return {"seconds": seconds}

    @torch.no_grad()
    def elbo(
        self, windows: int, steps: int, uniforms: str | None = None, eps: float = 1e-3
    ) -> dict[str, Any]:
        """One window at a time, one mask and one forward per step, as published.

        uniforms: a file with `uniforms` [windows, steps, length], to mask as the other side does.
        """
        seconds, bits, generator = [], 0.0, torch.Generator().manual_seed(1)
        given = None if uniforms is None else read_safetensors(uniforms)["uniforms"]
        for w in range(windows):
            row = self.tokens[w % self.tokens.size(0)][None]
            start, previous = time.perf_counter(), 1.0
            for k in range(1, steps + 1):
                alpha = 1 - (1 - eps) * k / steps
                reveal = (previous - alpha) / (1 - alpha)
                previous = alpha
                u = torch.rand(row.shape, generator=generator) if given is None else given[w, k - 1][None]
                hide = (u.to(self.device) < 1 - alpha) & (row != BOUNDARY) & (row != PAD)
                ids = torch.where(hide, MASK, row)
                with self.autocast:
                    sigma = torch.full((1,), -math.log(alpha), device=self.device)
                    nats = self.token_nats(self.model, row, ids, sigma)
                bits += reveal * (nats * hide).sum().item() / math.log(2)
            self.sync()
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds, "bits": bits / windows}

    @torch.no_grad()
    def order(self, tokens: int, eps: float = 1e-3) -> dict[str, float]:
        """Left to right, one forward a token at batch 1: `tokens` of a window, each given those before."""
        row = self.tokens[0][None]
        length, nats = row.size(1), 0.0
        start = time.perf_counter()
        for position in range(tokens):
            ids = row.clone()
            ids[0, position:] = MASK
            share = (length - position) / length
            sigma = torch.full((1,), -math.log(1 - (1 - eps) * share), device=self.device)
            with self.autocast:
                nats += self.token_nats(self.model, row, ids, sigma)[0, position].item()
        self.sync()
        return {"seconds": time.perf_counter() - start, "nats": nats}


def serve(sides: object) -> None:
    """Answers requests, a line of JSON each: the method that `command` names, called with the rest."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(sides, request.pop("command"))(**request)
        except Exception as error:  # the harness reports it beside the row
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(Bench())
