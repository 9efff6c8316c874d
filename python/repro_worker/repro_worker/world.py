"""The processes that share a job. Rank 0 talks to the parent and passes on what the others need."""

from __future__ import annotations

import datetime
import json
import math
import os
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from repro_worker.frames import Header, dtype_of

_CHUNK = 1 << 30
_FOREVER = datetime.timedelta(days=7)  # ranks wait for rank 0 while it evaluates


def _chunks(data: bytearray) -> Iterator[Tensor]:
    """The bytes as tensors that share their memory, each of a size that travels at once."""
    for start in range(0, len(data), _CHUNK):
        yield torch.frombuffer(memoryview(data)[start : start + _CHUNK], dtype=torch.uint8)


def _bytes(item: dict[str, Any]) -> int:
    count: int = math.prod(item["shape"])
    return count * dtype_of(item["dtype"]).itemsize


def share_of(header: Header, rank: int, size: int) -> tuple[Header, list[tuple[int, int]]]:
    """What one of `size` ranks needs of a step: its micro-batches, and what is of no micro-batch.

    Returns the header with those tensors alone, and where each lies in the whole payload: first byte, and the
    byte after the last. Micro-batch i, whose tensors are called `i/...`, is that of rank i modulo `size`.
    """
    kept: list[dict[str, Any]] = []
    places: list[tuple[int, int]] = []
    offset = 0
    for item in header["tensors"]:
        end = offset + _bytes(item)
        micro = item["name"].split("/")[0]
        if not micro.isdecimal() or int(micro) % size == rank:
            kept.append(item)
            places.append((offset, end))
        offset = end
    return {**header, "tensors": kept}, places


class World:
    """One process, or one of several started by torchrun."""

    def __init__(self) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        self.local_size = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        self._gradients: Any = None
        if self.size > 1:
            dist.init_process_group("gloo", timeout=_FOREVER)

    def use_device(self, device: torch.device) -> None:
        """Gradients on GPUs are summed by NCCL; commands always travel by gloo."""
        if self.size > 1 and device.type == "cuda":
            self._gradients = dist.new_group(backend="nccl")

    def share(self, header: Header | None, payload: bytearray) -> tuple[Header, bytearray]:
        """Rank 0's frame on every rank; of a step each has what it needs."""
        if self.size == 1:
            assert header is not None
            return header, payload
        text = bytearray(json.dumps(header).encode("utf-8"))
        dealt = header is not None and header["type"] == "step"
        sizes = torch.tensor([len(text), 0 if dealt else len(payload)], dtype=torch.int64)
        dist.broadcast(sizes, 0)
        if self.rank != 0:
            text, payload = (bytearray(int(size)) for size in sizes)
        for data in (text,) if dealt else (text, payload):
            for part in _chunks(data):
                dist.broadcast(part, 0)
        shared: Header = json.loads(text)
        return self._deal(shared, payload) if shared["type"] == "step" else (shared, payload)

    def _deal(self, header: Header, whole: bytearray) -> tuple[Header, bytearray]:
        """Micro-batches travel to their ranks alone."""
        mine, places = share_of(header, self.rank, self.size)
        if self.rank != 0:
            part = bytearray(sum(end - start for start, end in places))
            for data in _chunks(part):
                dist.recv(data, 0)
            return mine, part
        view = memoryview(whole)
        for rank in range(1, self.size):
            _, theirs = share_of(header, rank, self.size)
            for data in _chunks(bytearray().join(view[start:end] for start, end in theirs)):
                dist.send(data, rank)
        return mine, bytearray().join(view[start:end] for start, end in places)

    def sum(self, tensors: list[Tensor]) -> None:
        """Adds the ranks' tensors, in place; every rank ends with the same bits."""
        if self.size == 1:
            return
        for work in [dist.all_reduce(t, group=self._gradients, async_op=True) for t in tensors]:
            work.wait()

    def close(self) -> None:
        if self.size > 1:
            dist.destroy_process_group()
