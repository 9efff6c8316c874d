"""Captured micro-batches against plain ones; a capture runs again what it recorded. Run by graphs.test.ts."""

from __future__ import annotations

import json
from collections.abc import Callable

import torch
from torch import Tensor

from repro_worker.frames import Tensors
from repro_worker.graphs import Capture, Graphs


def rehearsal(log: list[str], parameters: list[Tensor]) -> Capture:
    """Fills the same memory again by running the work again. As a graph it leaves `grad` alone."""

    def capture(work: Callable[[], list[Tensor]]) -> tuple[list[Tensor], Callable[[], None]]:
        log.append("capture")
        results = work()

        def replay() -> None:
            log.append("replay")
            before = [p.grad for p in parameters]
            again = work()
            for p, gradient in zip(parameters, before, strict=True):
                p.grad = gradient
            for held, t in zip(results, again, strict=True):
                held.copy_(t)

        return results, replay

    return capture


def refusing(work: Callable[[], list[Tensor]]) -> tuple[list[Tensor], Callable[[], None]]:
    work()  # leaves gradients behind, as a capture that fails half way does
    raise RuntimeError("operation not permitted when stream is capturing\nmore")


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


def losses(make: Callable[[list[Tensor]], Graphs] | None) -> tuple[list[float], list[list[float]]]:
    """Five steps of two micro-batches each: loss and gradients of every step, with descent between them."""
    problem = Problem()
    graphs = None if make is None else make(problem.parameters)
    draw = torch.Generator().manual_seed(1)
    all_losses, all_gradients = [], []
    for step in range(5):
        for p in problem.parameters:
            p.grad = None
        total = torch.zeros([])
        for program in (0, 1) if step % 2 == 0 else (0, 0):
            feeds = {"x": torch.randn(4 + program, 3, generator=draw)}

            def run(given: Tensors, program: int = program) -> Tensor:
                return problem.differentiate(program, given)

            total += run(feeds) if graphs is None else graphs.run(program, feeds, problem.parameters, run)
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in problem.parameters]
        all_losses.append(total.item())
        all_gradients.append(torch.cat([g.flatten() for g in gradients]).tolist())
        with torch.no_grad():
            for p, gradient in zip(problem.parameters, gradients, strict=True):
                p -= 0.01 * gradient
    return all_losses, all_gradients


def main() -> None:
    log: list[str] = []
    made: list[Graphs] = []

    def captured(parameters: list[Tensor]) -> Graphs:
        made.append(Graphs(rehearsal(log, parameters)))
        return made[-1]

    def refused(parameters: list[Tensor]) -> Graphs:
        made.append(Graphs(refusing))
        return made[-1]

    plain = losses(None)
    print(
        json.dumps(
            {
                "captured": losses(captured) == plain,
                "refused": losses(refused) == plain,
                "notes": [graphs.note for graphs in made],
                "log": log,
                "steps": plain[0],
            }
        )
    )


main()
