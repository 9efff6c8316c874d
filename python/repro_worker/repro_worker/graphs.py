"""Forward and backward pass of a micro-batch as one CUDA graph: its kernels are launched all at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from repro_worker.frames import Tensors

WARM = 2
"""Passes of a program before it is captured: in them kernels are compiled and chosen."""

CAPTURED = "CUDA graphs"


class Capture(Protocol):
    """Records what `work` does. Its results lie where every later call of the second part puts them again."""

    def __call__(self, work: Callable[[], list[Tensor]]) -> tuple[list[Tensor], Callable[[], None]]: ...


def cuda_capture() -> Capture:
    """Graphs that share memory: they are replayed one after another, results used before the next."""
    pool = torch.cuda.graph_pool_handle()

    def capture(work: Callable[[], list[Tensor]]) -> tuple[list[Tensor], Callable[[], None]]:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            work()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            results = work()
        return results, graph.replay

    return capture


@dataclass(frozen=True)
class _Held:
    feeds: Tensors
    results: list[Tensor]
    """The loss, then the gradients of the parameters that it depends on."""
    reached: list[int]
    replay: Callable[[], None]


class Graphs:
    """
    Runs the micro-batches of a job, from graphs where they could be captured. `note` says whether they could;
    after a failure everything goes on as it would without.
    """

    def __init__(self, capture: Capture) -> None:
        self._capture: Capture | None = capture
        self._seen: Counter[int] = Counter()
        self._held: dict[int, _Held] = {}
        self.note = "CUDA graphs: none captured yet"

    def run(
        self,
        program: int,
        feeds: Tensors,
        parameters: list[Tensor],
        differentiate: Callable[[Tensors], Tensor],
    ) -> Tensor:
        """
        The loss of a micro-batch; its gradients are added to those of `parameters`. `differentiate` does the
        same. The loss stays where it is until the next call.
        """
        if program not in self._held and not self._begin(program, feeds, parameters, differentiate):
            return differentiate(feeds)
        held = self._held[program]
        for name, t in feeds.items():
            held.feeds[name].copy_(t, non_blocking=True)
        held.replay()
        loss, *gradients = held.results
        for i, gradient in zip(held.reached, gradients, strict=True):
            p = parameters[i]
            # A copy: the next micro-batch writes its gradients to the same place.
            p.grad = gradient.clone() if p.grad is None else p.grad.add_(gradient)
        return loss

    def _begin(
        self,
        program: int,
        feeds: Tensors,
        parameters: list[Tensor],
        differentiate: Callable[[Tensors], Tensor],
    ) -> bool:
        """Captures the program when it has run often enough. False where it is to run as it is."""
        self._seen[program] += 1
        if self._capture is None or self._seen[program] <= WARM:
            return False
        own = {name: t.clone() for name, t in feeds.items()}
        before = [p.grad for p in parameters]
        reached: list[int] = []

        def work() -> list[Tensor]:
            for p in parameters:
                p.grad = None
            loss = differentiate(own)
            found = [(i, p.grad) for i, p in enumerate(parameters)]
            reached[:] = [i for i, gradient in found if gradient is not None]
            return [loss, *(gradient for _, gradient in found if gradient is not None)]

        try:
            results, replay = self._capture(work)
        except Exception as error:
            self._capture, self._held = None, {}
            self.note = f"no CUDA graphs: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            return False
        finally:
            for p, gradient in zip(parameters, before, strict=True):
                p.grad = gradient
        self._held[program] = _Held(own, results, reached, replay)
        self.note = CAPTURED
        return True
