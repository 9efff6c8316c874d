"""The published FlexMDM train step and sampler in ordinary PyTorch, driven by JSON lines.

Tensors travel in safetensors. The sampler is xlm-core's (commit 51c7813): a pass over the whole canvas with
logits everywhere, a Poisson draw over the whole vocabulary at every position, exactly one event, Poisson
insertions, one argmax at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from flexmdm_torch import Bench
from mdlm_torch import read_safetensors, serve

Result = TypeVar("Result")


def measured(work: Callable[[], Result]) -> tuple[float, float, Result]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


class Sides:
    def init(
        self,
        model: dict[str, Any],
        length: int,
        optimizer: dict[str, Any],
        clip: float,
        decay: float | None,
        mode: str,
        parameters: str,
        feeds: str,
        ids: dict[str, int],
        threads: int,
    ) -> dict[str, str]:
        torch.set_num_threads(threads)
        job = {"model": model, "length": length, "optimizer": optimizer, "clipNorm": clip, "emaDecay": decay}
        self.length, self.ids = length, ids
        self.bench = Bench(job, read_safetensors(parameters), read_safetensors(feeds), mode, "cpu")
        return {"version": torch.__version__}

    def steps(self, count: int) -> dict[str, Any]:
        wall: list[float] = []
        cpu: list[float] = []
        loss = 0.0
        for _ in range(count):
            seconds, processor, loss = measured(self.bench.step)
            wall.append(seconds)
            cpu.append(processor)
        return {"wall": wall, "cpu": cpu, "loss": loss}

    def loss(self) -> dict[str, float]:
        with torch.no_grad():
            return {"loss": self.bench.loss_of(self.bench.model, self.bench.feeds).item()}

    @torch.no_grad()
    def sample(self, texts: int, steps: int, counted: int, target: int) -> dict[str, Any]:
        """`counted` steps of a sampler of `steps`, evenly spread over it; every step costs the same."""
        mask, pad, eos = self.ids["mask"], self.ids["pad"], self.ids["eos"]
        x = torch.full((texts, self.length), pad)
        x[:, 0] = eos
        dt = (1 - 1e-5) / (steps + 1)
        forward = [0.0, 0.0]

        def step(t: float) -> None:
            nonlocal x
            present = x != pad
            n = present.sum(1)
            wall, cpu, (logits, _) = measured(lambda: self.bench.model(x, n, torch.full((texts,), t)))
            forward[0] += wall
            forward[1] += cpu
            hazard = 1 / (1 - t)
            counts = torch.poisson(logits.softmax(-1) * hazard * dt)
            counts[x != mask] = 0
            counts[..., mask] = 0
            events = counts.sum(-1) == 1
            revealed = torch.where(events, counts.argmax(-1), x)
            slots = torch.arange(self.length)[None] < n[:, None]
            gaps = ((target - n).clamp(min=0) / n)[:, None].expand(-1, self.length)
            inserted = torch.poisson(gaps * hazard * dt).long() * slots
            inserted[n + inserted.sum(1) > self.length] = 0
            at = torch.arange(self.length)[None] + inserted.cumsum(1)
            rows = torch.where(
                torch.arange(self.length)[None] < (n + inserted.sum(1))[:, None],
                torch.full_like(x, mask),
                torch.full_like(x, pad),
            )
            where = torch.where(present, at, torch.full_like(at, self.length))
            wide = torch.cat([rows, torch.full((texts, 1), pad)], 1)
            wide.scatter_(1, where, torch.where(present, revealed, torch.full_like(x, pad)))
            x = wide[:, : self.length]

        def steps_of() -> None:
            for k in range(counted):
                step((k + 0.5) / counted * (1 - dt))

        wall, cpu, _ = measured(steps_of)
        return {
            "wall": wall,
            "cpu": cpu,
            "body": {"wall": forward[0], "cpu": forward[1]},
            "passes": texts * counted,
        }


if __name__ == "__main__":
    serve(Sides())
