"""The processes that share a job. Rank 0 talks to the parent and passes on what the others need."""

from __future__ import annotations

import datetime
import json
import os
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from repro_worker.frames import Header

_CHUNK = 1 << 30
_FOREVER = datetime.timedelta(days=7)  # ranks wait for rank 0 while it evaluates


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
        """Rank 0's frame on every rank."""
        if self.size == 1:
            assert header is not None
            return header, payload
        text = bytearray(json.dumps(header).encode("utf-8"))
        sizes = torch.tensor([len(text), len(payload)], dtype=torch.int64)
        dist.broadcast(sizes, 0)
        if self.rank != 0:
            text, payload = (bytearray(int(size)) for size in sizes)
        for data in (text, payload):
            for start in range(0, len(data), _CHUNK):
                part = memoryview(data)[start : start + _CHUNK]
                dist.broadcast(torch.frombuffer(part, dtype=torch.uint8), 0)
        shared: Header = json.loads(text)
        return shared, payload

    def sum(self, tensors: list[Tensor]) -> None:
        """Adds the ranks' tensors, in place; every rank ends with the same bits."""
        if self.size == 1:
            return
        for work in [dist.all_reduce(t, group=self._gradients, async_op=True) for t in tensors]:
            work.wait()

    def close(self) -> None:
        if self.size > 1:
            dist.destroy_process_group()
