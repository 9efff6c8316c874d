"""The optimiser's update of the state, in place: traced, or AdamW by PyTorch's fused kernel."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from repro_worker.frames import Tensors
from repro_worker.graph import build
from repro_worker.settings import Settings


class Update(Protocol):
    """Changes the state and gives the norm of the gradients, which are fp32 and may be overwritten."""

    def __call__(self, state: Tensors, gradients: list[Tensor], scalars: Tensors) -> Tensor: ...


class TracedUpdate:
    """The update as a graph: inputs are the state, `grad/<parameter>` and the scalars."""

    def __init__(self, wire: dict[str, Any], tensors: Tensors, names: list[str], settings: Settings) -> None:
        # It computes in fp32 on whatever the state is stored in, so its tables stay fp32.
        self._program = build(wire, tensors, settings, torch.float32)
        self._names, self._settings = names, settings
        self._run = settings.compile(self._in_place)

    def __call__(self, state: Tensors, gradients: list[Tensor], scalars: Tensors) -> Tensor:
        values = {f"grad/{n}": g for n, g in zip(self._names, gradients, strict=True)}
        values |= {n: self._settings.to_device(t) for n, t in scalars.items()}
        norm: Tensor = self._run(state, values)
        return norm

    def _in_place(self, state: Tensors, values: Tensors) -> Tensor:
        arguments = {**values, **{name: t.float() for name, t in state.items()}}
        results = self._program.module(*(arguments[name] for name in self._program.inputs))
        named = dict(zip(self._program.outputs, results, strict=True))
        for name, t in state.items():
            if name in named:
                t.copy_(named[name])
        norm: Tensor = named["gradNorm"]
        return norm


class FusedAdamW:
    """Clip by the global norm, AdamW in one kernel, moving average; `words` say where each tensor is."""

    def __init__(self, words: dict[str, Any], names: list[str], settings: Settings) -> None:
        self._words, self._names = words, names
        # The bias corrections come in as scalars; the kernel's own are 1 after infinitely many steps.
        self._step = torch.full([], float("inf"), device=settings.device)

    def __call__(self, state: Tensors, gradients: list[Tensor], scalars: Tensors) -> Tensor:
        words = self._words
        parameters = [state[n] for n in self._names]
        norms = torch._foreach_norm(gradients)
        norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
        if words["clipNorm"] > 0:
            torch._foreach_mul_(gradients, torch.clamp(words["clipNorm"] / (norm + 1e-6), max=1.0))
        given = {name: scalars[key].item() for name, key in words["scalars"].items()}
        # rate m / (c sqrt(v) + eps) = (rate / c) m / (sqrt(v) + eps / c)
        rate = given["rate"] / given["inverseSqrtCorrection2"]
        first, second = ([state[prefix + n] for n in self._names] for prefix in words["moments"])
        torch._fused_adamw_(
            parameters,
            [g.to(p.dtype) for g, p in zip(gradients, parameters, strict=True)],
            first,
            second,
            [],
            [self._step] * len(parameters),
            amsgrad=False,
            lr=rate,
            beta1=words["betas"][0],
            beta2=words["betas"][1],
            weight_decay=(1 - given["keep"]) / rate if "keep" in given and rate > 0 else 0.0,
            eps=words["eps"] / given["inverseSqrtCorrection2"],
            maximize=False,
        )
        average = words.get("average")
        if average is not None:
            averages = [state[average["prefix"] + n] for n in self._names]
            torch._foreach_lerp_(averages, [p.to(torch.float32) for p in parameters], 1 - average["decay"])
        return norm


def make_update(header: dict[str, Any], tensors: Tensors, names: list[str], settings: Settings) -> Update:
    """Fused where the parent said the update in words, else as it was traced."""
    words = header.get("update")
    if words is None:
        return TracedUpdate(header["apply"], tensors, names, settings)
    return FusedAdamW(words, names, settings)
