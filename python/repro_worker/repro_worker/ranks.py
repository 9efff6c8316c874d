"""The processes that share a job, started by torchrun.

Rank 0 speaks with the other side and hands every rank its part of each message; gradients are summed over all.
Messages go from rank 0 to each rank over gloo, sums over NCCL where the tensors are on GPUs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from repro_worker.frames import Header, Tensors, pack, unpack

WAIT = timedelta(days=30)
"""Ranks wait for their next message as long as rank 0 evaluates or its owner thinks; a death ends the wait."""


class Ranks:
    def __init__(self) -> None:
        self.rank = int(os.environ.get("RANK", "0"))
        self.world = int(os.environ.get("WORLD_SIZE", "1"))
        self.local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        self.local_world = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        if self.world > 1:
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            dist.init_process_group(backend, timeout=WAIT)

    def send(self, part: Callable[[int], tuple[Header, Tensors]]) -> None:
        """Sends every other rank its part of a message. Called by rank 0."""
        for rank in range(1, self.world):
            header, tensors = part(rank)
            text, parts = pack(header, tensors)
            sizes = torch.tensor([len(text), sum(each.nbytes for each in parts)])
            dist.send(sizes, rank)
            dist.send(torch.frombuffer(bytearray(text), dtype=torch.uint8), rank)
            for each in parts:
                if each.nbytes > 0:
                    dist.send(each.reshape(-1).view(torch.uint8), rank)

    def receive(self) -> tuple[Header, Tensors]:
        """The next message of rank 0."""
        sizes = torch.empty(2, dtype=torch.int64)
        dist.recv(sizes, 0)
        text = torch.empty(int(sizes[0]), dtype=torch.uint8)
        dist.recv(text, 0)
        header: Header = json.loads(bytes(text.numpy()).decode("utf-8"))
        return header, unpack(header, self._payload)

    def _payload(self, size: int) -> Tensor:
        data = torch.empty(size, dtype=torch.uint8)
        if size > 0:
            dist.recv(data, 0)
        return data

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Adds up tensors over all ranks, in place; all ranks get the same bits."""
        if self.world == 1:
            return
        by_type: dict[torch.dtype, list[Tensor]] = {}
        for tensor in tensors:
            by_type.setdefault(tensor.dtype, []).append(tensor)
        for same in by_type.values():
            flat = torch.cat([tensor.reshape(-1) for tensor in same])
            dist.all_reduce(flat)
            sizes = [tensor.numel() for tensor in same]
            sums = [s.reshape(t.shape) for s, t in zip(flat.split(sizes), same, strict=True)]
            torch._foreach_copy_(same, sums)

    def close(self) -> None:
        if self.world > 1:
            dist.destroy_process_group()
