"""Whether the same state gives the same bits again on this device, and what stands against it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import torch

from repro_worker import flex

SAME = "the same bits again"

_REFUSED = re.compile(r"(\S+) does not have a deterministic implementation")


class Determinism:
    """PyTorch's setting for this process. `note` says in words what holds of its bits."""

    def __init__(self, device: torch.device, wanted: bool, compiles: bool) -> None:
        self.note = SAME if wanted else "bits may differ: speed was asked for"
        # Sums of gradients in a fixed order. Without it Inductor adds atomically, on a CPU too.
        # On a GPU a mere warning is not enough: attention then still adds as its blocks finish.
        strict = wanted and device.type == "cuda"
        self._compiles = compiles
        self._refuse(strict)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cuda.enable_cudnn_sdp(not strict)
        flex.in_order = strict

    def _refuse(self, strict: bool) -> None:
        """Deterministic forms alone; where there is none, an error or a warning."""
        if self._compiles:
            torch.use_deterministic_algorithms(True, warn_only=not strict)
        else:
            # The same without Inductor, whose import takes as long as that of PyTorch.
            torch.set_deterministic_debug_mode("error" if strict else "warn")

    def loosen(self, error: RuntimeError) -> bool:
        """
        Where an operation was refused because it has no deterministic form: lets it run, and says so in
        `note`. False for any other error, and where it was let run before.
        """
        refused = _REFUSED.search(str(error))
        if refused is None or torch.is_deterministic_algorithms_warn_only_enabled():
            return False
        self._refuse(False)
        self.note = f"bits may differ: {refused.group(1)} has no deterministic form here"
        return True

    def trial(self, operations: Sequence[Callable[[], object]]) -> None:
        """Runs operations once, so that one that is refused is known before the first step."""
        for operation in operations:
            try:
                operation()
            except RuntimeError as error:
                if not self.loosen(error):
                    raise
