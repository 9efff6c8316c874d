"""What a job runs on: device, precision, threads, compilation."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from repro_worker.errors import WorkerError
from repro_worker.ranks import Ranks

Function = Callable[..., tuple[Tensor, ...]]

OLDEST_TORCH = (2, 6)


def _compiler() -> str | None:
    named = os.environ.get("CXX")
    return next((c for c in [named, "g++", "clang++", "c++", "cl"] if c and shutil.which(c)), None)


class Runtime:
    """precision: fp32, bf16 (autocast: parameters and reductions stay fp32) or bf16-params (the state is bf16 too)."""

    def __init__(self, hello: dict[str, Any], ranks: Ranks) -> None:
        version = tuple(int(part) for part in torch.__version__.split(".")[:2])
        if version < OLDEST_TORCH:
            oldest = ".".join(map(str, OLDEST_TORCH))
            raise WorkerError("version", f"PyTorch {torch.__version__} is older than {oldest}")
        self.device = self._open(hello["device"], ranks)
        self.autocast = hello["precision"] != "fp32"
        self.parameter_dtype = torch.bfloat16 if hello["precision"] == "bf16-params" else torch.float32
        threads = int(hello["threads"])
        # torchrun gives each process one thread unless told otherwise.
        if threads == 0 and ranks.world > 1:
            threads = max(1, (os.cpu_count() or 1) // ranks.local_world)
        torch.set_flush_denormal(True)  # before any thread of the pool is made
        if threads > 0:
            torch.set_num_threads(threads)
        # A resumed run must give the same bits: no sums in the order in which threads arrive.
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        self.compiled, self.compilation = self._probe(bool(hello["compile"]))

    @staticmethod
    def _open(name: str, ranks: Ranks) -> torch.device:
        if name == "cpu":
            return torch.device("cpu")
        if not torch.cuda.is_available():
            raise WorkerError("gpu", f"PyTorch {torch.__version__} sees no GPU")
        if ranks.local_rank >= torch.cuda.device_count():
            count = torch.cuda.device_count()
            raise WorkerError(
                "gpu", f"{ranks.local_world} processes share {count} GPUs", "use one process per GPU"
            )
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.cuda.set_device(ranks.local_rank)
        return torch.device("cuda", ranks.local_rank)

    def _probe(self, asked: bool) -> tuple[bool, str]:
        """Whether programs are compiled, and in words. Compiles a small function to know that it works."""
        if not asked:
            return False, "eager"
        if _compiler() is None:
            return False, "eager: no C++ compiler was found (g++ or clang++, or CXX) for Inductor"
        logging.getLogger("torch._inductor").setLevel(logging.ERROR)
        try:
            x = torch.zeros(64, device=self.device)
            torch.compile(lambda a: torch.sin(a) * 2 + a, dynamic=False)(x)
        except Exception as error:  # whatever the toolchain throws, eager works
            reason = " ".join(str(error).split())[:200]
            return False, f"eager: Inductor failed ({type(error).__name__}: {reason})"
        return True, "compiled"

    @property
    def words(self) -> str:
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"cpu, {torch.get_num_threads()} threads"

    def prepare(self, module: Function) -> Function:
        """The function to call for a module."""
        return torch.compile(module, dynamic=False) if self.compiled else module

    def precision(self) -> contextlib.AbstractContextManager[Any]:
        """In which a graph's forward pass runs."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast)

    def place(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        return [tensor.to(self.device, non_blocking=True) for tensor in tensors]
