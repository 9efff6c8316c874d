"""What the parent asked for, and what this machine makes of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch

from repro_worker.determinism import Determinism
from repro_worker.graphs import Capture, cuda_capture


class Refusal(Exception):
    """A request that this machine or this PyTorch cannot fulfil."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Settings:
    precision: str
    device: torch.device
    compiles: bool
    compile_note: str
    determinism: Determinism
    recompute: bool = False
    """Whether activations inside blocks are computed again for the gradient instead of kept."""
    graphs: bool = False
    """Whether micro-batches are captured as CUDA graphs, on a GPU."""

    @property
    def storage(self) -> torch.dtype:
        """The type of parameters, moments and tables."""
        return torch.bfloat16 if self.precision == "bf16-params" else torch.float32

    def to_device(self, tensor: torch.Tensor) -> torch.Tensor:
        """A batch on the device; to a GPU it travels from pinned memory while the GPU computes."""
        if self.device.type != "cuda":
            return tensor.to(self.device)
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def capture(self) -> Capture | None:
        """How micro-batches are captured; None where they are not."""
        return cuda_capture() if self.graphs and self.device.type == "cuda" else None

    def autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision != "fp32")

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return torch.compile(function, dynamic=False) if self.compiles else function


def _compiler() -> str | None:
    """A C++ compiler, which Inductor needs for its kernels (on a GPU, for their launchers)."""
    named = os.environ.get("CXX")
    return next(
        (found for name in (named, "g++", "clang++", "c++") if name and (found := shutil.which(name))), None
    )


def _version(text: str) -> tuple[int, ...]:
    """Major and minor number."""
    return tuple(int(part) for part in text.split("+")[0].split(".")[:2])


def open_settings(hello: dict[str, Any], local_rank: int, local_world: int) -> Settings:
    """Raises Refusal where PyTorch is too old or the GPU that was asked for is not there."""
    if _version(torch.__version__) < _version(hello["oldest"]):
        raise Refusal("version", f"PyTorch {torch.__version__} is older than {hello['oldest']}")
    # Tiny moments of rarely seen tokens become denormal numbers, which a CPU handles many times slower.
    # Threads inherit the mode, so it comes before the first of them.
    torch.set_flush_denormal(True)
    threads = int(hello["threads"])
    if hello["device"] == "gpu":
        if not torch.cuda.is_available():
            raise Refusal("gpu", f"a GPU was asked for, but PyTorch {torch.__version__} sees none")
        if local_rank >= torch.cuda.device_count():
            count = torch.cuda.device_count()
            raise Refusal("gpu", f"{local_world} processes were asked for, but this machine has {count} GPUs")
        torch.cuda.set_device(local_rank)
        device = torch.device("cuda", local_rank)
    else:
        device = torch.device("cpu")
        if threads == 0 and local_world > 1:
            threads = max(1, (os.cpu_count() or 1) // local_world)
    if threads > 0:
        torch.set_num_threads(threads)
    wanted = bool(hello["compile"])
    compiles = wanted and _compiler() is not None
    note = "compiled" if compiles else "not compiled: no C++ compiler was found" if wanted else "eager"
    return Settings(
        precision=hello["precision"],
        device=device,
        compiles=compiles,
        compile_note=note,
        determinism=Determinism(device, bool(hello.get("deterministic", True)), compiles),
        recompute=bool(hello.get("recompute", False)),
        graphs=bool(hello.get("graphs", False)),
    )


def device_name(settings: Settings) -> str:
    if settings.device.type == "cpu":
        return f"CPU, {torch.get_num_threads()} threads"
    return str(torch.cuda.get_device_name(settings.device))
