"""Answers in the order of the requests. The next request does not wait for what a device still computes."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import torch

from repro_worker.frames import Header, Tensors, write_frame


def _at_once() -> None:
    pass


@dataclass(frozen=True)
class Late:
    """Results on their way from a device: they may be read once `wait` has returned."""

    tensors: Tensors
    wait: Callable[[], None] = _at_once


def late(results: Tensors) -> Late:
    """
    A step's results, sent for: from a GPU they travel to pinned memory behind the work that computes them,
    and nothing waits here.
    """
    if not any(t.is_cuda for t in results.values()):
        return Late(results)
    held: Tensors = {}
    for name, t in results.items():
        held[name] = torch.empty(t.shape, dtype=t.dtype, pin_memory=True)
        held[name].copy_(t.detach(), non_blocking=True)
    # Its wait leaves the processor to the thread that launches.
    arrived = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
    arrived.record()
    return Late(held, arrived.synchronize)


class Answers:
    """Writes frames in the order in which they are given, late ones from a thread of its own."""

    def __init__(self, sink: BinaryIO, failed: Callable[[Exception], Header]) -> None:
        """`failed` is the answer to a request whose results did not arrive."""
        self._sink, self._failed = sink, failed
        self._late: queue.Queue[tuple[Header, Late]] = queue.Queue()
        threading.Thread(target=self._write, daemon=True).start()

    def now(self, header: Header, tensors: Tensors | None = None) -> None:
        """After all that were given before."""
        self.drain()
        write_frame(self._sink, header, tensors)

    def later(self, header: Header, results: Late) -> None:
        self._late.put((header, results))

    def drain(self) -> None:
        """Returns when everything is written."""
        self._late.join()

    def _write(self) -> None:
        while True:
            header, results = self._late.get()
            try:
                self._answer(header, results)
            except BrokenPipeError:  # the parent is gone
                os._exit(1)
            finally:
                self._late.task_done()

    def _answer(self, header: Header, results: Late) -> None:
        try:
            results.wait()
        except Exception as error:
            write_frame(self._sink, self._failed(error))
        else:
            write_frame(self._sink, header, results.tensors)
