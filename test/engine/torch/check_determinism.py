"""A strict setting on this CPU, an operation that PyTorch refuses, and what becomes of it."""

from __future__ import annotations

import json

import torch

from repro_worker.determinism import Determinism
from repro_worker.ops import trials


def main() -> None:
    setting = Determinism(torch.device("cpu"), wanted=True, compiles=False)
    assert torch.is_deterministic_algorithms_warn_only_enabled(), "a CPU is not asked strictly"
    torch.use_deterministic_algorithms(True)  # as on a GPU
    setting.trial(trials(torch.device("cpu")))
    notes = [setting.note]
    assert not torch.is_deterministic_algorithms_warn_only_enabled(), "none of ours is refused"

    asked = []

    def refused() -> None:
        asked.append(1)
        if not torch.is_deterministic_algorithms_warn_only_enabled():
            raise RuntimeError("histc_gpu does not have a deterministic implementation, but you set ...")

    setting.trial([refused, refused])
    notes.append(setting.note)
    assert len(asked) == 2
    assert not setting.loosen(RuntimeError("another fault"))
    try:
        setting.trial([lambda: torch.ones(2) @ torch.ones(3)])
    except RuntimeError:
        print(json.dumps(notes))


main()
