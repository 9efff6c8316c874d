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
"""Passes of a program before the one that is recorded: in them kernels are compiled and chosen."""

CAPTURED = "CUDA graphs"


@dataclass(frozen=True)
class Recorded:
    now: Tensor
    """The result of the pass that was run to be recorded."""
    later: Tensor
    """Where every replay puts its result."""
    replay: Callable[[], None]


class Capture(Protocol):
    """Runs `work` once, and records it."""

    def __call__(self, work: Callable[[], Tensor]) -> Recorded | tuple[Tensor, Exception]:
        """What failed beside the result, where `work` ran and could not be recorded."""


def cuda_capture() -> Capture:
    """Graphs that share memory: they are replayed one after another, results used before the next."""
    pool = torch.cuda.graph_pool_handle()

    def capture(work: Callable[[], Tensor]) -> Recorded | tuple[Tensor, Exception]:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            now = work().clone()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=pool):
                later = work()
        except Exception as error:
            return now, error
        return Recorded(now, later, graph.replay)

    return capture


@dataclass(frozen=True)
class _Held:
    feeds: Tensors
    loss: Tensor
    replay: Callable[[], None]


class Graphs:
    """
    Runs the micro-batches of a job, from graphs where they could be captured. `note` says whether they could;
    after a failure everything goes on as it would without. Gradients are added to what parameters hold in
    `grad`, which must be the same memory at every call.
    """

    def __init__(self, capture: Capture) -> None:
        self._capture: Capture | None = capture
        self._seen: Counter[int] = Counter()
        self._held: dict[int, _Held] = {}
        self.note = ""

    def run(self, program: int, feeds: Tensors, differentiate: Callable[[Tensors], Tensor]) -> Tensor:
        """
        The loss of a micro-batch; `differentiate` gives it and adds the gradients. The loss stays where it is
        until the next call.
        """
        held = self._held.get(program)
        if held is None:
            self._seen[program] += 1
            if self._capture is None or self._seen[program] <= WARM:
                return differentiate(feeds)
            return self._record(self._capture, program, feeds, differentiate)
        for name, t in feeds.items():
            held.feeds[name].copy_(t, non_blocking=True)
        held.replay()
        return held.loss

    def _record(
        self, capture: Capture, program: int, feeds: Tensors, differentiate: Callable[[Tensors], Tensor]
    ) -> Tensor:
        own = {name: t.clone() for name, t in feeds.items()}
        recorded = capture(lambda: differentiate(own))
        if not isinstance(recorded, Recorded):
            now, error = recorded
            self.give_up(f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")
            return now
        self._held[program] = _Held(own, recorded.later, recorded.replay)
        self.note = CAPTURED
        return recorded.now

    def give_up(self, why: str) -> bool:
        """Goes on without graphs. True where there were some, whose memory is free now."""
        held = len(self._held) > 0
        self._capture, self._held = None, {}
        self.note = f"no CUDA graphs: {why}"
        if held and torch.cuda.is_available():
            torch.cuda.empty_cache()
        return held
