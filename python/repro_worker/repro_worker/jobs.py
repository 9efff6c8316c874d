"""Jobs: a trainer keeps parameters and optimiser state between steps, an evaluator the parameters of one graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from repro_worker.errors import WorkerError
from repro_worker.frames import Tensors
from repro_worker.graph import Program, Wire, build
from repro_worker.ranks import Ranks
from repro_worker.runtime import Function, Runtime


def with_prefix(tensors: Tensors, prefix: str) -> Tensors:
    """The tensors whose names start with the prefix, without it."""
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}


class Trainer:
    """Runs `loss` forward, differentiates it with autograd, and takes the traced update `apply`."""

    def __init__(
        self, runtime: Runtime, ranks: Ranks, loss: Wire, apply: Wire, exact: Sequence[str], tensors: Tensors
    ) -> None:
        self._runtime = runtime
        self._ranks = ranks
        given = with_prefix(tensors, "state/")
        self._stored: Mapping[str, torch.dtype] = {
            name: torch.float32 if name in exact else runtime.parameter_dtype
            for name, tensor in given.items()
            if tensor.is_floating_point()
        }
        self._programs: dict[int, tuple[Program, Function]] = {}
        self.add(0, loss, tensors)
        main = self._programs[0][0]
        self._names = [each.name for each in main.inputs if each.kind == "parameter"]
        self._state: Tensors = {}
        self._keep(given)
        self._apply = build(apply, tensors, runtime.device, stored=self._stored)
        self._update = runtime.prepare(self._apply.module)

    def _keep(self, tensors: Tensors) -> None:
        trained = set(self._names)
        for name, tensor in tensors.items():
            kept = tensor.detach().to(self._runtime.device, self._stored.get(name, tensor.dtype))
            self._state[name] = kept.requires_grad_(name in trained)

    def add(self, index: int, loss: Wire, tensors: Tensors) -> None:
        """Adds a loss of other feed sizes."""
        runtime = self._runtime
        program = build(loss, tensors, runtime.device, runtime.parameter_dtype)
        if "loss" not in program.outputs:
            raise WorkerError("fault", f"{program.name}: the graph has no output `loss`")
        self._programs[index] = (program, runtime.prepare(program.module))

    def step(self, index: int, micro: Sequence[Tensors], count: int, scalars: Tensors) -> Tensors:
        """One optimiser step on this process's micro-batches of the `count` of all processes."""
        program, function = self._programs[index]
        at = program.outputs.index("loss")
        parameters = [self._state[name] for name in self._names]
        gradients = [torch.zeros_like(p, requires_grad=False) for p in parameters] if not micro else []
        total = torch.zeros((), device=self._runtime.device)
        for feeds in micro:
            arguments = self._runtime.place(program.arguments(self._state, feeds))
            with self._runtime.precision():
                loss = function(*arguments)[at]
            found = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
            total += loss.detach()
            if gradients:
                torch._foreach_add_(gradients, found)
            else:
                gradients = list(found)
        with torch.no_grad():
            self._ranks.sum([*gradients, total])
            if count > 1:
                torch._foreach_div_(gradients, float(count))
                total /= count
            named = {f"grad/{name}": g for name, g in zip(self._names, gradients, strict=True)}
            arguments = self._runtime.place(self._apply.arguments(self._state, {**named, **scalars}))
            with self._runtime.precision():
                results = dict(zip(self._apply.outputs, self._update(*arguments), strict=True))
            self._keep({name: results[name] for name in results if name in self._state})
        return {"loss": total, "gradNorm": results["gradNorm"].to(torch.float32)}

    def read(self) -> Tensors:
        return self._state


class Evaluator:
    def __init__(self, runtime: Runtime, graph: Wire, tensors: Tensors) -> None:
        self._runtime = runtime
        self._program = build(graph, tensors, runtime.device, runtime.parameter_dtype)
        self._function = runtime.prepare(self._program.module)
        self._held = {
            name: t.to(runtime.device, runtime.parameter_dtype if t.is_floating_point() else t.dtype)
            for name, t in with_prefix(tensors, "state/").items()
        }

    def run(self, tensors: Tensors) -> Tensors:
        arguments = self._program.arguments(self._held, with_prefix(tensors, "feed/"))
        with torch.no_grad(), self._runtime.precision():
            results = self._function(*self._runtime.place(arguments))
        return dict(zip(self._program.outputs, results, strict=True))


Job = Trainer | Evaluator
Header = dict[str, Any]


def micro_batches(tensors: Tensors, count: int, rank: int, world: int) -> list[Tensors]:
    """Feeds of the micro-batches of one rank: they are dealt out in turn."""
    return [with_prefix(tensors, f"{i}/") for i in range(rank, count, world)]
