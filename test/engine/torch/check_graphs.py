"""Captured micro-batches against plain ones; a capture runs again what it recorded. Run by graphs.test.ts."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import torch
from torch import Tensor

from repro_worker.frames import Header, Tensors
from repro_worker.graphs import Capture, Graphs, Recorded
from repro_worker.server import Server
from repro_worker.settings import open_settings
from repro_worker.trainer import Trainer
from repro_worker.world import World


def rehearsal(log: list[str]) -> Capture:
    """Fills the same memory again by running the work again."""

    def capture(work: Callable[[], Tensor]) -> Recorded | tuple[Tensor, Exception]:
        log.append("capture")
        now = work()
        later = torch.empty_like(now)

        def replay() -> None:
            log.append("replay")
            later.copy_(work())

        return Recorded(now, later, replay)

    return capture


def refusing(work: Callable[[], Tensor]) -> Recorded | tuple[Tensor, Exception]:
    return work(), RuntimeError("operation not permitted when stream is capturing\nmore")


class Problem:
    """Two parameters, of which program 0 uses both and program 1 one; a third is used by none."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.parameters = [torch.randn(3, 2, requires_grad=True) for _ in range(3)]

    def differentiate(self, program: int, feeds: Tensors) -> Tensor:
        first, second, _ = self.parameters
        x = feeds["x"] @ first
        value = (x @ second.T).square().mean() if program == 0 else x.square().mean()
        torch.autograd.backward(value)
        return value.detach()


def losses(graphs: Graphs | None, short_of_memory: int = -1) -> tuple[list[float], list[list[float]]]:
    """Five steps of two micro-batches each: loss and gradients of every step, with descent between them."""
    problem = Problem()
    draw = torch.Generator().manual_seed(1)
    sums = [torch.zeros_like(p, requires_grad=False) for p in problem.parameters]
    all_losses, all_gradients = [], []
    for step in range(5):
        if graphs is not None and step == short_of_memory:
            assert graphs.give_up("with them the GPU's memory did not suffice")
        torch._foreach_zero_(sums)
        for p, total in zip(problem.parameters, sums, strict=True):
            p.grad = total
        loss = torch.zeros([])
        for program in (0, 1) if step % 2 == 0 else (0, 0):
            feeds = {"x": torch.randn(4 + program, 3, generator=draw)}

            def run(given: Tensors, program: int = program) -> Tensor:
                return problem.differentiate(program, given)

            loss += run(feeds) if graphs is None else graphs.run(program, feeds, run)
        all_losses.append(loss.item())
        all_gradients.append(torch.cat([g.flatten() for g in sums]).tolist())
        with torch.no_grad():
            for p, gradient in zip(problem.parameters, sums, strict=True):
                p -= 0.01 * gradient
    return all_losses, all_gradients


def answered(held: bool) -> list[str]:
    """What becomes of a request that does not fit into memory at first, beside graphs or without any."""
    hello = {"oldest": "2.0", "precision": "fp32", "device": "cpu", "threads": 1, "compile": False}
    server = Server(open_settings(hello, 0, 1), World())
    graphs = Graphs(rehearsal([]))
    if held:
        losses(graphs)
    server._trainers[0] = cast(Trainer, SimpleNamespace(graphs=graphs))
    calls: list[str] = []

    def answer(header: Header, payload: bytearray) -> Tensors:
        calls.append(graphs.note)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return {}

    server._answer = answer  # type: ignore[method-assign]
    try:
        server.answer({"type": "evaluate", "id": 1}, bytearray())
    except torch.OutOfMemoryError:
        calls.append("refused")
    return calls


def main() -> None:
    log: list[str] = []
    captured, refused, given_up = Graphs(rehearsal(log)), Graphs(refusing), Graphs(rehearsal([]))
    plain = losses(None)
    print(
        json.dumps(
            {
                "captured": losses(captured) == plain,
                "refused": losses(refused) == plain,
                "givenUp": losses(given_up, short_of_memory=2) == plain,
                "notes": [graphs.note for graphs in (captured, refused, given_up)],
                "answered": [answered(True), answered(False)],
                "log": log,
                "steps": plain[0],
            }
        )
    )


main()
