"""LLaDA's tuning step with adapters and its sampler in ordinary PyTorch, to be measured beside ours.

Written from the description of LLaDA (GSAI-ML/LLaDA-8B-Base, modeling_llada.py; GUIDELINES.md, generate.py)
and of adapters as PEFT adds them: RMSNorm, rotary positions, no causal mask, SwiGLU, an untied head, logits
at every position, cross-entropy of the masked ones over their share, clip, AdamW over the adapters alone. The
sampler looks at the whole row in every step.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from flexmdm_bench import measured
from mdlm_torch import read_safetensors, serve
from torch import Tensor, nn

Json = dict[str, Any]


class Linear(nn.Module):
    """A frozen layer and, where it is adapted, what PEFT adds to it."""

    def __init__(self, inner: int, outer: int, rank: int = 0, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outer, inner), requires_grad=False)
        self.scale = scale
        self.lora_A = nn.Linear(inner, rank, bias=False) if rank > 0 else None
        self.lora_B = nn.Linear(rank, outer, bias=False) if rank > 0 else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.linear(x, self.weight)
        if self.lora_A is None or self.lora_B is None:
            return y
        return y + cast(Tensor, self.lora_B(self.lora_A(x))) * self.scale


class Norm(nn.Module):
    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width), requires_grad=False)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class Block(nn.Module):
    def __init__(self, model: Json, rank: int) -> None:
        super().__init__()
        width, hidden, eps = model["width"], model["mlpWidth"], model["rmsEps"]
        scale = model["lora"]["alpha"] / model["lora"]["rank"]
        self.heads = model["heads"]
        self.attn_norm, self.ff_norm = Norm(width, eps), Norm(width, eps)
        self.q_proj, self.k_proj, self.v_proj = (Linear(width, width, rank, scale) for _ in range(3))
        self.attn_out = Linear(width, width)
        self.ff_proj, self.up_proj = Linear(width, hidden), Linear(width, hidden)
        self.ff_out = Linear(hidden, width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        rows, length, width = x.shape

        def split(y: Tensor) -> Tensor:
            return y.view(rows, length, self.heads, -1).transpose(1, 2)

        def rotate(y: Tensor) -> Tensor:
            a, b = y.chunk(2, dim=-1)
            return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)

        h = self.attn_norm(x)
        q, k, v = (split(layer(h)) for layer in (self.q_proj, self.k_proj, self.v_proj))
        y = F.scaled_dot_product_attention(rotate(q), rotate(k), v)
        x = x + cast(Tensor, self.attn_out(y.transpose(1, 2).reshape(rows, length, width)))
        h = self.ff_norm(x)
        return x + cast(Tensor, self.ff_out(F.silu(self.ff_proj(h)) * self.up_proj(h)))


class Transformer(nn.Module):
    def __init__(self, model: Json, rank: int) -> None:
        super().__init__()
        width, classes = model["width"], model["tableRows"]
        scale = model["lora"]["alpha"] / model["lora"]["rank"]
        self.wte = Linear(width, classes)
        self.blocks = nn.ModuleList(Block(model, rank) for _ in range(model["layers"]))
        self.ln_f = Norm(width, model["rmsEps"])
        self.ff_out = Linear(width, classes, rank, scale)


class Model(nn.Module):
    """Logits [rows, length, classes]. `rank` 0: without adapters."""

    def __init__(self, model: Json, length: int, rank: int) -> None:
        super().__init__()
        self.model = nn.ModuleDict({"transformer": Transformer(model, rank)})
        half = model["width"] // model["heads"] // 2
        rates = model["ropeBase"] ** (-torch.arange(half).float() / half)
        angles = torch.outer(torch.arange(length).float(), rates)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        transformer = cast(Transformer, self.model["transformer"])
        x = F.embedding(ids, transformer.wte.weight)
        for block in transformer.blocks:
            x = block(x, self.cos, self.sin)
        return cast(Tensor, transformer.ff_out(transformer.ln_f(x)))


class Sides:
    def init(
        self,
        model: Json,
        length: int,
        optimizer: Json,
        clip: float,
        mode: str,
        parameters: str,
        feeds: str,
        mask: int,
        threads: int,
    ) -> dict[str, str]:
        torch.set_num_threads(threads)
        values = read_safetensors(parameters)
        rank, scale = model["lora"]["rank"], model["lora"]["alpha"] / model["lora"]["rank"]
        self.model = Model(model, length, rank)
        self.model.load_state_dict(values)
        merged = {n: v for n, v in values.items() if ".lora_" not in n}
        for name in [n for n in values if n.endswith(".lora_A.weight")]:
            layer = name.removesuffix("lora_A.weight")
            update = values[f"{layer}lora_B.weight"] @ values[name]
            merged[f"{layer}weight"] = merged[f"{layer}weight"] + scale * update
        self.merged = Model(model, length, 0)
        self.merged.load_state_dict(merged)
        self.loss_of = torch.compile(self.loss) if mode == "compile" else self.loss
        self.feeds = read_safetensors(feeds)
        self.mask, self.clip = mask, clip
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.trained,
            lr=optimizer["learningRate"],
            betas=optimizer["betas"],
            eps=optimizer["eps"],
            weight_decay=optimizer["weightDecay"],
        )
        return {"version": torch.__version__}

    def loss(self) -> Tensor:
        logits = self.model(self.feeds["inputIds"].long()).flatten(0, 1)
        scored = logits[self.feeds["positions"].long()]
        nats = F.cross_entropy(scored, self.feeds["targets"].long(), reduction="none")
        return (nats * self.feeds["weights"]).sum()

    def step(self) -> float:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss_of()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.trained, self.clip)
        self.optimizer.step()
        return loss.item()

    def steps(self, count: int) -> Json:
        wall: list[float] = []
        cpu: list[float] = []
        loss = 0.0
        for _ in range(count):
            seconds, processor, loss = measured(self.step)
            wall.append(seconds)
            cpu.append(processor)
        return {"wall": wall, "cpu": cpu, "loss": loss}

    @torch.no_grad()
    def sample(self, prompts: list[list[int]], response: int, block: int, banned: list[int]) -> Json:
        """Low-confidence remasking at temperature 0, a token a step."""
        given = torch.tensor(prompts)
        x = torch.cat([given, torch.full((len(prompts), response), self.mask)], 1)

        def step(end: int) -> None:
            nonlocal x
            open_ = x == self.mask
            logits = self.merged(x)
            logits[..., banned] = -torch.inf
            found = logits.argmax(-1)
            sure = F.softmax(logits, dim=-1).gather(-1, found[..., None])[..., 0]
            sure[:, end:] = -torch.inf
            sure = torch.where(open_, sure, -torch.inf)
            stays = torch.zeros_like(open_)
            for row in range(len(prompts)):
                stays[row, sure[row].topk(1).indices] = True
            x = torch.where(stays, found, x)

        def whole() -> None:
            for end in range(given.size(1) + block, x.size(1) + 1, block):
                for _ in range(block):
                    step(end)

        wall, cpu, _ = measured(whole)
        return {"wall": wall, "cpu": cpu, "texts": x.tolist()}


if __name__ == "__main__":
    serve(Sides())
