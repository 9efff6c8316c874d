"""A training job: the state, one gradient per micro-batch by autograd, and the optimiser's update."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from repro_worker.frames import Header, Tensors
from repro_worker.graph import Program, build
from repro_worker.graphs import Graphs
from repro_worker.philox import drawn
from repro_worker.settings import Settings
from repro_worker.update import make_update
from repro_worker.world import World


def _under(prefix: str, tensors: Tensors) -> Tensors:
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}


class Trainer:
    """Holds parameters and optimiser state; `exact` names the state that stays fp32 at every precision."""

    def __init__(
        self, header: Header, tensors: Tensors, weights: Tensors, settings: Settings, world: World
    ) -> None:
        self._settings, self._world = settings, world
        self._frozen = weights
        capture = settings.capture()
        self.graphs = None if capture is None else Graphs(capture)
        self._sums: list[torch.Tensor] = []
        self._losses: dict[int, tuple[Program, Callable[..., Any]]] = {}
        self.add_program(0, header["loss"], tensors)
        self._names = self._losses[0][0].parameters
        exact = set(header["exact"])
        self._state: Tensors = {
            name: t.to(settings.device, torch.float32 if name in exact else settings.storage, copy=True)
            for name, t in [
                *_under("state/", tensors).items(),
                *((name, weights[name]) for name in header["copied"]),
            ]
        }
        for name in self._names:
            self._state[name].requires_grad_(True)
        self._update = make_update(header, tensors, self._names, settings)

    def add_program(self, index: int, wire: dict[str, Any], tensors: Tensors) -> None:
        program = build(wire, tensors, self._settings)
        self._losses[index] = (program, program.compiled(self._settings))

    def step(self, header: Header, tensors: Tensors) -> Tensors:
        """One optimiser step: feeds i under the loss `programs[i]`; rank r computes r, r + world, ...

        Losses and gradients are summed over the slices of a micro-batch and averaged over
        micro-batches: `divisor`.
        """
        loss = self._sum(header, tensors)
        parameters = [self._state[name] for name in self._names]
        gradients = [(torch.zeros_like(p) if p.grad is None else p.grad).float() for p in parameters]
        for p in parameters:
            p.grad = None
        self._world.sum([loss, *gradients])
        if header["divisor"] > 1:
            loss /= header["divisor"]
            torch._foreach_div_(gradients, header["divisor"])
        held = {name: t.detach() for name, t in self._state.items()}
        with torch.no_grad():
            norm = self._update(held, gradients, _under("scalar/", tensors))
        return {"loss": loss, "gradNorm": norm}

    def _sum(self, header: Header, tensors: Tensors) -> torch.Tensor:
        """The loss of this rank's micro-batches; their gradients are with the parameters."""
        world, device, programs = self._world, self._settings.device, header["programs"]
        self._clear()
        loss = torch.zeros([], device=device)
        for i in range(world.rank, len(programs), world.size):
            feeds = {name: self._settings.to_device(t) for name, t in _under(f"{i}/", tensors).items()}
            feeds |= drawn(header["draws"], f"{i}/", device)
            differentiate = partial(self._differentiate, programs[i])
            graphs = self.graphs
            loss += differentiate(feeds) if graphs is None else graphs.run(programs[i], feeds, differentiate)
        return loss

    def _clear(self) -> None:
        """No gradients. Graphs add them to the same memory at every step, which begins as zeros."""
        parameters = [self._state[name] for name in self._names]
        if self.graphs is None:
            for p in parameters:
                p.grad = None
            return
        if not self._sums:
            self._sums = [torch.zeros_like(p, requires_grad=False) for p in parameters]
        torch._foreach_zero_(self._sums)
        for p, total in zip(parameters, self._sums, strict=True):
            p.grad = total

    def _differentiate(self, index: int, feeds: Tensors) -> torch.Tensor:
        """The loss of a micro-batch; its gradients are added to those of the parameters."""
        program, function = self._losses[index]
        with self._settings.autocast():
            results = function(*(self._argument(n, feeds) for n in program.inputs))
        value: torch.Tensor = results[program.outputs.index("loss")]
        torch.autograd.backward(value)
        return value.detach()

    def _argument(self, name: str, feeds: Tensors) -> torch.Tensor:
        for held in (feeds, self._state):
            if name in held:
                return held[name]
        return self._frozen[name]

    def read(self) -> Tensors:
        return self._state


class Evaluator:
    """A function with its parameters."""

    def __init__(self, header: Header, tensors: Tensors, weights: Tensors, settings: Settings) -> None:
        self._settings = settings
        self._program = build(header["graph"], tensors, settings)
        self._function = self._program.compiled(settings)
        held = _under("state/", tensors)
        self._held = {
            name: t.to(settings.device, settings.storage if t.is_floating_point() else None, copy=True)
            for name, t in held.items()
        }
        self._weights = {name: weights[name] for name in self._program.inputs if name in weights}

    def run(self, header: Header, tensors: Tensors) -> Tensors:
        feeds = self._given("feed/", tensors)
        with torch.no_grad(), self._settings.autocast():
            return self._once({**feeds, **drawn(header["draws"], "feed/", self._settings.device)})

    def repeat(self, header: Header, tensors: Tensors) -> Tensors:
        """So many steps, the carried outputs of each being fed to the next; what the last one gives."""
        feeds = self._given("feed/", tensors)
        each = self._given("each/", tensors)
        carried: dict[str, str] = header["carried"]
        results: Tensors = {}
        with torch.no_grad(), self._settings.autocast():
            for step in range(header["steps"]):
                # A copy: a compiled program is made for tensors that begin where their storage does.
                own = {name: t[step].clone() for name, t in each.items()}
                results = self._once({**feeds, **own})
                feeds.update({feed: results[output] for output, feed in carried.items()})
        return results

    def _given(self, prefix: str, tensors: Tensors) -> Tensors:
        return {name: self._settings.to_device(t) for name, t in _under(prefix, tensors).items()}

    def _once(self, feeds: Tensors) -> Tensors:
        arguments = {**self._weights, **self._held, **feeds}
        results = self._function(*(arguments[name] for name in self._program.inputs))
        return dict(zip(self._program.outputs, results, strict=True))
