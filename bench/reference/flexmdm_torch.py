"""The FlexMDM training step and a sampler's pass in ordinary PyTorch, for side-by-side measurements.

Written from the description of the networks of brianlck/FlexMDM (commit 99eb7b7) and xlm-core (51c7813):
AdaLN with gates, rotary positions, attention among the tokens that are there, logits at every position, a gap
head, the weighted cross-entropy plus the Bregman term, clip, AdamW, a moving average. Blocks and heads run
under bf16 autocast.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FLOOR = 1e-6

Json = dict[str, Any]
Tensors = dict[str, Tensor]


class Norm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return F.layer_norm(x.float(), (x.size(-1),), eps=1e-5) * self.weight


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return x * (1 + scale[:, None]) + shift[:, None]


class Table(nn.Module):
    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.empty(rows, width))


class TimeMap(nn.Module):
    freqs: Tensor

    def __init__(self, frequencies: int, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(2 * frequencies, width), nn.SiLU(), nn.Linear(width, width))
        table = torch.exp(-math.log(10000) * torch.arange(frequencies) / frequencies)
        self.register_buffer("freqs", table, persistent=False)

    def forward(self, time: Tensor) -> Tensor:
        angles = time[:, None] * self.freqs[None]
        return F.silu(self.mlp(torch.cat([angles.cos(), angles.sin()], dim=-1)))


class Block(nn.Module):
    def __init__(self, model: Json) -> None:
        super().__init__()
        width, hidden = model["width"], int(model["width"] * model["mlpRatio"])
        self.heads, self.modulated = model["heads"], model["residual"] == "modulated"
        self.norm1, self.norm2 = Norm(width), Norm(width)
        self.attn_qkv = nn.Linear(width, 3 * width, bias=False)
        self.attn_out = nn.Linear(width, width, bias=False)
        activation = nn.ReLU() if model["activation"] == "relu" else nn.GELU(approximate="tanh")
        self.mlp = nn.Sequential(nn.Linear(width, hidden), activation, nn.Linear(hidden, width))
        self.adaLN_modulation = nn.Linear(model["conditioning"]["width"], 6 * width)

    def attend(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        rows, length, width = x.shape
        packed: Tensor = self.attn_qkv(x)
        q, k, v = packed.view(rows, length, 3, self.heads, -1).unbind(2)

        def rotate(y: Tensor) -> Tensor:
            a, b = y.chunk(2, dim=-1)
            return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).to(v.dtype).transpose(1, 2)

        y = F.scaled_dot_product_attention(rotate(q), rotate(k), v.transpose(1, 2), attn_mask=mask)
        projected: Tensor = self.attn_out(y.transpose(1, 2).reshape(rows, length, width))
        return projected

    def forward(self, x: Tensor, condition: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        modulation: Tensor = self.adaLN_modulation(condition)
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = modulation.chunk(6, dim=-1)
        h = modulate(self.norm1(x), shift_a, scale_a)
        x = (h if self.modulated else x) + gate_a[:, None] * self.attend(h, cos, sin, mask)
        added: Tensor = self.mlp(modulate(self.norm2(x), shift_m, scale_m))
        return x + gate_m[:, None] * added


class TokenHead(nn.Module):
    def __init__(self, model: Json) -> None:
        super().__init__()
        self.norm_final = Norm(model["width"])
        self.linear = nn.Linear(model["width"], model["tableRows"], bias=model["headBias"])
        self.adaLN_modulation = nn.Linear(model["conditioning"]["width"], 2 * model["width"])

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(condition).chunk(2, dim=-1)
        logits: Tensor = self.linear(modulate(self.norm_final(x), shift, scale))
        return logits


class GapHead(nn.Module):
    def __init__(self, model: Json) -> None:
        super().__init__()
        width = model["width"]
        self.scale: float = model["gapHead"]["scale"]
        self.norm = Norm(width)
        self.adaLN = nn.Linear(model["conditioning"]["width"], 2 * width)
        self.proj1, self.proj2 = nn.Linear(width, width), nn.Linear(width, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        shift, scale = self.adaLN(condition).chunk(2, dim=-1)
        h = F.gelu(self.proj1(modulate(self.norm(x), shift, scale)))
        return F.softplus(self.proj2(h)[..., 0].float()) * self.scale


class Model(nn.Module):
    """Token logits [rows, length, classes] and expected gaps [rows, length]."""

    cos: Tensor
    sin: Tensor

    def __init__(self, model: Json, length: int) -> None:
        super().__init__()
        self.vocab_embed = Table(model["tableRows"], model["width"])
        self.sigma_map = TimeMap(model["conditioning"]["frequencies"], model["conditioning"]["width"])
        self.blocks = nn.ModuleList(Block(model) for _ in range(model["layers"]))
        self.output_layer, self.len_pred = TokenHead(model), GapHead(model)
        half = model["width"] // model["heads"] // 2
        rates = model["ropeBase"] ** (-torch.arange(half).float() / half)
        angles = torch.outer(torch.arange(length).float(), rates)
        self.register_buffer("cos", angles.cos()[None, :, None, :], persistent=False)
        self.register_buffer("sin", angles.sin()[None, :, None, :], persistent=False)

    def forward(self, ids: Tensor, lengths: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        x, condition = F.embedding(ids, self.vocab_embed.embedding), self.sigma_map(time)
        mask = (torch.arange(ids.size(1), device=ids.device)[None] < lengths[:, None])[:, None, None]
        for block in self.blocks:
            x = block(x, condition, self.cos, self.sin, mask)
        return self.output_layer(x, condition), self.len_pred(x, condition)


def loss_of(model: Model, f: Tensors) -> Tensor:
    logits, gaps = model(f["ids"], f["lengths"], f["time"])
    nats = F.cross_entropy(logits.float().flatten(0, 1), f["targets"].flatten(), reduction="none")
    x, y = f["gapTargets"].clamp(min=FLOOR), gaps.flatten().clamp(min=FLOOR)
    divergence = y - x + x * (x.log() - y.log())
    total: Tensor = (nats * f["weights"].flatten()).sum() + (divergence * f["gapWeights"]).sum()
    return total


def sample_of(model: Model, f: Tensors) -> tuple[Tensor, Tensor, Tensor]:
    logits, gaps = model(f["ids"], f["lengths"], f["time"])
    confidence, tokens = logits.float().log_softmax(-1).max(-1)
    return tokens, confidence, gaps


def dense(feeds: Tensors, device: torch.device) -> Tensors:
    """A program's feeds, with targets and weights at every position instead of those listed."""
    ids = feeds["inputIds"].long()
    targets, weights = torch.zeros(ids.numel(), dtype=torch.long), torch.zeros(ids.numel())
    used = feeds["weights"] > 0
    at = feeds["positions"].long()[used]
    targets[at], weights[at] = feeds["targets"].long()[used], feeds["weights"][used]
    all_of = {"ids": ids, "targets": targets.view_as(ids), "weights": weights.view_as(ids)}
    all_of |= {name: feeds[name] for name in ("lengths", "time", "gapTargets", "gapWeights")}
    return {name: t.to(device) for name, t in all_of.items()}


Function = TypeVar("Function", bound=Callable[..., object])


def compiled_if(wanted: bool, function: Function) -> Function:
    return cast(Function, torch.compile(function)) if wanted else function


class Bench:
    def __init__(self, job: Json, parameters: Tensors, feeds: Tensors, mode: str, device: str) -> None:
        self.device = torch.device(device)
        self.autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=mode.endswith("bf16"))
        self.model = Model(job["model"], job["length"])
        self.model.load_state_dict(parameters)
        self.model.to(self.device)
        whole = mode.startswith("compile")
        self.loss_of, self.sample_of = compiled_if(whole, loss_of), compiled_if(whole, sample_of)
        self.feeds, self.clip, self.decay = dense(feeds, self.device), job["clipNorm"], job.get("emaDecay")
        o = job["optimizer"]
        self.parameters = list(self.model.parameters())
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=o["learningRate"],
            betas=o["betas"],
            eps=o["eps"],
            weight_decay=o["weightDecay"],
        )
        self.averages = [p.detach().clone() for p in self.parameters]

    def backward(self) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast:
            loss = self.loss_of(self.model, self.feeds)
        torch.autograd.backward(loss)
        return loss

    def gradients(self) -> tuple[float, Tensors]:
        loss = self.backward()
        found = {name: p.grad for name, p in self.model.named_parameters()}
        return loss.item(), {name: grad.float().cpu() for name, grad in found.items() if grad is not None}

    def step(self) -> float:
        loss = self.backward()
        if self.clip > 0:
            nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimizer.step()
        if self.decay is not None:
            torch._foreach_lerp_(self.averages, [p.detach() for p in self.parameters], 1 - self.decay)
        return loss.item()

    @torch.no_grad()
    def sample(self) -> list[Tensor]:
        with self.autocast:
            return [t.cpu() for t in self.sample_of(self.model, self.feeds)]
